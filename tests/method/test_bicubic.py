import torch

from src.data.pairs import make_pair
from src.image.pixels import upsample_bicubic
from src.image.warp import align
from src.method.bicubic import Bicubic, BicubicAligned
from src.method.method import apply


def test_only_the_aligned_row_is_told_the_transform() -> None:
    hr = torch.rand(2, 3, 128, 128) * 2 - 1
    lr, matrix = make_pair(hr, torch.tensor([[0.4, 0.9, 0.05, -0.02], [-0.3, 1.0, 0.0, 0.1]]))
    plain, aligned = apply(Bicubic(), lr, matrix), apply(BicubicAligned(), lr, matrix)
    assert plain.image.equal(upsample_bicubic(lr, 128))
    assert aligned.image.equal(align(upsample_bicubic(lr, 128), matrix))
    assert (plain.heatmaps, plain.matrix) == ([], None)
