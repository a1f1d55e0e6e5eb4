"""The first weights of a run that fine-tunes a trained generator."""

import logging
from typing import Any, Final

from torch import nn

from src.model.config import GeneratorConfig
from src.model.release import load_generator
from src.system.errors import UserError
from src.system.plain import to_plain
from src.training.resume import differing

log = logging.getLogger(__name__)

FREE: Final = (
    "heb.gradient",
    "aligner.passes",
    "aligner.dead_band",
    "passes",
    "dead_band",
    "mirror",
    "back_projection",
)
"""Settings of a generator that change neither names nor shapes of its weights: a fine-tuning run may have others."""


def load_weights(generator: nn.Module, config: GeneratorConfig, init: str) -> None:
    """Give a new generator the weights of a trained one, the averaged ones where there are any.

    Args:
        generator: of the run, on the CPU.
        config: its configuration.
        init: the checkpoint or the release.

    Raises:
        UserError: there is nothing to load, or it is another network.
    """
    trained = load_generator(init)
    values = to_plain(trained.config)
    changed = differing(values, to_plain(config), FREE)
    if changed:
        value: Any = values
        for key in changed[0].split("."):
            value = value.get(key) if isinstance(value, dict) else None
        raise UserError(
            f"init={init} is another network: model.generator.{changed[0]} differs, there it is {value}; give the same "
            "model, or leave init= out"
        )
    generator.load_state_dict(trained.generator.state_dict())
    log.info("first weights: %s, %s", init, trained.weights)
