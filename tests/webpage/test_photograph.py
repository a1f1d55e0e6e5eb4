from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.image.pixels import to_bytes
from src.photo import FaceUpscaler
from src.photo.centerface import FoundFace
from src.photo.frames import cut, square_of
from src.system.errors import BadFace
from src.webpage import photograph
from src.webpage.photograph import FaceView, face_at, letters, marked, photo_view, read_upload, with_heatmaps
from tests.helpers.drawn_faces import noise_picture

BOXES = [(20.0, 20.0, 32.0, 36.0), (60.0, 30.0, 75.0, 50.0), (30.0, 20.0, 36.0, 28.0), (1.0, 1.0, 90.0, 80.0),
         (-90.0, -90.0, -60.0, -60.0)]  # fmt: skip
"""Faces of 21, 26, 10 and 126 pixels, and one outside."""


class Found:
    name = "found"

    def __init__(self, boxes: Sequence[tuple[float, float, float, float]]) -> None:
        self.boxes = boxes

    def find(self, image: np.ndarray) -> list[FoundFace]:
        return [FoundFace(box) for box in self.boxes]


def upscaler_of(checkpoint: Path, boxes: Sequence[tuple[float, float, float, float]] = BOXES) -> FaceUpscaler:
    return FaceUpscaler.from_pretrained(checkpoint, device="cpu", detector=Found(boxes))


def test_the_view_has_every_face_with_its_number_or_reason(checkpoint_file: Path) -> None:
    up, image = upscaler_of(checkpoint_file), noise_picture(110, 90)
    result = up(image)
    view = photo_view(result, up, "party")
    assert view.picture.shape == (360, 440, 3)  # four times
    assert [(face.label, face.file, face.caption) for face in view.faces] == [("1", "party_1.png", "1: 21 px")]
    assert view.faces[0].box == (80, 80, 128, 144)
    assert list(view.lines) == [
        "5 faces found, 1 upscaled.",
        "Left out, above the 24 px of the training: A (26 px), C (126 px).",
        "Left out, below the 12 px of the training: B (10 px).",
        "Left out, its square lies outside the photograph: D.",
    ]
    face = view.faces[0]
    assert np.array_equal(face.sr, result.faces[0].image)
    assert np.array_equal(face.lr, to_bytes(cut(image, [square_of(BOXES[0])], 16))[0].numpy())
    assert face.bicubic.shape == (128, 128, 3)
    assert face.heatmaps is not None
    # The untrained network moves nothing: the face's place on the photograph is the square that was cut out.
    enlarged = Image.fromarray(face.lr).resize((128, 128), Image.Resampling.BICUBIC)
    assert np.abs(face.bicubic.astype(int) - np.asarray(enlarged)).mean() < 8


def test_a_large_photograph_is_shown_reduced_and_none_without_faces(checkpoint_file: Path) -> None:
    up = upscaler_of(checkpoint_file, [])
    view = photo_view(up(noise_picture(2560, 100)), up, "wide")
    assert view.picture.shape == (50, 1280, 3)
    assert (view.faces, list(view.lines)) == ([], ["No face was found in this photograph."])


def test_a_click_finds_the_smallest_face_around_it() -> None:
    none = np.zeros((1, 1, 3), np.uint8)
    faces = [FaceView("", "", "", box, none, none, none, None) for box in ((0, 0, 100, 100), (20, 20, 40, 40))]
    assert [face_at(faces, *place) for place in ((10, 10), (30, 30), (100, 100), (101, 50))] == [0, 1, 0, None]


def test_marks_are_at_their_boxes_and_labels_inside_the_picture() -> None:
    blank = np.zeros((100, 200, 3), np.uint8)
    drawn = marked(blank, [((0, 0, 30, 40), "1", (255, 0, 0)), ((150, 50, 199, 99), "2", (0, 255, 0))])
    red, green = (np.argwhere(drawn[..., at] > 200) for at in (0, 1))
    assert red.min(0).tolist() == [0, 0]
    assert red.max(0).tolist() == [40, 30]
    assert green.max(0).tolist() == [99, 199]
    assert 20 < green.min(0)[0] < 50  # the label lies above
    assert not blank.any()


def test_letters_go_on_after_z() -> None:
    assert [letters(at) for at in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_heatmaps_are_drawn_in_their_colours() -> None:
    maps = np.zeros((4, 32, 32), np.float32)
    maps[3, 16:] = 1  # the chin's
    drawn = with_heatmaps(np.full((128, 128, 3), 100, np.uint8), maps)
    assert drawn[10, 64].tolist() == [100, 100, 100]
    assert drawn[120, 64].argmax() == 2  # blue


def test_an_upload_is_upright_and_its_faults_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, exif = noise_picture(20, 10), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(image))).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_upload(tmp_path / "a.png"), image)
    (tmp_path / "b.jpg").write_text("no picture")
    monkeypatch.setattr(photograph, "MOST_PIXELS", 199)
    for name, reason in (("b.jpg", "not a picture"), ("none.jpg", "cannot be read"), ("a.png", "more than 199 pixels")):
        with pytest.raises(BadFace, match=reason) as error:
            read_upload(tmp_path / name)
        assert error.value.file == name
        assert len(str(error.value).splitlines()) == 1


def test_bicubic_of_a_large_face_is_as_coarse_as_what_the_network_saw(checkpoint_file: Path) -> None:
    up = FaceUpscaler.from_pretrained(checkpoint_file, device="cpu", detector=Found(BOXES[3:4]), any_size=True)
    view = photo_view(up(noise_picture(110, 90)), up, "a")
    spectrum = np.abs(np.fft.fft2(view.faces[0].bicubic[..., 1].astype(float) - 128))
    assert spectrum[32:96, 32:96].mean() < 0.05 * spectrum[1:8, 1:8].mean()
