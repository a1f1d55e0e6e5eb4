import torch

from src.model.trunk import Trunk


def test_the_trunk_knows_where_a_pixel_lies() -> None:
    """Away from the edges, a uniform face gives the same everywhere without the maps of positions, not with them."""
    features = torch.ones(1, 140, 16, 16)
    for positions, differs in ((0, False), (16, True)):
        trunk = Trunk(140, 128, (2, 0, 0), positions, attention=True).eval()
        torch.nn.init.zeros_(trunk.to16[0].weight)  # type: ignore[arg-type] - deeper levels see the edges
        torch.nn.init.zeros_(trunk.to16[0].bias)  # type: ignore[arg-type]
        middle = trunk(features)[:, :, 6:10, 6:10]
        assert (bool((middle - middle[:, :, :1, :1]).abs().max() > 1e-4)) == differs
