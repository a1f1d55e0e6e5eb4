import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from src.metric.load import all_metrics
from src.report.picks import pick_faces
from src.report.protocol import MethodCard, Protocol
from src.report.report_html import report_html
from src.report.scores import FaceScores, MethodScores
from src.report.shown import FacePictures, Shown
from tests.helpers.browser import browser, complaints, open_file, requests

NASTY = '"><img src=x onerror="hacked=1"></script><script>hacked=1</script>\'&amp;`\u2028'
RED, BLUE, GREY = (200, 30, 30), (30, 30, 200), (110, 30, 110)
FACES = 12
METRICS = ("psnr_rgb", "ssim_rgb")


def plain(colour: tuple[int, int, int], side: int = 64) -> NDArray[np.uint8]:
    return np.full((side, side, 3), colour, np.uint8)


def rows() -> list[FaceScores]:
    """Face n: 10 + n dB by `one`, 30 - n dB by `two`, and no SSIM by `two`."""
    return [
        FaceScores(
            f"store {NASTY}", n, f"{n:02}{NASTY}.png", f"Ann {NASTY}", 5.0 * (n - 6), 0.9, 1.0, -2.0,
            {"one": MethodScores({"psnr_rgb": 10.0 + n, "ssim_rgb": 0.5}), "two": MethodScores({"psnr_rgb": 30.0 - n}),
             "three": MethodScores({"psnr_rgb": 9.5, "ssim_rgb": 0.25})},
            yaw_deg=4.0 * n,
        )
        for n in range(FACES)
    ]  # fmt: skip


def protocol(run: Path) -> Protocol:
    inputs = {"rotation": 30.0, "scale_min": 0.85, "scale_max": 1.0, "shift": 0.05, "fill": "black", "seed": 0}
    return Protocol(
        name="published",
        misalignment=inputs | {"degradation": "bicubic"},
        methods={
            "one": MethodCard(f"One {NASTY}", {"checkpoint": str(run / "checkpoints" / "last.ckpt")}, trained=True),
            "two": MethodCard("Two", {}, trained=False),
            "three": MethodCard("Three", {"checkpoint": "gone/checkpoints/last.ckpt"}, trained=True),
        },
        metrics=[metric.card for metric in all_metrics() if metric.key in METRICS],
        stores=[{"path": "a", "faces": 12, "faces_in_store": 12, "images_sha256": "cd" * 32}],
        device="CPU, 1 threads",
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    lines = ["iterations,step,val/psnr_rgb,loss/total", "10,9,,0.5", "20,19,17.5,0.25", "30,29,18.5,0.2"]
    (run / "metrics.csv").write_text("\n".join(lines))
    picks = pick_faces(rows(), 1000)
    results = {"one": plain(RED), "two": plain(BLUE), "three": plain(GREY)}
    faces = {place: FacePictures(plain(GREY), plain((9, 9, 9), 16), results) for place in picks.methods}
    path = run / "report.html"
    path.write_bytes(report_html(rows(), protocol(run), None, Shown(picks.picks, faces)))
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chrome]:
    with browser() as driver:
        yield driver


@pytest.fixture
def page(chromium: Chrome, report: Path) -> Iterator[Chrome]:
    """The report, just opened; whatever a test does with it, nothing may be asked for and no script may fail."""
    requests(chromium), complaints(chromium)
    open_file(chromium, report)
    yield chromium
    assert requests(chromium) == [report.as_uri()]
    assert complaints(chromium) == []
    assert chromium.execute_script("return performance.getEntriesByType('resource')"
                                   ".filter((one) => !one.name.startsWith('data:')).length") == 0  # fmt: skip
    assert chromium.execute_script("return typeof hacked") == "undefined"


def column(page: Chrome, number: int) -> list[str]:
    cells = page.find_elements(By.CSS_SELECTOR, f"#scores table:first-of-type tbody td:nth-child({number})")
    return [cell.text.split("\n")[0] for cell in cells][:3]


