"""The page in headless Chromium."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from src.photo.outputs import is_result
from tests.helpers.browser import browser, complaints, need_browser, requests
from tests.helpers.page_server import FACES, Served, drawn, drawn_photograph, png, until

PHONE = 390


@pytest.fixture(scope="module", autouse=True)
def _chromium() -> None:
    need_browser()  # before a page is served


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    (tmp_path / "party.png").write_bytes(png(drawn_photograph()))
    return tmp_path / "party.png"


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    (tmp_path / "portrait.png").write_bytes(png(drawn(0, 224)))
    return tmp_path / "portrait.png"


@pytest.fixture(params=[1280, PHONE])
def window(request: pytest.FixtureRequest, page: Served) -> Iterator[webdriver.Chrome]:
    with browser(request.param) as driver:
        yield opened(driver, page)


def opened(driver: webdriver.Chrome, page: Served) -> webdriver.Chrome:
    driver.get(page.address)
    until(lambda: driver.find_elements(By.CSS_SELECTOR, "#photograph input[type=file]"))
    return driver


def put(driver: webdriver.Chrome, name: str, path: Path) -> None:
    """Give a file to the place of this name, in place of the one before."""
    for cross in driver.find_elements(By.CSS_SELECTOR, f"#{name} button[aria-label='Clear']"):
        cross.click()
    found = until(lambda: driver.find_elements(By.CSS_SELECTOR, f"#{name} input[type=file]"))
    found[0].send_keys(str(path))


def text(driver: webdriver.Chrome, name: str) -> str:
    return driver.find_element(By.ID, name).text


def trial_tab(driver: webdriver.Chrome) -> None:
    tabs = driver.find_elements(By.CSS_SELECTOR, "button[role=tab]")
    next(tab for tab in tabs if tab.is_displayed() and tab.text == "Try the limits").click()
    until(lambda: driver.find_element(By.ID, "portrait").is_displayed())


def picture_of(driver: webdriver.Chrome, name: str) -> np.ndarray:
    """The pixels of the picture that a part of the page shows."""
    source = until(lambda: driver.find_element(By.CSS_SELECTOR, f"#{name} img").get_attribute("src"))
    with urlopen(source, timeout=30) as answer, Image.open(io.BytesIO(answer.read())) as image:
        return np.asarray(image.convert("RGB"))


def scores(driver: webdriver.Chrome) -> list[float]:
    return [float(number) for number in re.findall(r"([\d.]+) dB", text(driver, "scores"))]


def fits(driver: webdriver.Chrome) -> bool:
    return bool(driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_photographs_faces_are_shown_chosen_and_downloaded(
    window: webdriver.Chrome, page: Served, photograph: Path, tmp_path: Path
) -> None:
    assert "no evidence of who somebody is" in text(window, "note")
    put(window, "photograph", photograph)
    until(lambda: text(window, "photograph_status") == "2 faces found and upscaled.")
    thumbnails = until(lambda: window.find_elements(By.CSS_SELECTOR, "#faces button.thumbnail-item"))
    assert len(thumbnails) == 2
    until(lambda: "face 1: " in text(window, "slider"))
    assert picture_of(window, "photograph_lr").shape == (32, 32, 3)
    first = picture_of(window, "photograph_sr")
    assert first.shape == picture_of(window, "photograph_heatmaps").shape == (128, 128, 3)

    thumbnails[1].click()
    until(lambda: "face 2: " in text(window, "slider"))
    assert len(window.find_elements(By.CSS_SELECTOR, "#slider img")) == 2
    assert np.abs(picture_of(window, "photograph_sr").astype(int) - first).mean() > 3
    click_on(window, window.find_element(By.CSS_SELECTOR, "#photo img"), (FACES[0][0] + 28, FACES[0][1] + 28))
    until(lambda: "face 1: " in text(window, "slider"))
    assert np.array_equal(picture_of(window, "photograph_sr"), first)

    saved = tmp_path / "saved"
    window.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(saved)})
    window.find_element(By.ID, "download").click()
    until(lambda: (saved / "party_1.png").is_file())
    assert is_result(saved / "party_1.png")
    with Image.open(saved / "party_1.png") as image:
        assert np.array_equal(np.asarray(image), first)

    assert fits(window)
    assert [url for url in requests(window) if not url.startswith((page.address, f"blob:{page.address}"))] == []
    assert [line for line in complaints(window) if "Method not implemented" not in line] == []  # Gradio's own


def click_on(driver: webdriver.Chrome, image: WebElement, place: tuple[int, int]) -> None:
    """Click a place of the drawn photograph on the picture that shows it, which may be larger than what it shows."""
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", image)
    height, width = drawn_photograph().shape[:2]
    scale = min(image.rect["width"] / width, image.rect["height"] / height)
    x, y = ((at - side / 2) * scale for at, side in zip(place, (width, height), strict=True))
    ActionChains(driver).move_to_element_with_offset(image, round(x), round(y)).click().perform()


def test_the_limits_move_with_the_sliders(window: webdriver.Chrome, page: Served, portrait: Path) -> None:
    trial_tab(window)
    put(window, "portrait", portrait)
    first = until(lambda: scores(window))
    assert len(first) == 3
    hr = picture_of(window, "trial_hr")
    before = {name: picture_of(window, name) for name in ("trial_lr", "trial_sr", "trial_heatmaps")}

    noise = window.find_element(By.CSS_SELECTOR, "#setting_noise input[type=number]")
    noise.send_keys(Keys.CONTROL, "a")
    noise.send_keys("50", Keys.ENTER)
    until(lambda: (now := scores(window)) and now[0] < first[0] - 1)  # a noise of 5 comes before that of 50
    for name, old in before.items():
        until(lambda name=name, old=old: not np.array_equal(picture_of(window, name), old))
    assert np.array_equal(picture_of(window, "trial_hr"), hr)

    window.find_element(By.ID, "reset").click()
    until(lambda: scores(window) == first)
    made = [file for suffix in ("png", "webp") for file in page.folder.rglob(f"image.{suffix}")]
    assert len(made) > 4
    assert all(file.parent.name.startswith("made_") for file in made), "Gradio overwrites those that a browser reads"
    assert fits(window)
    assert [url for url in requests(window) if not url.startswith((page.address, f"blob:{page.address}"))] == []


def test_a_bad_file_is_one_clear_line(page: Served, photograph: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("These are no pixels.")
    (tmp_path / "one.png").write_bytes(png(np.zeros((1, 1, 3), np.uint8)))
    (tmp_path / "<b>x.jpg").write_text("no markup")
    with browser(1280) as driver:
        opened(driver, page)
        put(driver, "photograph", photograph)
        until(lambda: "2 faces" in text(driver, "photograph_status"))
        put(driver, "photograph", tmp_path / "notes.jpg")
        until(lambda: text(driver, "photograph_status") == "notes.jpg: not a picture, or cut off in its header")
        until(lambda: not driver.find_elements(By.ID, "photo"))
        put(driver, "photograph", tmp_path / "one.png")
        until(lambda: text(driver, "photograph_status") == "No face was found in this photograph.")
        put(driver, "photograph", tmp_path / "<b>x.jpg")
        until(lambda: "not a picture" in text(driver, "photograph_status"))
        assert driver.find_elements(By.CSS_SELECTOR, "#photograph_status b") == []
        trial_tab(driver)
        put(driver, "portrait", tmp_path / "one.png")
        until(lambda: text(driver, "trial_status").startswith("no face was found: take a portrait"))
        put(driver, "portrait", photograph)
        until(lambda: "px, too few to compare with" in text(driver, "trial_status"))
        assert scores(driver) == []


def test_a_picture_over_the_limit_is_refused_in_words(page: Served, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes((20 << 20) + 1))
    with browser(1280) as driver:
        opened(driver, page)
        put(driver, "photograph", tmp_path / "large.png")
        said = until(lambda: [one.text for one in driver.find_elements(By.CSS_SELECTOR, ".toast-body") if one.text])
        assert "20" in " ".join(said)
        assert "size" in " ".join(said).lower()
