"""Faces at their own size in the photograph: the draws, and the batch against one face at a time, written plainly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from src.data.batch import HeatmapConfig, Pairs, make_batch
from src.data.camera import CameraConfig, developed
from src.data.config import DataConfig
from src.data.dataset import FaceDataset
from src.data.own_size import OwnFrames, OwnSizes, canvas_side, draw_own_size
from src.data.pairs import MisalignmentConfig, face_random
from src.image.pixels import downsample, to_bytes, to_network
from src.image.warp import compose, invert, warp
from src.store.read import FaceStores
from tests.helpers.tiny_files import write_store

MOVED = MisalignmentConfig(rotation=35, scale_min=0.75, scale_max=1.15, shift=0.1, fill="context")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> FaceStores:
    return FaceStores([write_store(tmp_path_factory.mktemp("own") / "a", 6, margin=80)])


def dataset(
    stores: FaceStores, own_size: OwnSizes | None, camera: CameraConfig | None, moved: MisalignmentConfig = MOVED
) -> FaceDataset:
    return FaceDataset(stores, moved, 1, mirror=True, camera=camera, own_size=own_size)


def pairs_of(faces: FaceDataset, keys: list[tuple[int, int]], lr_side: int = 32) -> Pairs:
    return make_batch(faces.__getitems__(keys), HeatmapConfig(), None, faces.misalignment.fill, lr_side)


def levels(images: Tensor) -> Tensor:
    return (images + 1) * 127.5


def test_sizes_are_whole_and_uniform_in_the_logarithm() -> None:
    sizes = np.array([draw_own_size((12, 40), face_random(1, 0, row)) for row in range(6000)])
    assert set(sizes) == set(range(12, 41))
    for low, high in ((12, 19), (20, 29), (30, 40)):
        share = math.log((high + 0.5) / (low - 0.5)) / math.log(40.5 / 11.5)
        assert np.mean((sizes >= low) & (sizes <= high)) == pytest.approx(share, abs=0.02)


def test_a_face_is_drawn_by_its_seed_epoch_and_row_alone(stores: FaceStores) -> None:
    faces = dataset(stores, (12, 40), CameraConfig())
    keys = [(0, 4), (1, 2), (0, 1), (3, 5)]
    together, batch = pairs_of(faces, keys), faces.__getitems__(keys)
    assert batch.own_size is not None
    assert len(set(batch.own_size.tolist())) > 1
    for place, key in enumerate(keys):
        alone = pairs_of(faces, [key])
        assert faces[key].own_size == batch.own_size[place]
        assert torch.allclose(alone.lr[0], together.lr[place], atol=2.1 / 127.5)  # a sum may round to the next level
        assert (levels(alone.lr) - levels(together.lr[place])).abs().mean() < 0.01


def test_other_draws_are_those_of_any_other_range(stores: FaceStores) -> None:
    plain, small, large = (dataset(stores, size, CameraConfig())[(0, 3)] for size in (None, (12, 12), (24, 40)))
    assert plain.own_size is None
    assert torch.equal(plain.misalignment, large.misalignment)
    assert torch.equal(plain.mirror, large.mirror)
    assert small.camera is not None
    assert large.camera is not None
    for one, two in zip(small.camera[:5], large.camera[:5], strict=True):
        assert torch.equal(one, two)
    assert small.camera.noise.shape == (1, 3, 32, 32)
    assert large.camera.noise.shape == (1, 3, 64, 64)


@pytest.mark.parametrize(("lr_side", "quality", "least"), [(16, 100, 0.6), (32, 100, 0.6), (32, 60, 2.0)])
def test_each_face_is_its_photograph_at_its_own_size(
    stores: FaceStores, lr_side: int, quality: int, least: float
) -> None:
    """One face at a time: every pixel is the mean of 64 samples; then noise, tone and JPEG; then a resized crop."""
    faces = dataset(stores, (12, 40), CameraConfig(blur=0, jpeg_min=quality, jpeg_max=quality))
    keys = [(epoch, row) for epoch in range(4) for row in range(6)]
    batch = faces.__getitems__(keys)
    assert batch.own_size is not None
    assert batch.camera is not None
    box = batch.camera._replace(kernel=torch.full((len(keys),), 2))
    pairs = make_batch(batch._replace(camera=box), HeatmapConfig(), None, "context", lr_side)
    off = []
    for place, size in enumerate(batch.own_size.tolist()):
        down, across = box.offset[place].tolist()
        side = box.noise.shape[-1]
        # The frame of `side` pixels of which the face has `size`: an 8 times finer grid, in the face's coordinates.
        x, y = (torch.linspace(0.5 / 8, side - 0.5 / 8, 8 * side) - start for start in (across, down))
        grid = torch.stack(torch.meshgrid(x * 2 / size - 1, y * 2 / size - 1, indexing="xy"), -1)
        to_face = invert(pairs.matrix[place : place + 1])
        seen = (grid @ to_face[0, :, :2].T + to_face[0, :, 2]) * torch.tensor([128 / 288])
        if batch.mirror[place]:
            seen[..., 0] *= -1
        picture = to_network(batch.images[place : place + 1])
        fine = F.grid_sample(picture, seen[None], padding_mode="border", align_corners=False)
        one = type(box)(*(values[place : place + 1] for values in box))
        photograph = developed(F.avg_pool2d(fine, 8), one) / 127.5 - 1
        crop = photograph[:, :, down : down + size, across : across + size]
        off.append((levels(downsample(crop, lr_side)) - levels(pairs.lr[place : place + 1, :3])).abs())
    # Values that differ by a fraction of a level can fall on the two sides of a step of JPEG.
    means = torch.stack([face.mean() for face in off])
    assert means.max() < least
    assert means.median() < 0.5


def test_without_a_camera_a_face_is_reduced_by_anti_aliased_bicubic(stores: FaceStores) -> None:
    """The photograph is reduced as a whole, here twice the face's side, and the face cut out of it."""
    for size in (8, 12, 22, 32, 64):
        pairs = pairs_of(dataset(stores, (size, size), None), [(0, 1), (0, 2)])
        assert pairs.surroundings is not None
        twice = invert(pairs.matrix) * torch.tensor([2.0, 2.0, 1.0])
        start = size // 2
        own = downsample(pairs.surroundings.sample(twice, 256), 2 * size)[:, :, start:, start:]
        expected = downsample(own[:, :, :size, :size], 32)
        assert (levels(pairs.lr[:, :3]) - levels(expected)).abs().mean() < 0.5, size
        assert torch.allclose(pairs.lr[:, 3], torch.tensor(math.log2(size / 16)))


