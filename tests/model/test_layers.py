import torch
from torch import nn

from src.model.layers import Residual


def test_the_residual_block_is_bn_relu_conv3_bn_relu_conv1() -> None:
    kinds = [type(layer) for layer in Residual(8, 8).branch]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d]


def test_the_source_texts_block_narrows_in_its_last_convolution() -> None:
    source, published = Residual(64, 32), Residual(64, 32, hidden=32)
    assert [layer.weight.shape for layer in source.branch if isinstance(layer, nn.Conv2d)] == [
        (64, 64, 3, 3),
        (32, 64, 1, 1),
    ]
    assert [layer.weight.shape for layer in published.branch if isinstance(layer, nn.Conv2d)] == [
        (32, 64, 3, 3),
        (32, 32, 1, 1),
    ]


def test_an_idle_branch_leaves_the_shortcut() -> None:
    block, features = Residual(4, 4).eval(), torch.randn(1, 4, 5, 5)
    last = block.branch[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert torch.equal(block(features), features)
