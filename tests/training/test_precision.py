"""What stays in float32 under bf16-mixed."""

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
                    alignment=3.0)  # fmt: skip


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
    assert set(terms) == {"pixel", "feature", "adversarial", "structure", "alignment"}
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
