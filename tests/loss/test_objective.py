import pytest
import torch

from src.data.batch import Pairs
from src.loss.config import AdversarialLossConfig, FeatureLossConfig, LossConfig, StructureLossConfig
from src.loss.objective import Objective, adversarial_weight
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
    )
    value, terms = total(config, torch.tensor([1.0, -1.0]))
    weights = {"pixel": 2.0, "feature": 0.03, "adversarial": 0.04, "structure": 0.5, "alignment": 3.0}
    assert set(terms) == set(weights)
    assert value == pytest.approx(sum(weights[name] * term for name, term in terms.items()), rel=1e-5)


def test_terms_of_weight_0_are_not_computed() -> None:
    config = LossConfig(
        feature=FeatureLossConfig(weight=0.0, weights="nowhere.pth"),
        adversarial=AdversarialLossConfig(weight=0.0),
        structure=StructureLossConfig(weight=0.0),
    )
    assert set(total(config, torch.zeros(B))[1]) == {"pixel"}


def test_the_published_adversarial_weight_decays_to_its_floor() -> None:
    config = AdversarialLossConfig(weight=0.01, decay=0.995, floor=0.005)
    assert adversarial_weight(config, 0) == 0.01
    assert adversarial_weight(config, 100) == pytest.approx(0.01 * 0.995**100)
    assert adversarial_weight(config, 1000) == 0.005
    assert adversarial_weight(AdversarialLossConfig(weight=0.0, floor=0.005), 3) == 0.0


def test_the_frozen_network_gets_no_gradient_but_the_image_does() -> None:
    config = LossConfig(feature=FeatureLossConfig(1.0, "squeezenet1_0", "features.3", weights="random"))
    objective = Objective(config)
    image = torch.rand(B, 3, 64, 64, requires_grad=True)
    value, _ = objective(Upscaled(image, [], None), PAIRS, None)
    value.backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in objective.parameters())
