"""The light generator's back-projection: its SR face, reduced again, is the LR face."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F

from src.config.compose import compose
from src.image.back_projection import back_projected
from src.model.light import LightConfig
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.model.test_activation_checkpointing import LIGHT_TINY

LR = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("localisation", ["aligner", "none"])
def test_it_corrects_the_image_in_eval_mode_alone(localisation: Literal["aligner", "none"], mirror: bool) -> None:
    torch.manual_seed(0)
    config = replace(LIGHT_TINY, localisation=localisation, mirror=mirror)
    plain, network = config.build().eval(), replace(config, back_projection=True).build().eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network.load_state_dict(plain.state_dict())
    seen, alone = network(LR), plain(LR)
    assert torch.equal(seen.image, back_projected(alone.image, LR, alone.matrix))
    assert (seen.image - alone.image).abs().amax() > 0.1
    assert torch.equal(seen.heatmaps[-1], alone.heatmaps[-1])
    if localisation == "none":
        again = F.interpolate(seen.image, (16, 16), mode="bicubic", align_corners=False, antialias=True)
        assert torch.allclose(again, LR, atol=1e-4)
    assert torch.equal(network.train()(LR).image, plain.train()(LR).image)


def test_a_compiled_network_corrects_as_well() -> None:
    torch.manual_seed(0)
    config = replace(LIGHT_TINY, localisation="aligner", back_projection=True)
    plain, compiled = config.build().eval(), config.build().eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    compiled.load_state_dict(plain.state_dict())
    compiled.compile(backend="aot_eager", fullgraph=True)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(compiled(LR).image, plain(LR).image, atol=1e-4, rtol=0)


def test_faces_of_32_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.generator\.back_projection=true needs model\.generator\.lr_side=16"):
        LightConfig(lr_side=32, back_projection=True)


def test_a_camera_is_refused() -> None:
    words = ["experiment=photo16x", "data.train=[a]", "data.val=[a]", "model.generator.back_projection=true"]
    with pytest.raises(UserError, match=r"brings noise and JPEG back: it needs data\.degradation=bicubic"):
        compose("train", TrainConfig, words)
    assert compose("train", TrainConfig, [*words, "data.degradation=bicubic"]).model.generator.aligns
