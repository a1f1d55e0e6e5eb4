import torch

from src.model.aligner import Aligner
from src.model.light import LightConfig
from src.model.parameters import parameter_count


def test_it_starts_at_the_identity_in_float32() -> None:
    network = Aligner().eval()
    with torch.autocast("cpu", torch.bfloat16):
        matrix = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert matrix.dtype == torch.float32
    assert torch.allclose(matrix, torch.eye(2, 3).expand(2, 2, 3))


def test_the_light_generator_takes_it_as_its_stn() -> None:
    config = LightConfig(localisation="aligner")
    network = config.build().eval()
    assert config.aligns_alone
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    output = network(lr)
    assert output.matrix is not None
    assert network.stn is not None
    assert output.matrix.equal(network.stn(lr))
    others, stn = config.parameter_groups(network)
    assert len(others) + len(stn) == len(list(network.parameters()))
    assert parameter_count(network.stn) == sum(weight.numel() for weight in stn)
