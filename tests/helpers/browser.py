"""Headless Chromium for tests that open a report."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REQUIRED = "MTUN_BROWSER_TESTS"
"""Set where a missing Chromium is a fault (`.ci/run` sets it); otherwise the tests are skipped."""


def need_browser() -> None:
    """Skip the test, or fail where the variable is set, if there is no Chromium."""
    if CHROMIUM and DRIVER:
        return
    words = "Debian's packages chromium and chromium-driver are not installed"
    if os.environ.get(REQUIRED):
        pytest.fail(f"{words}, and {REQUIRED} is set")
    pytest.skip(words)


@contextmanager
def browser(width: int = 1400) -> Iterator[webdriver.Chrome]:
    """A headless Chromium whose window is so many pixels wide."""
    need_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for word in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
    ):  # fmt: skip
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        yield driver
    finally:
        driver.quit()


def requests(driver: webdriver.Chrome) -> list[str]:
    """The addresses that pages asked for since the last call, without data URIs and Chromium's own pages."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "chrome:"))]


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the console says since the last call: errors of scripts, refused requests."""
    return [entry["message"] for entry in driver.get_log("browser")]


def open_file(driver: webdriver.Chrome, path: Path) -> None:
    """Open a file, from which no request may have left before."""
    driver.get(path.absolute().as_uri())
