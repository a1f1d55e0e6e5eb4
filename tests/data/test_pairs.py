import math

import numpy as np
import pytest
import torch
from PIL import Image

from src.data.pairs import MisalignmentConfig, draw_misalignment, face_random, make_pair, misalign
from src.image.pixels import downsample, to_bytes, to_network
from src.image.surroundings import Surroundings
from src.image.warp import align, invert, similarity_matrix


def smooth_picture(seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (128, 128), mode="bicubic", antialias=False).clamp(-1, 1)


def test_draws_stay_in_their_ranges_and_fill_them() -> None:
    config = MisalignmentConfig()
    draws = np.stack([draw_misalignment(config, face_random(1, 0, row)) for row in range(4000)])
    low, high = draws.min(0), draws.max(0)
    assert np.allclose(np.degrees([low[0], high[0]]), [-30, 30], atol=0.5)
    assert np.allclose([low[1], high[1]], [0.85, 1.0], atol=0.01)
    assert np.allclose([low[2:], high[2:]], [[-0.1, -0.1], [0.1, 0.1]], atol=0.002)  # 5 % of a side that is 2 long


def test_a_face_is_misaligned_by_its_seed_epoch_and_row_alone() -> None:
    config = MisalignmentConfig()
    draws = {
        key: tuple(draw_misalignment(config, face_random(*key))) for key in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    }
    assert len(set(draws.values())) == 4
    assert draws[1, 0, 0] == tuple(draw_misalignment(config, face_random(1, 0, 0)))


def test_the_known_transform_brings_the_face_back_upright() -> None:
    hr = smooth_picture()
    matrix = similarity_matrix(*(torch.tensor([v]) for v in (0.4, 0.9, 0.05, -0.08)))
    back = align(misalign(hr, matrix), matrix)
    middle = (slice(None), slice(None), slice(40, 88), slice(40, 88))
    assert (back[middle] - hr[middle]).abs().mean() < 0.01
    assert (misalign(hr, matrix)[middle] - hr[middle]).abs().mean() > 0.1


def test_what_the_known_transform_aligns_is_off_by_less_than_a_twentieth_of_a_pixel() -> None:
    """Soft dots at twelve places, misaligned by the protocol's draws: their centres of mass come back."""
    grid = torch.arange(128.0)
    places = torch.tensor([(x, y) for x in (40.3, 63.5, 88.1) for y in (38.9, 57.2, 75.0, 90.6)])
    dots = torch.exp(-((grid - places[:, :1])[:, None] ** 2 + (grid - places[:, 1:])[:, :, None] ** 2) / (2 * 4.0**2))
    hr = (2 * dots - 1)[:, None].expand(-1, 3, -1, -1)
    drawn = torch.from_numpy(
        np.stack([draw_misalignment(MisalignmentConfig(), face_random(0, -1, row)) for row in range(12)])
    )
    matrix = similarity_matrix(*drawn.unbind(1))
    back = (align(misalign(hr, matrix), matrix)[:, 0] + 1) / 2
    mass = back.sum((1, 2))
    found = torch.stack([(back.sum(1) * grid).sum(1), (back.sum(2) * grid).sum(1)], 1) / mass[:, None]
    assert (found - places).norm(dim=1).max() < 0.05
    wrong = (misalign(hr, matrix)[:, 0] + 1) / 2
    away = torch.stack([(wrong.sum(1) * grid).sum(1), (wrong.sum(2) * grid).sum(1)], 1) / wrong.sum((1, 2))[:, None]
    assert (away - places).norm(dim=1).mean() > 5


