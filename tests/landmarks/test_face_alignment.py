import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import face_alignment
import numpy as np
import pytest
import torch
from face_alignment.detection.sfd import sfd_detector
from face_alignment.models import FAN, ResNetDepth
from face_alignment.utils import get_preds_fromhm
from numpy.typing import NDArray
from torch import nn

from src.image.crop import FaceBox
from src.landmarks.config import FaceAlignmentConfig
from src.landmarks.face_alignment import FaceAlignmentLandmarker, read_heatmaps
from src.landmarks.landmarker import Landmarks, Query
from src.landmarks.weights import URLS
from src.system.errors import UserError

# Odd fractions: at a whole number the library's own rounding errors decide which side it falls.
BOXES: tuple[FaceBox, ...] = ((60.31, 40.17, 150.73, 160.91), (-20.13, -30.07, 80.29, 100.41))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for one another on a busy machine cost these tests minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Weights:
    """Random weights: `ours` under true names, `torch_home` under those that the library looks for."""

    ours: Path
    torch_home: Path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("weights")
    hub = folder / "torch" / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    (folder / "ours").mkdir()
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {"2DFAN4": FAN(4), "depth": ResNetDepth(), "s3fd": one_scale_detector()}
    for kind, network in networks.items():
        values: object = network.state_dict()
        if kind == "depth":  # as its file is
            values = {"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}
        path = hub / Path(URLS[kind]).name
        torch.save(values, path)
        digits = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for name in (kind, "3DFAN4") if kind == "2DFAN4" else (kind,):
            (folder / "ours" / f"{name}-{digits}{'.pth' if kind == 's3fd' else '.pth.tar'}").symlink_to(path)
    (hub / Path(URLS["3DFAN4"]).name).symlink_to(hub / Path(URLS["2DFAN4"]).name)
    return Weights(folder / "ours", folder / "torch")


def one_scale_detector() -> nn.Module:
    """An S3FD whose coarsest map alone finds faces, small ones, at every place: 4 in a picture of 40x40."""
    network = sfd_detector.s3fd()
    for name, layer in network.named_children():
        if name.endswith("_conf"):
            layer.weight.data *= 50  # so that the scores differ
            layer.bias.data[:-1], layer.bias.data[-1] = 30.0, -30.0
    network.conv7_2_mbox_conf.bias.data = torch.tensor([0.0, 3.0])
    network.conv7_2_mbox_loc.bias.data = torch.tensor([0.0, 0.0, -10.0, -10.0])
    return network


def landmarker(weights: Weights, **keys: object) -> FaceAlignmentLandmarker:
    values = {"device": "cpu", "precision": "fp32", **keys}
    return FaceAlignmentLandmarker(FaceAlignmentConfig("face_alignment", str(weights.ours), **values))  # type: ignore[arg-type]


def smooth_picture() -> NDArray[np.uint8]:
    coarse = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (1, 3, 20, 26)))
    fine = nn.functional.interpolate(coarse, (200, 260), mode="bicubic").clamp(0, 255)
    return fine[0].permute(1, 2, 0).numpy().round().astype(np.uint8)


PICTURE = smooth_picture()


def theirs(
    weights: Weights,
    monkeypatch: pytest.MonkeyPatch,
    kind: face_alignment.LandmarksType,
    flip: bool,
    boxes: Sequence[FaceBox] = BOXES,
) -> NDArray[np.float32]:
    """The library's own answer, (N, 68, 2 or 3)."""
    monkeypatch.setenv("TORCH_HOME", str(weights.torch_home))
    library = face_alignment.FaceAlignment(kind, device="cpu", flip_input=flip, compile=False)
    return np.stack(library.get_landmarks_from_image(PICTURE, detected_faces=[np.array(box) for box in boxes]))


def as_theirs(faces: list[Landmarks]) -> NDArray[np.float32]:
    """Edge coordinates without the fraction, as the library gives them."""
    return np.trunc(np.stack([face.points for face in faces]) + 0.5)


