from typing import Any, Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from src.config.compose import compose
from src.image.own_size import as_own_size, with_own_size
from src.image.pixels import enlarged
from src.image.warp import warp
from src.model.hourglass import HEBConfig
from src.model.layers import Modulation, Residual
from src.model.light import LightConfig, LightMTUN
from src.model.parameters import parameter_count
from src.system.errors import UserError
from src.training.config import TrainConfig


def test_the_experiment_keeps_to_its_budget() -> None:
    config = compose("train", TrainConfig, ["experiment=celeba16x_light", "data.train=[a]", "data.val=[a]"])
    network = config.model.generator.build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = network(torch.zeros(1, 3, 16, 16))
    assert parameter_count(network) <= 5e6  # 10 MB in bfloat16
    assert counter.get_total_flops() / 2 <= 0.75e9  # of which the aligner, which looks twice, has 0.08e9
    assert output.image.shape == (1, 3, 128, 128)
    assert [maps.shape for maps in output.heatmaps] == [(1, 4, 32, 32)] * 2


@pytest.mark.parametrize(
    "config",
    [
        LightConfig(heb=HEBConfig(enabled=False, resolution=32, depth=3)),
        LightConfig(localisation="none"),
        LightConfig(guidance="modulate"),
        LightConfig(heb=HEBConfig(resolution=32, stacks=2, width=32, depth=3, gradient=0.0)),
        LightConfig(heb=HEBConfig(resolution=16, stacks=2, width=32, depth=3)),
        LightConfig(heatmaps=5),
        LightConfig(heatmaps=68),
    ],
    ids=["no heatmaps", "no STN", "modulate", "gradient 0", "heatmaps at 16", "5 maps", "68 maps"],
)
def test_its_ablations_train(config: LightConfig) -> None:
    network = LightMTUN(config)
    network(torch.rand(2, 3, 16, 16)).image.square().mean().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    # Heads before the last feed the losses through the next stack.
    assert not idle


def test_it_starts_as_the_upright_enlargement_and_adds_to_it() -> None:
    lr, quarter = torch.rand(1, 3, 16, 16) * 2 - 1, torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    network = LightMTUN(LightConfig(localisation="features16")).eval()
    assert network.stn is not None
    turn = network.stn.register_forward_hook(lambda *_: quarter)
    image = network(lr).image
    turn.remove()
    expected = enlarged(warp(enlarged(lr, 32), quarter), 128)
    assert torch.allclose(image, expected, atol=1e-5)
    assert (image - enlarged(lr, 128)).abs().mean() > 0.1


@pytest.mark.parametrize(("localisation", "learns"), [("features16", True), ("aligner", False)])
def test_the_enlarged_face_has_gradients_only_where_they_teach_the_stn(
    localisation: Literal["features16", "aligner"], learns: bool
) -> None:
    network = small(localisation=localisation).build()  # its tail adds nothing yet: the image is the enlarged face
    output = network(torch.rand(2, 3, 16, 16) * 2 - 1)
    assert output.matrix is not None
    output.matrix.retain_grad()
    enlargements = [node for node in graph(output.image.grad_fn) if "UpsampleBicubic" in node.name()]
    assert bool(enlargements) == learns, "no work for gradients that nobody takes"
    output.image.square().mean().backward()
    gradient = output.matrix.grad
    assert (gradient is not None and gradient.abs().sum() > 0) == learns


def graph(node: torch.autograd.graph.Node | None) -> set[torch.autograd.graph.Node]:
    """A node and all that its gradient flows to."""
    found: set[torch.autograd.graph.Node] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [following for following, _ in node.next_functions]
    return found


