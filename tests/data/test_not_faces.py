from pathlib import Path

import torch

from src.data.batch import HeatmapConfig, Pairs, make_batch
from src.data.dataset import FaceDataset
from src.data.not_faces import not_faces
from src.data.pairs import MisalignmentConfig
from src.store.read import FaceStores
from tests.helpers.tiny_files import write_store


def pairs_with(pictures: torch.Tensor, pairs: Pairs) -> Pairs:
    """The same pairs, of other pictures."""
    assert pairs.surroundings is not None
    surroundings = pairs.surroundings._replace(pictures=pictures)
    return pairs._replace(surroundings=surroundings, hr=surroundings.face())


def test_the_middle_of_the_face_is_in_none_of_them(tmp_path: Path) -> None:
    stores = FaceStores([write_store(tmp_path / "wide", 4)])
    batch = FaceDataset(stores, MisalignmentConfig(), 0).__getitems__([(0, row % 4) for row in range(64)])
    pairs = make_batch(batch, HeatmapConfig(), None)
    marked = torch.zeros(64, 224, 224, 3, dtype=torch.uint8)
    marked[:, 104:120, 104:120] = 255  # a white nose
    torch.manual_seed(0)
    crops = not_faces(pairs_with(marked, pairs))
    assert crops.shape == (64, 3, 128, 128)
    assert (crops > -0.99).flatten(1).any(1).sum() == 0
    marked[:, :, :] = 0
    marked[:, 48:176, 48:176] = 255  # the whole face: most crops see a part of it, none all of it
    seen = ((not_faces(pairs_with(marked, pairs)) + 1) / 2).mean((1, 2, 3))
    assert (seen > 0.05).float().mean() > 0.5
    assert seen.max() < 0.75


def test_without_surroundings_they_are_parts_of_the_face_and_the_draw_is_torchs(tmp_path: Path) -> None:
    stores = FaceStores([write_store(tmp_path / "bare", 2, margin=0)])
    pairs = make_batch(
        FaceDataset(stores, MisalignmentConfig(), 0).__getitems__([(0, 0), (0, 1)]), HeatmapConfig(), None
    )
    assert pairs.surroundings is None
    torch.manual_seed(3)
    first = not_faces(pairs)
    assert first.shape == pairs.hr.shape
    assert not first.equal(not_faces(pairs))
    torch.manual_seed(3)
    assert first.equal(not_faces(pairs))
