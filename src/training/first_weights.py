"""The first weights of a run that fine-tunes a trained generator."""

import logging
from typing import Any

from torch import Tensor, nn

from src.model.config import SETTINGS_IN_USE, GeneratorConfig
from src.model.release import load_generator
from src.system.errors import UserError
from src.system.plain import differing, to_plain

log = logging.getLogger(__name__)


def load_weights(generator: nn.Module, config: GeneratorConfig, init: str, fresh: tuple[str, ...] = ()) -> None:
    """Give a new generator the weights of a trained one, the averaged ones where there are any.

    Args:
        generator: of the run, on the CPU.
        config: its configuration.
        init: the checkpoint or the release.
        fresh: parts of either generator, by the names of its modules, whose trained weights are left out: the new one
            keeps its random ones there, or has no such part. With them its settings may differ as well, as long as the
            weights of all other parts fit.

    Raises:
        UserError: there is nothing to load, it is another network, or `fresh` names no part of either.
    """
    trained = load_generator(init)
    values = to_plain(trained.config)
    changed = differing(values, to_plain(config), SETTINGS_IN_USE)
    if changed and not fresh:
        value: Any = values
        for key in changed[0].split("."):
            value = value.get(key) if isinstance(value, dict) else None
        raise UserError(
            f"init={init} is another network: model.generator.{changed[0]} differs, there it is {value}; give the same "
            "model, leave init= out, or name the parts that start afresh in init_fresh="
        )
    there = trained.generator.state_dict()
    _load(generator, there, init, fresh)
    log.info("first weights: %s, %s", init, trained.weights)
    if fresh and changed:
        log.warning("beside what starts afresh, settings differ from %s: %s", init, ", ".join(changed))


def _load(generator: nn.Module, there: dict[str, Tensor], init: str, fresh: tuple[str, ...]) -> None:
    """Load what no fresh part holds, or say what does not fit."""
    here = generator.state_dict()
    for part in fresh:
        if not any(_in(name, part) for name in (*here, *there)):
            parts = ", ".join(dict.fromkeys(_part(name) for name in here))
            raise UserError(f"init_fresh={part} is no part of this generator, which has {parts}")
    new, old = (
        {name: weight for name, weight in weights.items() if not any(_in(name, part) for part in fresh)}
        for weights in (here, there)
    )
    misfit = sorted(
        name for name in {*new, *old} if name not in new or name not in old or new[name].shape != old[name].shape
    )
    if misfit:
        raise UserError(
            f"init={init} is another network: weights do not fit in {', '.join(dict.fromkeys(map(_part, misfit)))}, "
            f"such as {misfit[0]}; name these parts in init_fresh= too, or give the same model"
        )
    generator.load_state_dict({**here, **old})


def _part(name: str) -> str:
    return name.partition(".")[0]


def _in(name: str, part: str) -> bool:
    """Whether a weight belongs to a part: `fuse.weight` to `fuse`, `stem.0.bias` to `stem` and to `stem.0`."""
    return name == part or name.startswith(f"{part}.")
