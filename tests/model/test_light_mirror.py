"""The light generator's mean over a face and its mirror image."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from src.face.points import MIRROR
from src.image.own_size import with_own_size
from src.model.aligner import AlignerConfig
from src.model.light import LightConfig, LightMTUN
from tests.model.test_activation_checkpointing import LIGHT_TINY


@pytest.mark.parametrize("lr_side", [16, 32])
@pytest.mark.parametrize("maps", [4, 68])
@pytest.mark.parametrize("localisation", ["aligner", "none"])
def test_a_face_and_its_mirror_image_have_mirrored_results(
    localisation: Literal["aligner", "none"], maps: int, lr_side: int
) -> None:
    torch.manual_seed(0)
    aligner = AlignerConfig(width=8, hidden=16, passes=2)
    config = LightConfig(width=8, heatmaps=maps, lr_side=lr_side, localisation=localisation, aligner=aligner)
    plain = LightMTUN(config)
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network = LightMTUN(replace(config, mirror=True))
    network.load_state_dict(plain.state_dict())
    lr = torch.rand(2, 3, lr_side, lr_side) * 2 - 1
    if lr_side == 32:
        lr = with_own_size(lr, torch.tensor([12, 33]))
    seen, alone, twin = network.eval()(lr), plain.eval()(lr), plain(lr.flip(3))
    assert torch.allclose(seen.image, (alone.image + twin.image.flip(3)) / 2, atol=1e-4)
    assert not torch.allclose(seen.image, alone.image, atol=1e-2)
    other = network(lr.flip(3))
    assert torch.allclose(other.image.flip(3), seen.image, atol=1e-4)
    order = torch.as_tensor(MIRROR) if maps == 68 else torch.arange(maps)
    for here, there in zip(seen.heatmaps, other.heatmaps, strict=True):
        assert torch.allclose(there[:, order].flip(3), here, atol=1e-4)
    if alone.matrix is not None:
        assert torch.equal(seen.matrix, alone.matrix)
        assert (alone.matrix - torch.eye(2, 3)).abs().amax() > 0.1
    network.train()
    plain.train()
    assert torch.equal(network(lr).image, plain(lr).image)


def test_the_mirror_needs_a_transform_that_is_mirrored_too() -> None:
    with pytest.raises(ValueError, match=r"model\.generator\.mirror=true needs model\.generator\.localisation=aligner"):
        LightConfig(localisation="features16", mirror=True)


@pytest.mark.parametrize("maps", [4, 68])
def test_a_compiled_network_looks_into_the_mirror_in_inference_mode(maps: int) -> None:
    torch.manual_seed(0)
    config = replace(LIGHT_TINY, heatmaps=maps, localisation="aligner", mirror=True)
    plain, compiled = config.build().eval(), config.build().eval()
    compiled.load_state_dict(plain.state_dict())
    compiled.compile(backend="aot_eager", fullgraph=True)
    lr = torch.rand(2, 3, 16, 16) * 2 - 1
    for mode in (torch.no_grad, torch.inference_mode):  # validation in a training, then that at its end
        with mode():
            torch.testing.assert_close(compiled(lr).heatmaps, plain(lr).heatmaps)
            torch.testing.assert_close(compiled(lr).image, plain(lr).image)