def colour(element: WebElement, across: float) -> tuple[int, ...]:
    """A pixel in the middle row of an element on the screen."""
    with Image.open(BytesIO(element.screenshot_as_png)) as picture:
        return picture.convert("RGB").getpixel((int(across * picture.width), picture.height // 3))  # type: ignore[return-value]


def near(one: tuple[int, ...], two: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(one, two, strict=True)) <= 3


def test_a_click_on_a_head_sorts_and_what_is_not_known_comes_last(page: Chrome) -> None:
    method, psnr, ssim = page.find_elements(By.CSS_SELECTOR, "#scores table:first-of-type th button")[:3]
    assert column(page, 2) == ["15.50", "24.50", "9.50"]
    psnr.click()
    assert column(page, 2) == ["24.50", "15.50", "9.50"]
    psnr.click()
    assert column(page, 2) == ["9.50", "15.50", "24.50"]  # as numbers, not as words
    assert psnr.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    ssim.click()
    assert column(page, 3) == ["0.5000", "0.2500", "-"]
    ssim.click()
    assert column(page, 3) == ["0.2500", "0.5000", "-"]
    method.click()
    assert [words[:3] for words in column(page, 1)] == ["One", "Thr", "Two"]


def test_the_slider_divides_two_methods_by_keys_and_by_pointer(page: Chrome) -> None:
    stage, cut = page.find_element(By.ID, "stage"), page.find_element(By.ID, "cut")
    page.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", stage)
    Select(page.find_element(By.ID, "right")).select_by_visible_text("Two")
    assert near(colour(stage, 0.4), RED)
    assert near(colour(stage, 0.6), BLUE)
    cut.send_keys(Keys.HOME)
    assert near(colour(stage, 0.1), BLUE)
    cut.send_keys(Keys.END)
    assert near(colour(stage, 0.9), RED)
    ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(-96, 0).release().perform()
    assert cut.get_property("value") == "25"
    assert near(colour(stage, 0.2), RED)
    assert near(colour(stage, 0.3), BLUE)


def test_error_maps_are_black_where_nothing_differs_and_white_from_a_quarter(page: Chrome) -> None:
    Select(page.find_element(By.ID, "left")).select_by_visible_text("Three")
    Select(page.find_element(By.ID, "right")).select_by_visible_text("Two")
    left, right = (page.find_element(By.ID, f"{side}-error") for side in ("left", "right"))
    page.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", left)
    assert near(colour(left, 0.5), (0, 0, 5))
    level = 4 * (80 + 0 + 90) / 3 / 255  # 0.889: between the last two of the six colours
    share = level * 5 - 4
    expected = tuple(255 * (low + share * (1 - low)) for low in (0.99, 0.83, 0.4))
    assert near(colour(right, 0.5), tuple(round(one) for one in expected))


def test_a_face_of_the_gallery_is_compared(page: Chrome) -> None:
    cards = page.find_elements(By.CSS_SELECTOR, "details:nth-of-type(2) .card")  # of Two
    assert [re.match(r"[\d.]+ dB", card.text.split("\n")[-1])[0] for card in cards[:3]] == [  # type: ignore[index]
        "19.00 dB", "20.00 dB", "21.00 dB",
    ]  # fmt: skip
    button = cards[0].find_element(By.TAG_NAME, "button")
    page.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", button)
    button.click()
    assert Select(page.find_element(By.ID, "face")).first_selected_option.text.startswith("store")
    assert f"11{NASTY}"[:8] in page.find_element(By.ID, "face").find_element(By.CSS_SELECTOR, "option:checked").text
    assert page.find_element(By.ID, "left-name").text == "Two"
    assert page.find_element(By.ID, "left-score").text == "error of Two, 19.00 dB"
    pictures = page.find_elements(By.CSS_SELECTOR, "img")
    assert len(pictures) > 100
    assert page.execute_script("return [...document.images].every((one) => one.complete && one.naturalWidth)")


def test_charts_show_bins_and_the_training_that_is_there(page: Chrome) -> None:
    assert len(page.find_elements(By.CSS_SELECTOR, "#charts .chart")) == 2
    assert len(page.find_elements(By.CSS_SELECTOR, "#charts .chart:first-child g")) == 3
    assert [one.text for one in page.find_elements(By.CSS_SELECTOR, "#trainings .chart .title")] == [
        "validation PSNR RGB (dB)", "total loss of the generator",
    ]  # fmt: skip
    assert "the training of Three left it" in page.find_element(By.CSS_SELECTOR, "#trainings p").text


def test_a_phone_scrolls_down_alone(report: Path) -> None:
    with browser(width=390) as driver:
        open_file(driver, report)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        assert complaints(driver) == []


def test_words_from_outside_are_escaped(report: Path) -> None:
    text = report.read_text()
    assert "<img src=x" not in text
    assert text.count("<script") == 2  # the data and the page's own
    assert text.count("</script") == 2
    assert "http" not in text.replace("http-equiv", "")


def test_without_pictures_poses_and_trainings_there_is_still_a_report() -> None:
    bare = [replace(row, angle_deg=float("nan"), yaw_deg=float("nan")) for row in rows()]
    described = protocol(Path("gone"))
    stores = [{**described.stores[0], "path": "\udcff"}]  # a name whose bytes are no text
    two = replace(described, methods={"two": described.methods["two"]}, stores=stores)
    one_method = [replace(row, methods={"two": row.methods["two"]}) for row in bare]
    text = report_html(one_method, two).decode()
    assert "No face is shown" in text
    assert "differ neither in pose nor in angle" in text
    assert 'id="trainings"' not in text
