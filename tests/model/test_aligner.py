import pytest
import torch

from src.image.warp import align_small, compose
from src.model.aligner import Aligner, AlignerConfig
from src.model.light import LightConfig
from src.model.parameters import parameter_count


def test_it_starts_at_the_identity_in_float32() -> None:
    network = Aligner().eval()
    with torch.autocast("cpu", torch.bfloat16):
        matrix = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert matrix.dtype == torch.float32
    assert torch.allclose(matrix, torch.eye(2, 3).expand(2, 2, 3))


def aligner(passes: int) -> Aligner:
    torch.manual_seed(0)
    network = Aligner(AlignerConfig(width=8, hidden=16, passes=passes))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network


@pytest.mark.parametrize("passes", [1, 3])
def test_it_sees_a_mirrored_face_as_the_mirrored_transform(passes: int) -> None:
    network = aligner(passes)
    lr = torch.rand(3, 3, 16, 16) * 2 - 1
    signs = torch.tensor([[1.0, -1, -1], [-1, 1, 1]])
    network.eval()
    assert torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-6)
    single = [network(face[None]) for face in lr]
    assert torch.allclose(torch.cat(single), network(lr), atol=1e-5)
    network.train()  # in training it looks once
    assert not torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-2)


def test_it_looks_again_at_the_face_that_it_has_turned_upright() -> None:
    network = aligner(1).eval()
    lr = torch.rand(4, 3, 16, 16) * 2 - 1
    once = network(lr)
    twice = compose(once, network(align_small(lr, once)))
    thrice = compose(twice, network(align_small(lr, twice)))
    network.passes = 2
    assert torch.allclose(network(lr), twice, atol=1e-6)
    assert not torch.allclose(once, twice, atol=1e-3)
    network.passes = 3
    assert torch.allclose(network(lr), thrice, atol=1e-6)


def test_in_training_the_rows_of_a_batch_differ_in_their_passes() -> None:
    network = aligner(3)
    for part in network.modules():  # so that no row depends on the others
        part.training = not isinstance(part, torch.nn.BatchNorm2d)
    lr = torch.rand(5, 3, 16, 16) * 2 - 1
    matrices = network(lr)
    network.passes = 1
    once = network(lr)
    twice = compose(once, network(align_small(lr, once)))
    thrice = compose(twice, network(align_small(lr, twice)))
    expected = torch.stack([once[0], twice[1], thrice[2], once[3], twice[4]])
    assert torch.allclose(matrices, expected, atol=1e-5)
    network.passes = 3
    assert torch.allclose(network(lr[:1]), once[:1], atol=1e-5), "a batch of one face"


def test_only_the_last_look_of_a_face_takes_gradients() -> None:
    network, lr = aligner(2).eval(), torch.rand(2, 3, 16, 16) * 2 - 1
    network.training = True  # its normalisation stays in eval mode
    once = network._look(lr).detach()
    compose(once[1:], network._look(align_small(lr, once)[1:])).square().sum().backward()
    alone = network.head.weight.grad
    assert alone is not None
    network.zero_grad()
    network(lr)[1:].square().sum().backward()
    assert network.head.weight.grad is not None
    assert torch.allclose(network.head.weight.grad, alone, rtol=1e-4)


def test_it_looks_one_to_four_times() -> None:
    for passes in (0, 5):
        with pytest.raises(ValueError, match=f"passes must be 1-4, not {passes}"):
            AlignerConfig(passes=passes)


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