def test_a_dot_lands_where_the_matrix_sends_it() -> None:
    hr = torch.full((1, 3, 128, 128), -1.0)
    hr[:, :, 60:64, 96:100] = 1.0  # centre (97.5, 61.5)
    matrix = similarity_matrix(*(torch.tensor([v]) for v in (math.radians(30), 0.85, 0.1, 0.0)))
    spot = (misalign(hr, matrix)[0, 0] + 1) / 2
    grid = torch.arange(128.0)
    found = torch.stack([(spot.sum(0) * grid).sum(), (spot.sum(1) * grid).sum()]) / spot.sum()
    start = (torch.tensor([97.5, 61.5]) + 0.5) / 64 - 1
    expected = ((matrix[0] @ torch.cat([start, torch.ones(1)])) + 1) * 64 - 0.5
    assert torch.allclose(found, expected, atol=0.2)
    assert found[1] > 61.5  # a positive angle turns the right-hand side down


def test_empty_corners_are_black() -> None:
    lr, _ = make_pair(torch.ones(1, 3, 128, 128), torch.tensor([[math.radians(30), 0.85, 0.0, 0.0]]))
    assert torch.all(lr[:, :, 0, 0] == -1)
    assert torch.all(lr[:, :, 7:9, 7:9] == 1)


def test_black_pairs_are_the_published_protocol_to_the_bit() -> None:
    """Whole crops are turned, with zeros outside shifted to black, then reduced; surroundings change nothing."""
    pictures = torch.nn.functional.interpolate(smooth_picture(3), (224, 224)).repeat(2, 1, 1, 1)
    pictures = to_network(to_bytes(pictures))
    wide = Surroundings(to_bytes(pictures), torch.tensor([False, True]))
    hr = torch.stack([pictures[0, :, 48:-48, 48:-48], pictures[1, :, 48:-48, 48:-48].flip(2)])
    assert torch.equal(wide.face(), hr)
    drawn = torch.tensor([[0.5, 0.86, 0.05, -0.08], [-0.3, 1.0, 0.1, 0.0]])
    lr, matrix = make_pair(wide.face(), drawn, "black", wide)
    grid = torch.nn.functional.affine_grid(invert(matrix), [2, 3, 128, 128], align_corners=False)
    turned = torch.nn.functional.grid_sample(hr + 1, grid, align_corners=False) - 1
    assert torch.equal(lr, downsample(turned, 16))


def test_context_is_one_resampling_within_a_level_of_doing_it_in_two() -> None:
    noise = torch.rand(8, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wide = Surroundings(to_bytes(noise), torch.zeros(8, dtype=torch.bool))
    drawn = torch.from_numpy(
        np.stack([draw_misalignment(MisalignmentConfig(), face_random(0, 0, n)) for n in range(8)])
    )
    lr, matrix = make_pair(wide.face(), drawn, "context", wide)
    turned = to_network(to_bytes(wide.sample(invert(matrix))))  # a picture of its own, rounded to 8 bits
    assert ((lr - downsample(turned, 16)) * 127.5).abs().max() <= 1.001
    assert lr.std() < 0.2 * noise.std()  # anti-aliased: noise averages out


def test_the_reduction_is_pillows_bicubic() -> None:
    # Without anti-aliasing it is up to 132 levels off.
    picture = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    ours = to_bytes(downsample(to_network(torch.from_numpy(picture)[None]), 16))[0].numpy()
    pillow = np.asarray(Image.fromarray(picture).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.abs(ours.astype(int) - pillow).max() <= 1


def test_the_lr_face_has_8_bit_levels() -> None:
    lr, _ = make_pair(smooth_picture(), torch.tensor([[0.2, 0.9, 0.0, 0.0]]))
    levels = (lr + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)


def test_bytes_survive_the_way_to_the_network_and_back() -> None:
    picture = torch.arange(256, dtype=torch.uint8).repeat(3, 1).T.reshape(1, 16, 16, 3)
    assert torch.equal(to_bytes(to_network(picture)), picture)


@pytest.mark.parametrize("bad", [{"scale_min": 1.2}, {"scale_min": 0.0}, {"rotation": 200.0}, {"shift": 0.6}])
def test_impossible_ranges_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        MisalignmentConfig(**bad)
