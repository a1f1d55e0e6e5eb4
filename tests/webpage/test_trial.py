from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.camera import FRAME
from src.data.pairs import make_pair
from src.image.pixels import to_bytes
from src.image.surroundings import Surroundings
from src.image.warp import similarity_matrix
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.photo import FaceUpscaler
from src.photo.frames import square_of
from src.system.errors import UserError
from src.webpage.trial import MARGIN, SETTINGS, SLIDERS, Portrait, Settings, portrait_of, tried
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.tiny_files import checkpoint_content
from tests.webpage.test_photograph import Found

UPRIGHT = Settings(rotation=0, scale=1, shift_x=0, shift_y=0)
CAMERA = replace(UPRIGHT, blur=0.5, noise=6, quality=60, gamma=1.2)


@pytest.fixture
def own_size_file(tmp_path: Path) -> Path:
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb))
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    torch.save(content, tmp_path / "own.ckpt")
    return tmp_path / "own.ckpt"


@pytest.fixture
def portrait() -> Portrait:
    smooth = np.kron(noise_picture(22, 22)[..., :1], np.ones((16, 16, 3), np.uint8))
    return Portrait(torch.from_numpy(smooth)[None], 200, "One face: 200 px.")


def upscaler(path: Path, *boxes: tuple[float, float, float, float]) -> FaceUpscaler:
    return FaceUpscaler.from_pretrained(path, device="cpu", detector=Found(boxes), any_size=True)


def test_every_setting_has_its_slider_and_a_value_on_it() -> None:
    assert {*SLIDERS, "own_size"} == {*SETTINGS}
    for name, slider in SLIDERS.items():
        assert slider.low <= slider.first <= slider.high
        assert getattr(Settings(), name) == slider.first


def test_the_margin_holds_what_every_misalignment_shows() -> None:
    widest = Settings(SLIDERS["rotation"].high, SLIDERS["scale"].low, SLIDERS["shift_x"].low, SLIDERS["shift_y"].low)
    matrix = similarity_matrix(*widest.misalignment.unbind(1))[0]
    corners = torch.tensor([(-1.0, -1), (1, -1), (-1, 1), (1, 1)])
    places = (corners - matrix[:, 2]) @ torch.linalg.inv(matrix[:, :2]).T
    assert 100 < (places.abs().max() - 1) * 64 < MARGIN


def test_the_settings_are_in_the_units_of_a_misalignment() -> None:
    found = Settings(rotation=90, scale=0.8, shift_x=10, shift_y=-5).misalignment[0].tolist()
    assert found == pytest.approx([np.pi / 2, 0.8, 0.2, -0.1])


def test_a_camera_that_does_nothing_is_none_and_its_noise_is_always_the_same() -> None:
    assert UPRIGHT.camera(FRAME) is None
    for change in ({"blur": 0.1}, {"noise": 1}, {"quality": 99}, {"gamma": 1.1}):
        assert replace(UPRIGHT, **change).camera(FRAME) is not None
    one, other = CAMERA.camera(FRAME), replace(CAMERA, noise=12).camera(FRAME)
    assert one is not None
    assert other is not None
    torch.testing.assert_close(2 * one.noise, other.noise)
    assert one.noise.std() == pytest.approx(6, rel=0.05)
    assert [float(one.blur.max()), float(one.quality), float(one.gamma)] == pytest.approx([0.5, 60, 1.2])


