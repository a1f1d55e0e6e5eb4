import pytest
import torch

from src.image.warp import similarity_matrix
from src.model.stn import Localisation, SpatialTransformer


@pytest.mark.parametrize(
    ("localisation", "side"), [("source", 64), ("source", 32), ("source", 128), ("published", 64), ("features16", 16)]
)
def test_it_starts_at_the_identity(localisation: Localisation, side: int) -> None:
    matrix = SpatialTransformer(7, localisation)(torch.randn(2, 7, side, side))
    assert torch.equal(matrix, torch.eye(2, 3).expand(2, 2, 3))


def test_the_source_texts_fully_connected_layer_has_80_inputs() -> None:
    network = SpatialTransformer(67, "source")
    assert [layer.weight.shape for layer in network.modules() if isinstance(layer, torch.nn.Linear)] == [
        (20, 80),
        (4, 20),
    ]


def test_it_gives_a_similarity_whatever_its_weights() -> None:
    network = SpatialTransformer(3, "source")
    torch.nn.init.normal_(network.head.weight)
    matrix = network(torch.randn(4, 3, 64, 64))
    assert torch.allclose(matrix[:, 0, 0], matrix[:, 1, 1])
    assert torch.allclose(matrix[:, 0, 1], -matrix[:, 1, 0])


def test_it_keeps_its_precision_under_autocast() -> None:
    network, features = SpatialTransformer(3, "source"), torch.randn(16, 3, 64, 64)
    torch.nn.init.normal_(network.head.weight, std=0.05)
    expected = similarity_matrix(*network.head(network.localisation(features)).unbind(1))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(features), expected)
