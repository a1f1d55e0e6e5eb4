import numpy as np
import torch

from src.face.points import COMPONENT_COLOURS, component_colours
from src.report.grid import GAP, HEADER, STRENGTH, face_grid, overlay


def tile(grid: np.ndarray, row: int, column: int) -> np.ndarray:
    left, top = GAP + column * (128 + GAP), HEADER + row * (128 + GAP)
    return grid[top : top + 128, left : left + 128]


def flat(value: float, faces: int = 2, side: int = 128) -> torch.Tensor:
    return torch.full((faces, 3, side, side), value)


def test_columns_stand_in_their_order_and_keep_their_pixels() -> None:
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    grid = face_grid(lr, flat(1.0), {"aligned": flat(-1.0), "SR": flat(0.0)}, {"SR": torch.zeros(2, 4, 64, 64)})
    assert grid.dtype == np.uint8
    assert grid.shape == (HEADER * 2 + 2 * (128 + GAP), GAP + 5 * (128 + GAP), 3)
    for row in range(2):
        levels = ((lr[row].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.uint8)
        # Nearest: each LR pixel is a block of 8x8.
        assert (tile(grid, row, 0) == levels.repeat(8, 0).repeat(8, 1)).all()
        assert (tile(grid, row, 1) == 0).all()
        assert (tile(grid, row, 2) == 128).all()
        assert (tile(grid, row, 4) == 255).all()
    assert (grid[:HEADER].max(axis=(0, 2)) > 200).any()  # there is text


def test_columns_that_are_not_there_leave_no_hole() -> None:
    grid = face_grid(flat(0.0, 1, 16), flat(1.0, 1), {"SR": flat(0.0, 1)})
    assert grid.shape == (HEADER + 128 + GAP, GAP + 3 * (128 + GAP), 3)
    assert (tile(grid, 0, 2) == 255).all()


def test_the_sr_is_clamped_not_wrapped() -> None:
    grid = face_grid(flat(0.0, 1, 16), flat(-1.2, 1), {"SR": flat(1.5, 1)})
    assert (tile(grid, 0, 1) == 255).all()
    assert (tile(grid, 0, 2) == 0).all()


def test_components_have_distinct_colours_on_the_greyed_face() -> None:
    red_face = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 128, 128)
    heatmaps = torch.zeros(1, 4, 64, 64)
    for number in range(4):
        heatmaps[0, number, 16 * number : 16 * number + 8] = 1.0
    out = (overlay(red_face, heatmaps)[0].permute(1, 2, 0) + 1) * 127.5
    grey = out[24, 64]  # between the bands
    assert grey.max() - grey.min() < 1e-3
    assert abs(float(grey[0]) - 0.299 * 255) < 1e-3
    for number, colour in enumerate(component_colours(4)):
        wanted = STRENGTH * torch.tensor(colour, dtype=torch.float32) + (1 - STRENGTH) * grey
        torch.testing.assert_close(out[32 * number + 8, 64], wanted, atol=0.01, rtol=0)
    assert len(set(COMPONENT_COLOURS.values())) == len(COMPONENT_COLOURS)


def test_heatmaps_beyond_0_and_1_stay_in_range_and_68_maps_work() -> None:
    out = overlay(torch.zeros(1, 3, 128, 128), torch.randn(1, 68, 32, 32) * 5)
    assert out.min() >= -1
    assert out.max() <= 1
    assert (
        face_grid(flat(0.0, 1, 16), flat(0.0, 1), {"SR": flat(0.0, 1)}, {"SR": torch.rand(1, 68, 32, 32)}).shape[0]
        == HEADER + 132
    )


def test_methods_may_be_called_like_a_column() -> None:
    lr, hr = flat(0.0, 1, 16), flat(1.0, 1)
    grid = face_grid(lr, hr, {"HR": flat(-1.0, 1), "heatmaps": flat(0.0, 1)}, {"heatmaps": torch.zeros(1, 4, 32, 32)})
    assert grid.shape[1] == GAP + 5 * (128 + GAP)
    assert (tile(grid, 0, 1) == 0).all()
    assert (tile(grid, 0, 4) == 255).all()
