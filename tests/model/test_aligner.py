import torch

from src.model.aligner import Aligner, AlignerConfig
from src.model.light import LightConfig
from src.model.parameters import parameter_count


def test_it_starts_at_the_identity_in_float32() -> None:
    network = Aligner().eval()
    with torch.autocast("cpu", torch.bfloat16):
        matrix = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert matrix.dtype == torch.float32
    assert torch.allclose(matrix, torch.eye(2, 3).expand(2, 2, 3))


def test_it_sees_a_mirrored_face_as_the_mirrored_transform() -> None:
    torch.manual_seed(0)
    network = Aligner(AlignerConfig(width=8, hidden=16))
    torch.nn.init.normal_(network.head.weight)
    lr = torch.rand(3, 3, 16, 16) * 2 - 1
    signs = torch.tensor([[1.0, -1, -1], [-1, 1, 1]])
    network.eval()
    assert torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-6)
    single = [network(face[None]) for face in lr]
    assert torch.allclose(torch.cat(single), network(lr), atol=1e-5)
    network.train()  # in training it looks once
    assert not torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-2)


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


def test_the_image_cannot_move_the_aligner() -> None:
    network = LightConfig(localisation="aligner", aligner=AlignerConfig(8, 16)).build()
    assert network.stn is not None
    output = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    (output.image.square().mean() + output.heatmaps[-1].square().mean()).backward()
    assert all(parameter.grad is None for parameter in network.stn.parameters())
    assert output.matrix is not None
    output.matrix.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.stn.parameters())