def test_a_leaky_last_activation_cannot_die() -> None:
    lr, hr = torch.rand(4, 3, 16, 16) * 2 - 1, torch.rand(4, 3, 128, 128) * 2 - 1
    for leak, learns in ((0.0, False), (0.2, True)):
        network = LightConfig(width=8, width64=8, localisation="none", leak=leak).build()
        residual, last = network.tail[-4], network.tail[-2]
        assert isinstance(residual, Residual)
        torch.nn.init.normal_(last.weight, std=0.1)
        with torch.no_grad():
            residual.branch[-1].bias.sub_(50)  # type: ignore[operator, union-attr]
        (network(lr).image - hr).square().mean().backward()
        assert bool(last.weight.grad.any()) == bool(residual.branch[-1].weight.grad.any()) == learns  # type: ignore[union-attr, operator]


def test_old_files_have_a_relu_and_concatenation_and_new_trainings_do_not() -> None:
    assert (LightConfig().leak, LightConfig().guidance) == (0, "concat")
    config = compose("train", TrainConfig, ["experiment=celeba16x_light", "data.train=[a]", "data.val=[a]"])
    assert isinstance(config.model.generator, LightConfig)
    assert (config.model.generator.leak, config.model.generator.guidance) == (0.2, "modulate")
    with pytest.raises(ValueError, match=r"model\.generator\.leak must be 0 to 1, not -0\.1"):
        LightConfig(leak=-0.1)


@pytest.mark.parametrize("width", [4, 12, 0])
def test_widths_that_heads_cannot_share_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        LightConfig(width=width)


def test_heatmaps_elsewhere_than_16_and_32_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 16 or 32 in the light generator, not 64"):
        LightConfig(heb=HEBConfig(resolution=64))


def test_without_heatmaps_guidance_has_no_effect() -> None:
    bare = HEBConfig(enabled=False, resolution=32, depth=3)
    modulate, concat = (LightConfig(guidance=kind, heb=bare).build().state_dict() for kind in ("modulate", "concat"))
    assert list(modulate) == list(concat)
    assert not [name for name in modulate if name.startswith("fuse")]


def small(**changes: Any) -> LightConfig:
    heb = HEBConfig(**{"resolution": 32, "stacks": 1, "width": 8, "depth": 2, **changes.pop("heb", {})})
    return LightConfig(width=16, width64=8, blocks16=1, blocks32=1, heb=heb, **changes)


@pytest.mark.parametrize("resolution", [16, 32])
@pytest.mark.parametrize("guidance", ["concat", "modulate"])
def test_the_last_heatmaps_guide_the_image(resolution: int, guidance: Literal["concat", "modulate"]) -> None:
    torch.manual_seed(0)
    network = small(guidance=guidance, localisation="none", heb={"resolution": resolution}).build().eval()
    if isinstance(network.fuse, Modulation):
        torch.nn.init.normal_(network.fuse.scale_shift.weight)
    torch.nn.init.normal_(network.tail[-2].weight)  # type: ignore[arg-type] - it is zero at first
    lr = torch.rand(1, 3, 16, 16)
    before = network(lr)
    assert before.heatmaps[-1].shape[-2:] == (resolution, resolution)
    assert network.heb is not None
    with torch.no_grad():
        network.heb.heads[-1].bias += 1.0  # type: ignore[operator]
    assert (network(lr).image - before.image).abs().max() > 1e-4


@pytest.mark.parametrize("resolution", [16, 32])
def test_a_share_of_the_heatmaps_gradient_reaches_the_trunk(resolution: int) -> None:
    def of_trunk(share: float) -> torch.Tensor:
        torch.manual_seed(0)
        network = small(localisation="none", heb={"resolution": resolution, "gradient": share}).build()
        heatmaps = network(torch.rand(2, 3, 16, 16)).heatmaps[-1]
        heatmaps.square().sum().backward()
        assert network.heb is not None
        assert all(weight.grad is not None for weight in network.heb.parameters())
        first = network.trunk.down16[0].weight
        assert isinstance(first, torch.Tensor)
        return torch.zeros(()) if first.grad is None else first.grad

    whole = of_trunk(1.0)
    assert whole.abs().sum() > 0
    assert torch.allclose(of_trunk(0.25), 0.25 * whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))
    assert not of_trunk(0.0).any()


