from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data.batch import HeatmapConfig, make_batch
from src.data.camera import (
    KERNELS,
    CameraConfig,
    CameraDraw,
    draw_camera,
    frame_to_face,
    photograph,
    to_batch,
)
from src.data.dataset import FaceDataset
from src.data.pairs import MisalignmentConfig, face_random, make_pair
from src.image.pixels import downsample, to_bytes
from src.image.surroundings import Surroundings
from src.image.warp import invert
from src.store.read import FaceStores
from tests.helpers.tiny_files import write_store

STILL = CameraConfig(blur=0, noise=0, gamma=1, jpeg_min=100, jpeg_max=100)


def faces(count: int = 4, side: int = 128) -> torch.Tensor:
    coarse = torch.rand(count, 3, side // 10, side // 10, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(-1, 1)


def draws(config: CameraConfig, count: int = 4) -> CameraDraw:
    return to_batch([draw_camera(config, face_random(1, 0, row)) for row in range(count)])


def levels(images: torch.Tensor) -> torch.Tensor:
    return (images + 1) * 127.5


def test_a_perfect_camera_is_bicubic() -> None:
    unaligned = 0.5 * faces()  # no colour that the halved chroma would push out of range
    still = draws(STILL)._replace(kernel=torch.full((4,), KERNELS.index("bicubic")))
    difference = levels(photograph(unaligned, None, still)) - levels(downsample(unaligned, 16))
    # JPEG of quality 100 still rounds, and halves the chroma's resolution.
    luma = (difference * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    assert luma.abs().max() <= 2
    assert luma.abs().mean() < 0.5


def test_kernels_differ_and_keep_the_mean() -> None:
    unaligned = faces(1).repeat(4, 1, 1, 1)
    still = draws(STILL)._replace(kernel=torch.arange(4), offset=torch.zeros(4, 2, dtype=torch.int64))
    reduced = photograph(unaligned, None, still)
    assert all(not torch.equal(reduced[0], other) for other in reduced[1:])
    assert (levels(reduced).mean((1, 2, 3)) - levels(unaligned).mean((1, 2, 3))).abs().max() < 1.5


def test_blur_acts_down_and_across_apart() -> None:
    stripes = torch.ones(1, 3, 128, 128)
    stripes[:, :, :, ::16] = -1
    stripes[:, :, :, 1::16] = -1  # dark lines down, one every second LR pixel
    stripes = stripes.repeat(2, 1, 1, 1)
    still = draws(STILL, 2)._replace(kernel=torch.zeros(2, dtype=torch.int64), blur=torch.tensor([[1.5, 0], [0, 1.5]]))
    down, across = photograph(stripes, None, still).std((1, 2, 3))
    assert down > 3 * across


def test_noise_has_its_size_and_grows_with_the_light() -> None:
    flat = torch.cat([torch.full((20, 3, 128, 128), -0.9), torch.full((20, 3, 128, 128), 0.7)])
    config = replace(STILL, noise=20)
    drawn = draws(config, 40)
    # Noise of one size for all, so that it can be measured.
    drawn = drawn._replace(noise=20 * drawn.noise / drawn.noise.std((1, 2, 3), keepdim=True))
    spread = levels(photograph(flat, None, drawn)).mean(1).std((1, 2))  # of the mean over channels: 1 / sqrt(3)
    dark, light = spread[:20].mean(), spread[20:].mean()
    assert light == pytest.approx(20 * (0.2 + 0.8 * 0.85) ** 0.5 / 3**0.5, rel=0.15)
    assert dark < 0.75 * light


def test_the_tone_curve_is_a_power() -> None:
    flat = torch.zeros(1, 3, 128, 128)
    drawn = draws(STILL, 1)._replace(gamma=torch.tensor([1.2]))
    assert levels(photograph(flat, None, drawn)) == pytest.approx(255 * (127.5 / 255) ** 1.2, abs=1)


def test_blocks_fall_at_the_drawn_offset() -> None:
    """At the lowest quality each block is nearly flat: the edges between blocks show where they lie."""
    ramp = torch.linspace(-0.5, 0.5, 128).expand(1, 3, 128, 128).contiguous()
    for offset in (0, 3, 13):
        drawn = draws(replace(STILL, jpeg_min=1, jpeg_max=1), 1)._replace(offset=torch.tensor([[5, offset]]))
        row = photograph(ramp, None, drawn)[0, 1, 8]
        steps = (row[1:] - row[:-1]).abs()
        edges = {place for place in range(1, 16) if (place + offset) % 8 == 0}
        assert set(steps.topk(len(edges)).indices.add(1).tolist()) == edges


def test_the_frame_around_a_face_lies_where_its_offset_says() -> None:
    """The face sampled out of the frame's place in the picture is the face."""
    pictures = Surroundings(to_bytes(faces(3, 224)), torch.tensor([False, True, False]))
    offset = torch.tensor([[0, 0], [15, 3], [7, 12]])
    upright = invert(torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).repeat(3, 1, 1))
    assert torch.equal(upright[:, 0, 0], torch.ones(3))
    frame = pictures.sample(frame_to_face(offset), 256)  # 8 pixels of HR for one of LR
    hr = pictures.face()
    for face, (down, across) in enumerate(offset.tolist()):
        cut = frame[face, :, 8 * down : 8 * down + 128, 8 * across : 8 * across + 128]
        assert (cut - hr[face]).abs().max() < 1e-4


def test_what_lies_around_the_face_shares_its_blocks() -> None:
    """With the surroundings, blocks at the face's edge hold their pixels, not the replicated border."""
    pictures = Surroundings(to_bytes(faces(4, 224)), torch.zeros(4, dtype=torch.bool))
    drawn = draws(CameraConfig(blur=0, noise=0, gamma=1, jpeg_min=10, jpeg_max=10))
    still = torch.tensor([[0.0, 1.0, 0.0, 0.0]]).repeat(4, 1)
    context, _ = make_pair(pictures.face(), still, "context", pictures, drawn)
    border, _ = make_pair(pictures.face(), still, "border", pictures, drawn)
    assert not torch.equal(context, border)
    assert context.shape == (4, 3, 16, 16)
    assert torch.allclose(levels(context), levels(context).round(), atol=1e-3)


def test_a_face_is_photographed_by_its_seed_epoch_and_row_alone(tmp_path: Path) -> None:
    store = FaceStores([write_store(tmp_path / "a", 4)])
    plain = FaceDataset(store, MisalignmentConfig(), 1, mirror=True)
    camera = FaceDataset(store, MisalignmentConfig(), 1, mirror=True, camera=CameraConfig())
    together, alone = camera.__getitems__([(0, 1), (0, 3)]), camera[(0, 3)]
    assert together.camera is not None
    assert alone.camera is not None
    for batched, single in zip(together.camera, alone.camera, strict=True):
        assert torch.equal(batched[1], single[0])
    other = camera[(1, 3)]
    assert other.camera is not None
    assert not torch.equal(other.camera.noise, alone.camera.noise)
    # Misalignment and mirroring are those of plain bicubic: only the way to 16x16 differs.
    assert torch.equal(plain[(0, 3)].misalignment, alone.misalignment)
    a, b = (make_batch(batch, HeatmapConfig(), None) for batch in (plain[(0, 3)], alone))
    assert torch.equal(a.hr, b.hr)
    assert not torch.equal(a.lr, b.lr)
    assert (a.lr - b.lr).abs().mean() < 0.25


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blur": 2.1}, "blur must be 0-2 pixels"),
        ({"noise": -1}, "noise must be 0-50 grey levels"),
        ({"gamma": 0.5}, "gamma must be 1-3"),
        ({"jpeg_min": 0}, "jpeg_min and jpeg_max must be 1-100"),
        ({"jpeg_min": 90, "jpeg_max": 80}, "in this order, not 90 and 80"),
    ],
)
def test_ranges_are_checked(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CameraConfig(**wrong)  # type: ignore[arg-type]


def test_draws_fill_their_ranges() -> None:
    drawn = draws(CameraConfig(), 500)
    assert set(drawn.kernel.tolist()) == set(range(len(KERNELS)))
    assert drawn.blur.min() < 0.02
    assert 0.58 < drawn.blur.max() <= 0.6
    assert (drawn.quality.min(), drawn.quality.max()) == (60, 98)
    assert set(np.unique(drawn.offset.numpy())) == set(range(16))
    assert 1 / 1.2 <= drawn.gamma.min() < 0.84 < 1.19 < drawn.gamma.max() <= 1.2
