"""What stays in float32 under bf16-mixed."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from src.image.warp import warp
from src.loss.config import FeatureLossConfig, LossConfig
from src.loss.objective import Objective
from src.loss.terms import discriminator_loss
from src.model.discriminator import DiscriminatorConfig
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.training.tuning import made_up_pairs

TINY = LightConfig(width=8, width64=8, blocks16=1, blocks32=1, heb=HEBConfig(True, 32, 1, 8, 2))
LOSSES = LossConfig(feature=FeatureLossConfig(backbone="squeezenet1_1", layer="features.2", weights="random"),
                    alignment=3.0, component=2.0, coordinates=1.0)  # fmt: skip


def mixed() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def test_the_losses_and_ds_loss_are_float32() -> None:
    torch.manual_seed(0)
    generator, discriminator = TINY.build(), DiscriminatorConfig((4, 4, 4, 4), 8).build()
    pairs = made_up_pairs(TINY, 2, torch.device("cpu"))
    with mixed():
        output = generator(pairs.lr)
        logits = discriminator(output.image)
        assert output.heatmaps[-1].dtype == logits.dtype == torch.bfloat16, "the networks do run in bfloat16"
        assert output.matrix is not None
        assert output.matrix.dtype == torch.float32
        total, terms = Objective(LOSSES)(output, pairs, logits)
        of_d = discriminator_loss(logits, logits)
    assert set(terms) == {"pixel", "feature", "adversarial", "structure", "coordinates", "alignment"}
    assert {name: term.dtype for name, term in terms.items()} == dict.fromkeys(terms, torch.float32)
    assert total.dtype == of_d.dtype == torch.float32
    # A term that were computed in bfloat16 and cast at the end would be a multiple of 1/256 of its size.
    exact = Objective(LossConfig(feature=FeatureLossConfig(weight=0.0)))
    expected = F.mse_loss(output.image.detach().double(), pairs.hr.double())
    with mixed():
        pixel = exact(output, pairs, None)[1]["pixel"].detach()
    assert float(pixel) == pytest.approx(float(expected), rel=1e-6)


def test_the_stns_grid_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    sample = F.grid_sample

    def look(images: Tensor, grid: Tensor, *args: object, **kwargs: object) -> Tensor:
        seen.extend((images, grid))
        return sample(images, grid, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(F, "grid_sample", look)
    features = torch.rand(1, 2, 64, 64)
    shifted = torch.tensor([[[1.0, 0.0, 2 / 64 / 16], [0.0, 1.0, 0.0]]])  # a sixteenth of a pixel
    with mixed():
        moved = warp(features.bfloat16(), shifted)
    assert [tensor.dtype for tensor in seen] == [torch.float32] * 2
    assert moved.dtype == torch.bfloat16
    expected = warp(features.bfloat16().float(), shifted)
    assert torch.equal(moved, expected.bfloat16())


@pytest.mark.parametrize("guidance", ["concat", "modulate"])
@pytest.mark.parametrize(("resolution", "gradient"), [(16, 0.0), (32, 0.5)])
def test_every_form_of_guidance_runs_in_bfloat16(
    guidance: Literal["concat", "modulate"], resolution: int, gradient: float
) -> None:
    config = replace(TINY, guidance=guidance, heb=HEBConfig(True, resolution, 1, 8, 2, gradient))
    generator, pairs = config.build(), made_up_pairs(config, 2, torch.device("cpu"))
    with mixed():
        output = generator(pairs.lr)
        total, _ = Objective(replace(LOSSES, feature=FeatureLossConfig(weight=0.0)))(output, pairs, None)
    assert output.heatmaps[-1].dtype == torch.bfloat16
    total.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in generator.parameters())


def test_every_form_of_guidance_stays_on_its_device() -> None:
    """On the meta device, which computes shapes alone, a tensor of the CPU is an error as it is on a GPU."""
    # Without the STN, as autocast, which it turns off, knows no such device.
    config = replace(TINY, guidance="modulate", heb=HEBConfig(True, 16, 1, 8, 2, 0.5), localisation="none")
    device = torch.device("meta")
    pairs = made_up_pairs(config, 2, device)
    generator = config.build().to(device)
    objective = Objective(replace(LOSSES, feature=FeatureLossConfig(weight=0.0)))
    total, terms = objective(generator(pairs.lr), pairs, None)
    assert {term.device for term in (total, *terms.values())} == {device}