@pytest.mark.parametrize("settings", [UPRIGHT, Settings(), CAMERA])
def test_a_trial_degrades_as_the_pairs_do(checkpoint_file: Path, portrait: Portrait, settings: Settings) -> None:
    trial = tried(upscaler(checkpoint_file), portrait, settings)
    around = Surroundings(portrait.picture, torch.tensor([False]))
    lr, _ = make_pair(around.face(), settings.misalignment, "context", around, settings.camera(FRAME))
    assert np.array_equal(trial.lr, to_bytes(lr)[0].numpy())
    assert np.array_equal(trial.hr, portrait.picture[0, MARGIN : MARGIN + 128, MARGIN : MARGIN + 128].numpy())
    assert trial.sr.shape == (128, 128, 3)
    assert trial.heatmaps is not None
    error = (trial.sr.astype(float) - trial.hr) / 255
    assert trial.scores["sr"] == pytest.approx(-10 * np.log10((error**2).mean()), abs=1e-3)


def test_registered_compares_where_the_network_put_the_face(checkpoint_file: Path, portrait: Portrait) -> None:
    """The untrained network's transform is the identity: upright faces are in their place, others are not."""
    upright, turned = (
        tried(upscaler(checkpoint_file), portrait, settings).scores for settings in (UPRIGHT, Settings())
    )
    assert upright["registered"] == pytest.approx(upright["sr"], abs=1e-3)
    assert turned["registered"] > turned["sr"] + 0.5


def test_the_own_size_reaches_the_network(own_size_file: Path, portrait: Portrait) -> None:
    small, large, beyond = (
        tried(upscaler(own_size_file), portrait, replace(UPRIGHT, own_size=size)) for size in (12, 40, 99)
    )
    assert small.lr.shape == (32, 32, 3)
    assert large.scores["bicubic"] > small.scores["bicubic"] + 1
    assert np.array_equal(beyond.lr, large.lr)
    assert (
        tried(upscaler(own_size_file), portrait, replace(CAMERA, own_size=40)).scores["bicubic"]
        < (large.scores["bicubic"])
    )


def test_the_portrait_is_the_largest_face(checkpoint_file: Path) -> None:
    boxes = ((20, 20, 60, 70), (150, 60, 250, 180))
    image = np.zeros((300, 400, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(400) * 0.6, np.arange(300)[:, None] * 0.8
    found = portrait_of(upscaler(checkpoint_file, *boxes), image)
    x0, y0, x1, y1 = square_of(boxes[1]).box
    assert found.own_size == x1 - x0
    assert found.line == f"The largest of 2 faces: {x1 - x0:g} px."
    face = found.picture[0, MARGIN : MARGIN + 128, MARGIN : MARGIN + 128].numpy()
    inside = (
        1.5 * (x1 - x0) / 128 - 0.5,
        1.5 * (x1 - x0) / 128 + 0.5,
    )  # of the second pixel's centre, from 0 and the end
    np.testing.assert_allclose(face[1, 1, :2], [(x0 + inside[0]) * 0.6, (y0 + inside[0]) * 0.8], atol=1)
    np.testing.assert_allclose(face[-2, -2, :2], [(x1 - inside[1]) * 0.6, (y1 - inside[1]) * 0.8], atol=1)


@pytest.mark.parametrize(
    ("boxes", "said"),
    [((), "no face was found"), (((20, 20, 40, 45),), "34 px, too few"), (((-90, -90, -20, -20),), "lies outside")],
)
def test_what_is_no_portrait_is_said(
    checkpoint_file: Path, boxes: tuple[tuple[float, float, float, float], ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        portrait_of(upscaler(checkpoint_file, *boxes), noise_picture(400, 300))


def test_a_face_that_the_network_leaves_out_is_said(checkpoint_file: Path) -> None:
    left = FaceUpscaler.from_pretrained(checkpoint_file, device="cpu", detector=Found([(50, 50, 150, 170)]))
    with pytest.raises(UserError, match=r"^the largest face is left out: \d+ px is above the \d+ px of the training"):
        portrait_of(left, noise_picture(400, 300))


def test_a_portrait_below_hr_says_so(checkpoint_file: Path) -> None:
    found = portrait_of(upscaler(checkpoint_file, (50, 50, 110, 120)), noise_picture(400, 300))
    assert "Below 128 px, the true face itself is blurred." in found.line
