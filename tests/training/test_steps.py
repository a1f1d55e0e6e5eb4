"""D's half of a step for discriminators of other kinds than MTUN's."""

import torch
from torch import nn

from src.model.config import GeneratorConfig
from src.model.discriminator import DiscriminatorConfig
from src.model.light import LightConfig
from src.model.srresnet import SRGANDiscriminatorConfig
from src.training.steps import discriminator_half
from src.training.tuning import made_up_pairs

PLAIN: GeneratorConfig = LightConfig(localisation="none")


def test_reals_and_fakes_are_normalised_apart() -> None:
    """As in U's half, where D sees fakes alone: in one batch, D would tell them by their statistics."""
    torch.manual_seed(0)
    discriminator = SRGANDiscriminatorConfig(widths=(4, 4, 4, 4), hidden=4).build()
    pairs = made_up_pairs(PLAIN, 3, torch.device("cpu"))
    fakes = pairs.hr * 0.1
    loss, _ = discriminator_half(discriminator, pairs, fakes)
    real, fake = discriminator(pairs.hr), discriminator(fakes)
    assert torch.allclose(loss, nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean())


def test_a_third_class_is_learnt_from_crops_that_are_no_faces() -> None:
    torch.manual_seed(0)
    config = DiscriminatorConfig((4, 4, 4, 4), 8, spatial_dropout=0.0, dropout=0.0, not_a_face=True)
    discriminator = config.build()
    pairs = made_up_pairs(PLAIN, 3, torch.device("cpu"), margin=48)
    optimizer = torch.optim.Adam(discriminator.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss, accuracies = discriminator_half(discriminator, pairs, pairs.hr * 0 - 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[0] > 3, "about 3 log 3"
    assert losses[-1] < losses[0] - 1
    assert accuracies.keys() == {"gan/accuracy_real", "gan/accuracy_fake"}