def test_points_are_the_librarys(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = theirs(weights, monkeypatch, face_alignment.LandmarksType.TWO_D, flip=True)
    (faces,) = landmarker(weights, batch=2).find([Query(PICTURE, BOXES)])
    # Random weights give maps where two peaks may tie within rounding; none does with this seed.
    assert (as_theirs(faces) != expected).mean() < 0.01
    inside = expected > 0
    assert np.abs(np.stack([face.points for face in faces]) - expected)[inside].max() <= 0.501
    assert faces[0].points.dtype == np.float32
    assert faces[0].depth is None


def test_depth_is_the_librarys_turned_round(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = theirs(weights, monkeypatch, face_alignment.LandmarksType.THREE_D, flip=False, boxes=BOXES[:1])
    (faces,) = landmarker(weights, type="3d", flip=False).find([Query(PICTURE, BOXES[:1])])
    assert (as_theirs(faces) != expected[..., :2]).mean() < 0.01
    for face, points in zip(faces, expected, strict=True):
        assert face.depth is not None
        assert face.depth.dtype == np.float32
        assert face.depth.tolist() == pytest.approx((-points[:, 2]).tolist(), abs=1e-4)
        assert np.abs(points[:, 2]).max() > 0.01


def test_batches_change_nothing_and_order_is_kept(weights: Weights) -> None:
    queries = [Query(PICTURE, BOXES[:1]), Query(PICTURE, ()), Query(PICTURE[:150, 50:], (BOXES[0],))]
    backend = landmarker(weights, flip=False, batch=2)
    together = backend.find(queries)
    assert [len(faces) for faces in together] == [1, 0, 1]
    singly = landmarker(weights, flip=False, batch=1).find(queries)
    for one, other in zip(chain(*together), chain(*singly), strict=True):
        assert (np.abs(one.points - other.points) < 1e-3).mean() > 0.97
        assert one.score == pytest.approx(other.score, abs=1e-3)
    again = backend.find(queries)
    assert [face.points.tobytes() for faces in again for face in faces] == [
        face.points.tobytes() for faces in together for face in faces
    ]


def test_half_precision_is_near(weights: Weights) -> None:
    (exact,) = landmarker(weights, flip=False).find([Query(PICTURE, BOXES[:1])])
    (coarse,) = landmarker(weights, flip=False, precision="bf16").find([Query(PICTURE, BOXES[:1])])
    # The maps of random weights are flat, so that some peaks jump; those of real ones are not.
    assert np.median(np.abs(exact[0].points - coarse[0].points)) < 1
    assert coarse[0].score == pytest.approx(exact[0].score, abs=0.02)


def test_found_faces_are_the_detectors_from_left_to_right(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(weights.torch_home))
    picture = PICTURE[:40, :40]
    boxes = sfd_detector.SFDDetector("cpu").detect_from_image(picture)
    assert len(boxes) == 4
    (faces,) = landmarker(weights, flip=False).find([Query(picture)])
    expected = [box[4] for box in sorted(boxes, key=lambda box: (box[0], box[1]))]
    assert expected != sorted(expected, reverse=True)
    assert [face.score for face in faces] == pytest.approx(expected, abs=1e-4)
    # the first alone lies on the picture
    assert [bool(np.isfinite(face.points).all()) for face in faces] == [True, False, False, False]
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert landmarker(weights, threshold=0.9999).find([Query(picture)]) == [[]]
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize("shape", [(7, 5), (1, 3000), (1400, 3)])
def test_pictures_of_any_size_are_looked_at(weights: Weights, shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    assert landmarker(weights, threshold=1.0).find([Query(picture)]) == [[]]


def test_known_boxes_need_no_detector(weights: Weights, tmp_path: Path) -> None:
    fan = next(weights.ours.glob("2DFAN4-*"))
    (tmp_path / fan.name).symlink_to(fan)
    backend = landmarker(Weights(tmp_path, weights.torch_home), flip=False)
    assert backend.settings["landmarks.detector"] is None
    assert len(backend.find([Query(PICTURE, BOXES[:1])])[0]) == 1
    with pytest.raises(UserError, match=r"holds no s3fd-\*\.pth\*: put s3fd-619a316812\.pth there"):
        backend.find([Query(PICTURE)])


def test_missing_weights_are_told_before_the_work(weights: Weights, tmp_path: Path) -> None:
    fan = next(weights.ours.glob("3DFAN4-*"))
    (tmp_path / fan.name).symlink_to(fan)
    with pytest.raises(UserError, match=r"holds no depth-\*\.pth\*"):
        landmarker(Weights(tmp_path, weights.torch_home), type="3d")


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 9), (0, 0, np.nan, 9), (0, 0, 1e7, 1e7), (900, 900, 960, 960), (10, 10, 10.5, 10.5)]
)
def test_a_box_round_nothing(weights: Weights, box: FaceBox) -> None:
    (faces,) = landmarker(weights, type="3d").find([Query(PICTURE, (box,))])
    assert np.isnan(faces[0].points).all()
    assert faces[0].depth is not None
    assert np.isnan(faces[0].depth).all()
    assert (faces[0].points.shape, faces[0].depth.shape, faces[0].score) == ((68, 2), (68,), 0.0)