def test_the_image_still_teaches_a_branch_whose_gradient_stops() -> None:
    network = small(heb={"gradient": 0.0}).build()
    torch.nn.init.normal_(network.tail[-2].weight)  # type: ignore[arg-type]
    network(torch.rand(2, 3, 16, 16)).image.square().mean().backward()
    assert network.heb is not None
    weight = network.heb.heads[-1].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_for_many_sizes_it_costs_what_it_does_for_one() -> None:
    words = ["data.train=[a]", "data.val=[a]"]
    small, own = (
        compose("train", TrainConfig, [f"experiment={name}", *words]).model.generator.build().eval()
        for name in ("photo16x", "photo")
    )
    more = (13 - 3) * 9 * 64  # the first convolution of the stem and that of the aligner see 13 channels instead of 3
    assert parameter_count(own) == parameter_count(small) + 2 * more
    assert own.state_dict().keys() == small.state_dict().keys()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = own(torch.zeros(1, 4, 32, 32))
    assert counter.get_total_flops() / 2 <= 0.76e9
    assert output.image.shape == (1, 3, 128, 128)
    assert output.matrix is not None


def test_for_many_sizes_it_starts_as_the_enlargement_of_its_32_pixels() -> None:
    lr = torch.rand(2, 3, 32, 32) * 2 - 1
    network = LightMTUN(LightConfig(lr_side=32, localisation="aligner")).eval()
    image = network(with_own_size(lr, torch.tensor([12, 40]))).image
    assert torch.allclose(image, enlarged(lr, 128), atol=1e-5)


@pytest.mark.parametrize("localisation", ["aligner", "features16"])
def test_the_own_size_reaches_the_transform(localisation: Literal["aligner", "features16"]) -> None:
    network = LightMTUN(LightConfig(lr_side=32, localisation=localisation)).eval()
    torch.nn.init.normal_(network.stn.head.weight)  # type: ignore[union-attr, arg-type]
    lr = (torch.rand(1, 3, 32, 32) * 2 - 1).repeat(3, 1, 1, 1)
    matrix = network(with_own_size(lr, torch.tensor([12, 12, 40]))).matrix
    assert torch.allclose(matrix[0], matrix[1], atol=1e-5)
    assert not torch.allclose(matrix[0], matrix[2], atol=1e-3)


def test_the_map_of_sizes_counts_octaves_from_16() -> None:
    lr = torch.rand(3, 3, 32, 32)
    carried = with_own_size(lr, torch.tensor([8, 16, 64]))
    assert torch.equal(carried[:, :3], lr)
    assert carried[:, 3].flatten(1).unique(dim=1).flatten().tolist() == [-1, 0, 2]
    assert torch.equal(as_own_size(torch.zeros(1, 3, 16, 16))[:, 3], torch.zeros(1, 32, 32))


@pytest.mark.parametrize(("lr_side", "shape"), [(16, (1, 4, 32, 32)), (32, (1, 3, 16, 16)), (32, (1, 3, 32, 32))])
def test_lr_faces_of_another_kind_are_refused(lr_side: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="MTUN-light takes"):
        LightMTUN(LightConfig(lr_side=lr_side))(torch.zeros(shape))


def test_a_generator_and_its_data_agree_on_the_side() -> None:
    words = ["data.train=[a]", "data.val=[a]", "data.own_size=[12,40]", "data.lr_side=32"]
    with pytest.raises(UserError, match=r"MTUN takes LR faces of 16 pixels, and data.lr_side is 32"):
        compose("train", TrainConfig, ["experiment=celeba16x", *words])
    with pytest.raises(ValueError, match="lr_side must be 16 or 32, not 24"):
        LightConfig(lr_side=24)
    config = compose("train", TrainConfig, ["experiment=photo", *words[:2], "data.lr_side=16"])
    assert config.model.generator.build()(torch.zeros(2, 3, 16, 16)).image.shape == (2, 3, 128, 128)
