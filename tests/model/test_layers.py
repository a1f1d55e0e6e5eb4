import torch
from torch import nn

from src.model.layers import Modulation, Residual, scaled_gradient


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


def test_modulation_starts_as_the_identity_and_learns_to_scale_and_to_shift() -> None:
    torch.manual_seed(0)
    layer, features, maps = Modulation(4, 8), torch.randn(2, 8, 6, 6), torch.rand(2, 4, 6, 6)
    assert torch.equal(layer(features, maps), features)
    layer(features, maps).square().mean().backward()
    grad = layer.scale_shift.weight.grad
    assert grad is not None
    assert all(part.abs().sum() > 0 for part in grad.chunk(2))
    assert layer.scale_shift.bias is not None
    nn.init.constant_(layer.scale_shift.bias[:8], 2.0)
    nn.init.constant_(layer.scale_shift.bias[8:], 0.5)
    assert torch.allclose(layer(features, maps), 3 * features + 0.5, atol=1e-6)


def test_modulation_costs_no_more_than_a_convolution_of_features_and_heatmaps() -> None:
    for maps in (4, 5, 68):
        fuse = nn.Conv2d(64 + maps, 64, 3)
        assert sum(w.numel() for w in Modulation(maps, 64).parameters()) <= sum(w.numel() for w in fuse.parameters())


def test_a_share_of_the_gradient_flows_back_and_the_values_stay() -> None:
    for share in (0.0, 0.3, 0.7, 1.0):
        features = torch.randn(100, requires_grad=True)
        scaled = scaled_gradient(features, share)
        assert torch.equal(scaled, features)
        assert scaled.requires_grad == (share > 0)
        if share:
            scaled.sum().backward()
            assert features.grad is not None
            assert torch.allclose(features.grad, torch.full((100,), share))
