"""Blends of training faces."""

import numpy as np
import pytest
import torch

from src.config.compose import compose
from src.data.batch import FaceBatch
from src.data.blend import LEAST, blended, own_weight
from src.data.dataset import FaceDataset
from src.data.pairs import MisalignmentConfig
from src.store.read import FaceStores
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.tiny_files import write_store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> FaceStores:
    path = write_store(tmp_path_factory.mktemp("blend") / "faces", 8, margin=48)
    np.save(path / "visible.npy", np.random.default_rng(1).random((8, 68)) < 0.7)
    return FaceStores([path])


def batches(stores: FaceStores, share: float) -> list[FaceBatch]:
    faces = FaceDataset(
        stores,
        MisalignmentConfig(fill="context"),
        3,
        mirror=True,
        black_share=0.4,
        upright_share=0.4,
        blend_share=share,
    )
    return [faces.__getitems__([(epoch, index) for index in range(8)]) for epoch in range(40)]


def test_each_face_is_averaged_with_the_next_one() -> None:
    images = np.array([0, 100, 200], np.uint8)[:, None, None, None].repeat(3, 3)
    landmarks = np.array([0.0, 8.0, 16.0], np.float32)[:, None, None].repeat(2, 2)
    visible = np.array([[True, False], [True, True], [False, True]])
    before = images.copy(), landmarks.copy(), visible.copy()
    mixed, points, seen = blended(images, landmarks, visible, np.array([0.75, 1.0, 0.5], np.float32))
    assert mixed[:, 0, 0, 0].tolist() == [25, 100, 100], "the last one with the first"
    assert points[:, 0, 0].tolist() == [2.0, 8.0, 8.0]
    assert seen.tolist() == [[True, False], [True, True], [False, False]]
    assert all(map(np.array_equal, (images, landmarks, visible), before)), "the arrays of the stores stay"


def test_a_share_is_blended_upright_or_not_and_no_other_draw_moves(stores: FaceStores) -> None:
    """Were upright faces blended more often than others, a blend would tell the aligner that a face is upright."""
    alike: dict[bool, list[bool]] = {True: [], False: []}
    faint = 0
    for some, none in zip(batches(stores, 0.6), batches(stores, 0.0), strict=True):
        still = (some.misalignment == torch.tensor([0.0, 1.0, 0.0, 0.0])).all(1)
        for place, upright in enumerate(still.tolist()):
            stays = torch.equal(some.landmarks[place], none.landmarks[place])
            same = torch.equal(some.images[place], none.images[place])
            assert same or not stays
            faint += same and not stays
            both = none.visible[place] & none.visible[(place + 1) % 8]
            assert torch.equal(some.visible[place], none.visible[place] if stays else both)
            alike[upright].append(stays)
        for name in ("misalignment", "mirror", "black"):
            assert torch.equal(getattr(some, name), getattr(none, name)), name
    assert faint <= 3, "own weights near 1 change no 8-bit value"
    for kind in alike.values():
        assert len(kind) > 90
        assert 0.28 < np.mean(kind) < 0.52


def test_the_face_itself_weighs_most() -> None:
    random = np.random.default_rng(0)
    weights = np.array([own_weight(0.3, random) for _ in range(2000)])
    assert 0.26 < (weights < 1).mean() < 0.34
    assert weights.min() >= LEAST
    assert abs(weights[weights < 1].mean() - 0.75) < 0.02


@pytest.mark.parametrize("word", ["data.blend_share=1.5", "data.blend_share=-0.1"])
def test_a_share_out_of_range_is_refused(word: str) -> None:
    with pytest.raises(UserError, match=r"blend_share must be 0-1, not (1\.5|-0\.1)"):
        compose("train", TrainConfig, ["experiment=demo", "data.train=[a]", "data.val=[a]", word])