def test_resampling_is_that_of_a_crop_from_a_file() -> None:
    canvas = torch.rand(5, 3, 80, 80, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sizes = torch.tensor([8, 12, 32, 41, 64])
    frames = OwnFrames(sizes, None)
    frames.offset = torch.tensor([[0, 3], [15, 15], [7, 0], [1, 2], [15, 9]])
    for side in (16, 32):
        found = frames.resampled(canvas, side)
        for place, (size, (down, across)) in enumerate(zip(sizes.tolist(), frames.offset.tolist(), strict=True)):
            crop = canvas[place : place + 1, :, down : down + size, across : across + size]
            assert (levels(downsample(crop, side)) - levels(found[place])).abs().max() < 1.01
            assert (levels(downsample(crop, side)) - levels(found[place])).abs().mean() < 0.01


def test_faces_of_12_pixels_are_anti_aliased() -> None:
    """White noise of 255 levels averages out to 7 levels; picked pixels would keep 50 and more."""
    noise = torch.rand(4, 3, 288, 288, generator=torch.Generator().manual_seed(0)) * 2 - 1
    frames = OwnFrames(torch.full((4,), 12), None)
    to_face = frames.to_face() * (128 / 288)
    small = frames.photographed(warp(to_network(to_bytes(noise)), to_face, outside="border", side=192))
    assert levels(small[:, :, :12, :12]).std() < 10


def test_the_face_lies_in_the_frame_where_its_offset_says() -> None:
    sizes = torch.tensor([12, 16, 33, 40])
    frames = OwnFrames(sizes, None)
    frames.offset = torch.tensor([[0, 0], [15, 3], [7, 12], [15, 15]])
    matrix = frames.to_face()
    blocks = torch.tensor([2, 2, 4, 4]) * 16
    corner = 2 * frames.offset.flip(1) / blocks[:, None] - 1  # the face's upper left corner in the frame, x then y
    assert torch.allclose(matrix[:, :, :2].diagonal(dim1=1, dim2=2) * corner + matrix[:, :, 2], -torch.ones(4, 2))
    assert torch.allclose(matrix[:, 0, 0], blocks / sizes)
    assert torch.equal(compose(invert(matrix), matrix).round(decimals=4), torch.eye(2, 3).expand(4, 2, 3))
    assert [canvas_side(size) for size in (8, 16, 17, 40, 64)] == [32, 32, 48, 64, 80]


@pytest.mark.parametrize(
    ("own_size", "lr_side", "message"),
    [
        ((7, 40), 32, "own_size must be 8-64 pixels and in this order, not 7 and 40"),
        ((12, 65), 32, "not 12 and 65"),
        ((40, 12), 32, "in this order, not 40 and 12"),
        ((12, 40), 24, "lr_side must be 16 or 32, not 24"),
        (None, 32, r"lr_side=32 needs own_size.*own_size=\[12,40\]"),
    ],
)
def test_wrong_sizes_are_refused(own_size: OwnSizes | None, lr_side: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataConfig(train=("a",), val=("a",), own_size=own_size, lr_side=lr_side)
