from typing import Any

import pytest
import torch

from src.data.batch import Pairs
from src.loss.config import (
    AdversarialLossConfig,
    FeatureLossConfig,
    LossConfig,
    StructureLossConfig,
    weight_in_epoch,
)
from src.loss.objective import Objective
from src.loss.terms import component_weights, pixel_loss
from src.model.output import Upscaled

B = 2
HR = torch.zeros(B, 3, 64, 64)
MAPS = torch.zeros(B, 4, 16, 16)
KERNELS = torch.ones(B, 4, dtype=torch.long)
IDENTITY = torch.eye(2, 3).repeat(B, 1, 1)
PAIRS = Pairs(
    lr=torch.zeros(B, 3, 8, 8), hr=HR, matrix=IDENTITY, heatmaps=MAPS, kernels=KERNELS,
    landmarks=torch.zeros(B, 68, 2), visible=torch.ones(B, 68, dtype=torch.bool),
)  # fmt: skip
OUTPUT = Upscaled(torch.full((B, 3, 64, 64), 0.1), [MAPS + 0.5, MAPS], IDENTITY + 0.2)


def total(config: LossConfig, logits: torch.Tensor | None = None, epoch: int = 0) -> tuple[float, dict[str, float]]:
    value, terms = Objective(config)(OUTPUT, PAIRS, logits, epoch)
    return value.item(), {name: term.item() for name, term in terms.items()}


def test_lt_is_the_weighted_sum_of_eq_7_6() -> None:
    config = LossConfig(
        pixel=2.0,
        feature=FeatureLossConfig(weight=0.03, backbone="squeezenet1_0", layer="features.3", weights="random"),
        adversarial=AdversarialLossConfig(weight=0.04),
        structure=StructureLossConfig(weight=0.5),
        alignment=3.0,
        component=1.5,
        coordinates=0.7,
    )
    value, terms = total(config, torch.tensor([1.0, -1.0]))
    weights = {"pixel": 2.0, "feature": 0.03, "adversarial": 0.04, "structure": 0.5, "alignment": 3.0}
    weights["coordinates"] = 0.7
    assert set(terms) == set(weights)
    assert value == pytest.approx(sum(weights[name] * term for name, term in terms.items()), rel=1e-5)


def test_the_pixel_term_takes_the_configured_error() -> None:
    off = {"feature": FeatureLossConfig(weight=0.0), "adversarial": AdversarialLossConfig(weight=0.0)}
    assert total(LossConfig(**off))[1]["pixel"] == pytest.approx(0.01)  # type: ignore[arg-type]
    logarithm = total(LossConfig(pixel_error="log", **off))[1]["pixel"]  # type: ignore[arg-type]
    assert logarithm == pytest.approx(pixel_loss(OUTPUT.image, HR, log=True).item())


def test_components_weigh_more_in_the_logarithm_too() -> None:
    config = LossConfig(
        pixel_error="log",
        component=3.0,
        feature=FeatureLossConfig(weight=0.0),
        adversarial=AdversarialLossConfig(weight=0.0),
    )
    near = OUTPUT._replace(image=torch.nn.functional.pad(OUTPUT.image[..., :8, :8], (0, 56, 0, 56)))
    weights = component_weights(PAIRS.landmarks, PAIRS.visible, 3.0, 64)  # all landmarks lie at 0, 0
    pixel = Objective(config)(near, PAIRS, None)[1]["pixel"]
    assert pixel == pytest.approx(pixel_loss(near.image, HR, weights, log=True).item())
    assert pixel > pixel_loss(near.image, HR, log=True) + 1e-3


def test_terms_of_weight_0_are_not_computed() -> None:
    config = LossConfig(
        feature=FeatureLossConfig(weight=0.0, weights="nowhere.pth"),
        adversarial=AdversarialLossConfig(weight=0.0),
        structure=StructureLossConfig(weight=0.0),
    )
    assert set(total(config, torch.zeros(B))[1]) == {"pixel"}


def test_the_published_adversarial_weight_decays_to_its_floor() -> None:
    config = AdversarialLossConfig(weight=0.01, decay=0.995, floor=0.005)
    assert weight_in_epoch(config, 0) == 0.01
    assert weight_in_epoch(config, 100) == pytest.approx(0.01 * 0.995**100)
    assert weight_in_epoch(config, 1000) == 0.005
    assert weight_in_epoch(AdversarialLossConfig(weight=0.0, decay=0.9, floor=0.005), 3) == 0.0


def test_the_structure_weight_decays_to_its_floor() -> None:
    config = LossConfig(
        feature=FeatureLossConfig(weight=0.0),
        structure=StructureLossConfig(weight=0.032, decay=0.5, floor=0.002),
    )
    for epoch, weight in ((0, 0.032), (1, 0.016), (3, 0.004), (4, 0.002), (9, 0.002)):
        value, terms = total(config, epoch=epoch)
        assert value == pytest.approx(terms["pixel"] + weight * terms["structure"], rel=1e-5)
    always = LossConfig(feature=FeatureLossConfig(weight=0.0), structure=StructureLossConfig(weight=0.032))
    assert total(always, epoch=9) == total(always, epoch=0)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"structure": StructureLossConfig(decay=0.0)}, r"structure.decay must be in \(0, 1\], not 0"),
        ({"adversarial": AdversarialLossConfig(decay=1.5)}, r"adversarial.decay must be in \(0, 1\], not 1.5"),
        ({"component": -1.0}, "component must be 0 or more, not -1"),
        ({"coordinates": -0.5}, "coordinates must be 0 or more, not -0.5"),
        ({"component": 2.0, "pixel": 0.0}, "component=2 weights the pixel term: set pixel above 0"),
    ],
)
def test_weights_out_of_range_are_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LossConfig(**config)


def test_components_weigh_more_where_the_landmarks_of_the_pairs_are() -> None:
    config = LossConfig(feature=FeatureLossConfig(weight=0.0), structure=StructureLossConfig(weight=0.0), component=3.0)
    pairs = PAIRS._replace(landmarks=torch.full((B, 68, 2), 20.0), heatmaps=None, kernels=None)
    image = torch.zeros(2, B, 3, 64, 64)
    image[0, :, :, 18:23, 18:23] = 1.0
    image[1, :, :, 40:45, 40:45] = 1.0
    at, elsewhere = (Objective(config)(Upscaled(one, [], None), pairs, None)[0] for one in image)
    assert 3 < at / elsewhere < 4


def test_the_frozen_network_gets_no_gradient_but_the_image_does() -> None:
    config = LossConfig(feature=FeatureLossConfig(1.0, "squeezenet1_0", "features.3", weights="random"))
    objective = Objective(config)
    image = torch.rand(B, 3, 64, 64, requires_grad=True)
    value, _ = objective(Upscaled(image, [], None), PAIRS, None)
    value.backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in objective.parameters())
