import pytest
import torch

from src.image.own_size import with_own_size
from src.image.warp import align_small, compose, moved_px
from src.model.aligner import Aligner, AlignerConfig
from src.model.light import LightConfig
from src.model.parameters import parameter_count


def test_it_starts_at_the_identity_in_float32() -> None:
    network = Aligner().eval()
    with torch.autocast("cpu", torch.bfloat16):
        matrix = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert matrix.dtype == torch.float32
    assert torch.allclose(matrix, torch.eye(2, 3).expand(2, 2, 3))


def aligner(passes: int, lr_side: int = 16) -> Aligner:
    torch.manual_seed(0)
    network = Aligner(AlignerConfig(width=8, hidden=16, passes=passes), lr_side)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network


@pytest.mark.parametrize("passes", [1, 2])
def test_it_sees_a_mirrored_face_as_the_mirrored_transform(passes: int) -> None:
    network = aligner(passes)
    lr = torch.rand(3, 3, 16, 16) * 2 - 1
    signs = torch.tensor([[1.0, -1, -1], [-1, 1, 1]])
    network.eval()
    assert torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-6)
    single = [network(face[None]) for face in lr]
    assert torch.allclose(torch.cat(single), network(lr), atol=1e-5)
    network.train()  # in training it does not look into the mirror
    assert not torch.allclose(network(lr.flip(3)), network(lr) * signs, atol=1e-2)


@pytest.fixture(params=[16, 32])
def faces(request: pytest.FixtureRequest) -> torch.Tensor:
    """Five LR faces; those of 32 pixels with sizes of up to 40 pixels beside them."""
    torch.manual_seed(1)
    side = int(request.param)
    lr = torch.rand(5, 3, side, side) * 2 - 1
    return lr if side == 16 else with_own_size(lr, torch.tensor([12, 20, 33, 36, 40]))


