from pathlib import Path

import numpy as np
import pytest
import torch

from src.config.compose import compose
from src.data.batch import FaceBatch, HeatmapConfig, make_batch
from src.data.camera import CameraConfig
from src.data.config import DataConfig
from src.data.dataset import FaceDataset
from src.data.module import FaceData
from src.data.pairs import VALIDATION_EPOCH, MisalignmentConfig
from src.image.pixels import downsample
from src.store.read import FaceStores
from src.training.config import TrainConfig
from tests.helpers.tiny_files import write_store


@pytest.fixture(scope="module")
def two_stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("two")
    return [write_store(folder / "a", 4, seed=1), write_store(folder / "b", 3, seed=2)]


def dataset(paths: list[Path], mirror: bool = True) -> FaceDataset:
    return FaceDataset(FaceStores(paths), MisalignmentConfig(), seed=3, mirror=mirror)


def test_a_face_is_the_same_in_every_batch(two_stores: list[Path]) -> None:
    faces = dataset(two_stores)
    together = faces[(2, 5)], faces.__getitems__([(2, 1), (2, 5), (2, 0)])
    for alone, batched in zip(*(batch[:5] for batch in together), strict=True):
        assert torch.equal(alone[0], batched[1])


def test_a_validation_face_is_misaligned_alike_in_whatever_company(two_stores: list[Path]) -> None:
    alone = dataset([two_stores[1]], mirror=False)[(VALIDATION_EPOCH, 1)]
    after = dataset(two_stores, mirror=False)[(VALIDATION_EPOCH, 5)]
    assert torch.equal(alone.images, after.images)
    assert torch.equal(alone.misalignment, after.misalignment)
    assert not after.mirror.any()


def test_epochs_differ(two_stores: list[Path]) -> None:
    faces = dataset(two_stores)
    assert not torch.equal(faces[(0, 1)].misalignment, faces[(1, 1)].misalignment)


def test_about_half_of_the_faces_are_mirrored(two_stores: list[Path]) -> None:
    faces = dataset(two_stores)
    flags = np.concatenate([faces.__getitems__([(e, i) for i in range(7)]).mirror.numpy() for e in range(60)])
    assert 0.42 < flags.mean() < 0.58


def test_a_mirrored_pair_is_the_mirrored_face_with_its_heatmaps(two_stores: list[Path]) -> None:
    batch = dataset(two_stores).__getitems__([(0, 0), (0, 1)])
    upright = torch.zeros_like(batch.misalignment)
    upright[:, 1] = 1.0
    plain = make_batch(
        batch._replace(misalignment=upright, mirror=torch.zeros(2, dtype=torch.bool)), HeatmapConfig(), 64
    )
    turned = make_batch(
        batch._replace(misalignment=upright, mirror=torch.ones(2, dtype=torch.bool)), HeatmapConfig(), 64
    )
    assert torch.equal(turned.hr, plain.hr.flip(3))
    assert torch.allclose(turned.lr, plain.lr.flip(3), atol=1e-2)
    assert torch.allclose(turned.heatmaps, plain.heatmaps.flip(3), atol=1e-4)
    assert torch.equal(turned.kernels, plain.kernels)


def test_heatmaps_are_in_the_upright_frame_whatever_the_misalignment(two_stores: list[Path]) -> None:
    batch = dataset(two_stores).__getitems__([(0, 0)])
    turned = batch._replace(misalignment=torch.tensor([[0.5, 0.85, 0.1, 0.1]]))
    assert torch.equal(
        make_batch(batch, HeatmapConfig(), 64).heatmaps, make_batch(turned, HeatmapConfig(), 64).heatmaps
    )