def test_heatmaps_are_read_as_the_library_does() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 68, 64, 64)).astype(np.float32)
    maps[0, 0, 0, 5] = maps[0, 1, 63, 63] = maps[0, 2, 30, 0] = 99  # no neighbours to lean to
    maps[0, 3, 20, 30] = maps[0, 3, 40, 50] = 99  # a tie: the first
    maps[0, 4, 20, 30], maps[0, 4, 20, 29], maps[0, 4, 20, 31] = 99, 5, 5  # no slope
    expected, _, heights = get_preds_fromhm(maps.copy(), np.zeros(2), 1.0)
    positions, peaks = read_heatmaps(maps)
    assert np.array_equal(positions, expected)
    assert np.array_equal(peaks, heights)
    assert positions[0, 0].tolist() == [5.5, 0.5]


def test_nan_is_handed_on() -> None:
    maps = np.zeros((1, 68, 64, 64), np.float32)
    maps[0, 7, 3, 3] = np.nan
    positions, peaks = read_heatmaps(maps)
    assert np.flatnonzero(np.isnan(positions[0]).any(1)).tolist() == [7]
    assert np.isnan(peaks[0, 7])


def test_settings(weights: Weights) -> None:
    first = landmarker(weights).settings
    assert first["landmarks"] == "face_alignment"
    assert first["landmarks.precision"] == "fp32"
    assert str(first["landmarks.network"]).startswith(next(weights.ours.glob("2DFAN4-*")).name[7:17])
    assert first["landmarks.detector"] == next(weights.ours.glob("s3fd-*")).name
    assert landmarker(weights, precision="auto").settings["landmarks.precision"] in ("fp32", "bf16")
    for keys in ({"type": "3d"}, {"flip": False}, {"precision": "bf16"}, {"threshold": 0.6}):
        assert landmarker(weights, **keys).settings != first
    auto = FaceAlignmentLandmarker(FaceAlignmentConfig("auto", str(weights.ours), device="cpu", precision="fp32"))
    assert auto.settings == first
    assert str(weights.ours) not in str(first)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_told(weights: Weights) -> None:
    with pytest.raises(UserError, match=r"landmarks\.device=cuda: torch sees no GPU here; use landmarks\.device=cpu"):
        landmarker(weights, device="cuda")


def test_addresses_are_the_librarys() -> None:
    library = {**face_alignment.api.models_urls, **sfd_detector.models_urls}
    names = {"2DFAN4": "2DFAN-4", "3DFAN4": "3DFAN-4"}
    assert {kind: library[names.get(kind, kind)] for kind in URLS} == URLS