def turned(lr: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.cat([align_small(lr[:, :3], matrix), lr[:, 3:]], 1)


def without_batch_statistics(network: Aligner) -> Aligner:
    """In train mode, but with normalisation in eval mode: no face depends on the others of its batch."""
    network.train()
    for part in network.modules():
        part.training = not isinstance(part, torch.nn.BatchNorm2d)
    return network


def test_a_second_pass_sees_the_face_that_the_first_has_turned_upright(faces: torch.Tensor) -> None:
    network = aligner(1, faces.shape[-1]).eval()
    first = network(faces)
    second = compose(first, network(turned(faces, first)))
    network.passes = 2
    assert torch.allclose(network(faces), (first + second) / 2, atol=1e-6)
    assert not torch.allclose(first, second, atol=1e-3)


def test_in_training_every_second_face_gets_two_passes(faces: torch.Tensor) -> None:
    network = without_batch_statistics(aligner(1, faces.shape[-1]))
    first = network(faces)
    second = compose(first, network(turned(faces, first)))
    network.passes = 2
    expected = torch.stack([first[0], second[1], first[2], second[3], first[4]])
    assert torch.allclose(network(faces), expected, atol=1e-5)
    assert torch.allclose(network(faces[:1]), first[:1], atol=1e-5), "a batch of one face"


def test_the_first_of_two_passes_takes_no_gradients(faces: torch.Tensor) -> None:
    network = without_batch_statistics(aligner(1, faces.shape[-1]))
    first = network(faces).detach()
    compose(first, network(turned(faces, first)))[1::2].square().sum().backward()
    alone = network.head.weight.grad
    assert alone is not None
    network.zero_grad()
    network.passes = 2
    network(faces)[1::2].square().sum().backward()
    assert network.head.weight.grad is not None
    assert torch.allclose(network.head.weight.grad, alone, rtol=1e-4)


def test_the_running_statistics_are_those_of_the_passes_that_learn() -> None:
    network = aligner(2).train()
    seen = []
    network.stages[0][0].register_forward_hook(lambda _, __, out: seen.append(out))  # type: ignore[index]
    network(torch.rand(6, 3, 16, 16) * 2 - 1).sum().backward()
    norm = network.stages[0][1]  # type: ignore[index]
    assert [len(out) for out in seen] == [3, 6]
    assert norm.num_batches_tracked == 1
    assert torch.allclose(norm.running_mean, 0.1 * seen[1].mean((0, 2, 3)), atol=1e-6)
    assert all(parameter.grad is not None for parameter in network.parameters())


def moving_by(
    pixels: list[float], dead_band: float, passes: int, in_mirror: list[float] | None = None
) -> tuple[Aligner, torch.Tensor]:
    """An aligner that shifts each of some faces to the right by so many pixels of 128, and these faces.

    Their mirror images say `in_mirror`, if given.
    """
    network = Aligner(AlignerConfig(width=8, hidden=16, passes=passes, dead_band=dead_band)).eval()
    shifts = dict(enumerate(pixels, 1)) | {-n: -shift for n, shift in enumerate(in_mirror or pixels, 1)}

    def estimate(lr: torch.Tensor) -> torch.Tensor:
        seen = [(face[0, 0, 0] - face[0, 0, -1]).item() for face in lr]  # its number; negative in the mirror
        moves = [shifts[round(number)] / 64 for number in seen]
        return torch.tensor([[0, 1, move, 0] for move in moves])

    faces = torch.zeros(len(pixels), 3, 16, 16)
    faces[:, 0, 0, 0] = torch.arange(1, len(pixels) + 1)
    network._estimate = estimate  # type: ignore[method-assign]
    return network, faces


def test_a_face_within_the_dead_band_stays_and_one_beyond_twice_as_far_moves_all_the_way() -> None:
    moves = [9.0, 0.4, 1.99, 2.0, 3.0, 4.0, 5.0]
    for dead_band, expected in ((0.0, moves), (2.0, [9.0, 0, 0, 0, 1.5, 4.0, 5.0])):
        network, faces = moving_by(moves, dead_band, passes=1)
        matrix = network(faces)
        assert torch.allclose(matrix[:, 0, 2] * 64, torch.tensor(expected), atol=1e-4)
        assert torch.equal(matrix[:, :, :2], torch.eye(2).expand(len(moves), 2, 2))
    still = network(faces)[[1, 2]]
    assert torch.equal(still, torch.eye(2, 3).expand(2, 2, 3)), "no pixel is resampled"


def test_a_face_stays_if_it_or_its_mirror_image_is_within_the_dead_band() -> None:
    """Or if their mean is."""
    network, faces = moving_by([0.0, 8.0, 8.0, 8.0, 9.0], 2.0, passes=1, in_mirror=[8.0, -1.9, 3.0, 4.0, -8.0])
    moves = network(faces)[:, 0, 2] * 64
    assert torch.allclose(moves, torch.tensor([0, 0, 0.5 * 5.5, 6, 0]), atol=1e-4)


def test_the_views_of_the_dead_band_are_those_of_the_first_pass() -> None:
    network, faces = moving_by([8.0], 2.0, passes=2, in_mirror=[3.0])
    seen: list[int] = []
    first = network._estimate

    def estimate(lr: torch.Tensor) -> torch.Tensor:
        seen.append(len(lr))
        return first(lr) if len(seen) == 1 else torch.tensor([[0.0, 1, 0, 0]]).repeat(len(lr), 1)

    network._estimate = estimate  # type: ignore[method-assign]
    assert torch.allclose(network(faces)[:, 0, 2] * 64, torch.tensor([0.5 * 5.5]), atol=1e-4)
    assert seen == [2, 2]


@pytest.mark.parametrize("passes", [1, 2])
def test_the_dead_band_holds_for_the_result_of_all_passes_outside_training(passes: int, faces: torch.Tensor) -> None:
    network = aligner(passes, faces.shape[-1]).eval()
    moving = network(faces).detach()
    px = moved_px(moving)
    network.dead_band = float(px.max()) + 0.01
    assert torch.equal(network(faces), torch.eye(2, 3).expand(5, 2, 3))
    network.dead_band = float(px.min()) / 2
    assert torch.equal(network(faces), moving)
    trained = without_batch_statistics(network)
    before = trained(faces)
    trained.dead_band = 127.0
    assert torch.equal(trained(faces), before), "in training every face moves"


def test_the_dead_band_is_less_than_the_face() -> None:
    for wrong in (-0.1, 128.0, float("nan")):
        with pytest.raises(ValueError, match=f"dead_band must be at least 0 and below 128 pixels, not {wrong}"):
            AlignerConfig(dead_band=wrong)


def test_there_are_one_or_two_passes() -> None:
    for passes in (0, 3):
        with pytest.raises(ValueError, match=f"passes must be 1 or 2, not {passes}"):
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