@pytest.mark.parametrize(
    ("rotation", "margins", "said"), [(30.0, (48, 48), 0), (44.0, (64, 48), 1), (44.0, (64, 64), 0)]
)
def test_misalignments_beyond_the_surroundings_are_said_once(
    rotation: float, margins: tuple[int, int], said: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, val = (str(write_store(tmp_path / f"of {n}", 4, margin=margin)) for n, margin in enumerate(margins))
    misalignment = MisalignmentConfig(rotation=rotation, fill="context")
    FaceData(DataConfig([train], [val], batch_size=2, workers=0, misalignment=misalignment), 32, 1).setup("fit")
    assert len(caplog.messages) == said
    if said:
        assert "reach 53 pixels beyond the face" in caplog.messages[0]
        assert "share 48 pixels" in caplog.messages[0]
        assert "crop.margin=56" in caplog.messages[0]


def test_a_share_of_the_faces_is_upright_and_no_other_draw_moves(two_stores: list[Path]) -> None:
    def batches(share: float) -> list[FaceBatch]:
        faces = FaceDataset(
            FaceStores(two_stores), MisalignmentConfig(fill="context"), seed=3, mirror=True, camera=CameraConfig(),
            black_share=0.4, upright_share=share,
        )  # fmt: skip
        return [faces.__getitems__([(epoch, index) for index in range(7)]) for epoch in range(60)]

    upright = []
    for some, none in zip(batches(0.3), batches(0.0), strict=True):
        still = (some.misalignment == torch.tensor([0.0, 1.0, 0.0, 0.0])).all(1)
        upright.append(still)
        assert torch.equal(some.misalignment[~still], none.misalignment[~still])
        assert some.camera is not None
        assert none.camera is not None
        assert all(map(torch.equal, some.camera, none.camera))
        for name in ("images", "mirror", "black"):
            assert torch.equal(getattr(some, name), getattr(none, name)), name
    assert 0.23 < torch.cat(upright).float().mean() < 0.37


def test_an_upright_face_is_that_of_the_protocol_aligned(two_stores: list[Path]) -> None:
    faces = FaceDataset(FaceStores(two_stores), MisalignmentConfig(fill="context"), seed=3, upright_share=1.0)
    pairs = make_batch(faces.__getitems__([(0, index) for index in range(7)]), HeatmapConfig(), None, "context")
    assert torch.equal(pairs.matrix, torch.eye(2, 3).expand(7, 2, 3))
    assert (pairs.lr - downsample(pairs.hr, 16)).abs().max() < 1.01 * 2 / 255, "one grey level, of rounding"


def with_black(two_stores: list[Path], share: float) -> FaceDataset:
    return FaceDataset(
        FaceStores(two_stores), MisalignmentConfig(fill="context"), seed=3, mirror=True, black_share=share
    )


def test_faces_on_black_are_the_published_pairs(two_stores: list[Path]) -> None:
    """The LR face alone lies on black: HR, transform and the surroundings that targets move in stay."""
    keys = [(0, index) for index in range(7)]
    around, black = (make_batch(with_black(two_stores, share).__getitems__(keys), HeatmapConfig(), None, "context")
                     for share in (0.0, 1.0))  # fmt: skip
    published = make_batch(with_black(two_stores, 0.0).__getitems__(keys), HeatmapConfig(), None, "black")
    assert (black.lr - published.lr).abs().max() < 1.01 * 2 / 255, "one grey level: the LR face is rounded to 8 bits"
    assert (black.lr - around.lr).abs().max() > 0.5
    assert torch.equal(black.hr, around.hr)
    assert torch.equal(black.matrix, around.matrix)
    assert black.surroundings is not None
    assert around.surroundings is not None
    assert torch.equal(black.surroundings.pictures, around.surroundings.pictures)


def test_a_share_of_the_faces_lies_on_black_and_no_other_draw_moves(two_stores: list[Path]) -> None:
    keys = [[(epoch, index) for index in range(7)] for epoch in range(60)]
    some, none = ([with_black(two_stores, share).__getitems__(of_epoch) for of_epoch in keys] for share in (0.4, 0.0))
    flags = torch.cat([batch.black for batch in some if batch.black is not None]).float()
    assert len(flags) == 420
    assert 0.33 < flags.mean() < 0.47
    assert all(batch.black is None for batch in none)
    for one, other in zip(some, none, strict=True):
        assert torch.equal(one.misalignment, other.misalignment)
        assert torch.equal(one.mirror, other.mirror)


@pytest.mark.parametrize("key", ["black_share", "upright_share", "blend_share", "stretch"])
def test_training_faces_are_made_otherwise_and_validation_faces_never(tmp_path: Path, key: str) -> None:
    path = str(write_store(tmp_path / "faces", 4))
    words = ["experiment=demo", f"data.train=[{path}]", f"data.val=[{path}]", "data.batch_size=2", "data.workers=0"]
    data = FaceData(compose("train", TrainConfig, [*words, f"data.{key}=0.1"]).data, 32, 1)
    data.setup("fit")
    assert getattr(data.train_faces, key) == 0.1
    assert getattr(data.val_faces, key) == 0
