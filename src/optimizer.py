"""Optimisers and the learning rate's schedule; `conf/optimizer` mirrors this file."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate as a factor of its base value: warm-up x epoch decay x cool-down."""

    epoch_decay: float = 0.99
    """Factor after each epoch, 0-1; 0.99 in the source text."""
    floor: float = 0.0
    """The decayed rate never falls below this share of the base rate, 0-1; 0.001 in the published code."""
    warmup: tuple[tuple[int, float], ...] = ()
    """Pairs (updates, divisor), one after the other: [[50, 50], [50, 5]] is 50 updates at lr/50, then 50 at lr/5."""
    cooldown: float = 0.0
    """Last share of the run (by epochs or time, whichever ends it) over which the rate falls linearly to 0, 0-1."""

    def __post_init__(self) -> None:
        if not (0 < self.epoch_decay <= 1 and 0 <= self.floor <= 1 and 0 <= self.cooldown <= 1):
            raise ValueError("schedule: epoch_decay must be in (0, 1], floor and cooldown in [0, 1]")
        if any(updates < 0 or divisor <= 0 for updates, divisor in self.warmup):
            raise ValueError("schedule.warmup: in a pair [updates, divisor] updates must be 0 or more, divisor above 0")


@dataclass(frozen=True)
class ClipConfig:
    """The largest Euclidean norm of a network's gradients; longer ones are scaled down to it."""

    generator: float | None = None
    """U's, above 0; null: no limit."""
    discriminator: float | None = None
    """D's, above 0; null: no limit."""

    def __post_init__(self) -> None:
        for name in ("generator", "discriminator"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"clip.{name} must be above 0, or null for no limit, not {value}")


def lr_factor(schedule: ScheduleConfig, update: int, epoch: int, progress: float) -> float:
    """The factor of the learning rate: it depends only on the run's progress, so a resumed run continues it exactly.

    Args:
        schedule: the schedule.
        update: updates done so far, 0 at the first.
        epoch: epochs done so far.
        progress: share of the run that is over, 0-1.
    """
    factor = max(schedule.epoch_decay**epoch, schedule.floor)
    if schedule.cooldown > 0:
        factor *= min(1.0, max(0.0, (1 - progress) / schedule.cooldown))
    for updates, divisor in schedule.warmup:
        if update < updates:
            return factor / divisor
        update -= updates
    return factor


def _check_rates(lr: float, discriminator_lr: float | None, localisation: float, *smoothing: float) -> None:
    if not 0 < localisation <= 1:
        raise ValueError(f"localisation must be above 0 and at most 1, not {localisation}")
    if lr < 0 or (discriminator_lr is not None and discriminator_lr < 0):
        raise ValueError("lr and discriminator_lr must be 0 or more")
    if not all(0 <= value < 1 for value in smoothing):
        raise ValueError(f"smoothing constants must be in [0, 1), not {smoothing}")


@dataclass(frozen=True)
class RMSpropConfig:
    """RMSprop of the source text."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: float = 1e-3
    """Base learning rate, 0 or more."""
    discriminator_lr: float | None = None
    """The discriminator's rate, 0 or more; null: lr."""
    localisation: float = 1.0
    """The rate of the STN's localisation net, as a share of lr, above 0 and at most 1."""
    # Our choice: the text's "decay rate 0.01" as the smoothing constant would keep 1 % of the past squared gradients,
    # and RMSprop would not work; with 1 - 0.01 it does.
    alpha: float = 0.99
    """Smoothing of the squared gradient, 0-1; 0.9 in the published code."""
    eps: float = 1e-8
    clip: ClipConfig = field(default_factory=ClipConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.discriminator_lr, self.localisation, self.alpha)


@dataclass(frozen=True)
class AdamConfig:
    """Adam, for short trainings."""

    name: Literal["adam"] = "adam"
    lr: float = 1e-3
    """Base learning rate, 0 or more."""
    discriminator_lr: float | None = None
    """The discriminator's rate, 0 or more; null: lr."""
    localisation: float = 1.0
    """The rate of the STN's localisation net, as a share of lr, above 0 and at most 1."""
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip: ClipConfig = field(default_factory=ClipConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        _check_rates(self.lr, self.discriminator_lr, self.localisation, *self.betas)


OptimizerConfig = RMSpropConfig | AdamConfig


def base_lr(config: OptimizerConfig, discriminator: bool = False) -> float:
    """The learning rate before the schedule."""
    return config.discriminator_lr if discriminator and config.discriminator_lr is not None else config.lr


def set_rate(optimizer: torch.optim.Optimizer, rate: float, localisation: float) -> None:
    """Set the learning rate of an optimiser.

    Args:
        optimizer: U's, with the parameter groups of its configuration, or D's, with one group.
        rate: rate of the first group.
        localisation: rate of the second group as a share of `rate`.
    """
    for group, share in zip(optimizer.param_groups, (1.0, localisation), strict=False):
        group["lr"] = rate * share


def restore_constants(optimizer: torch.optim.Optimizer) -> None:
    """Restore what an optimiser was built with and a loaded checkpoint has replaced: constants and memory layouts.

    The learning rate is left out: it is set at every update.
    """
    constants = {name: value for name, value in optimizer.defaults.items() if name != "lr"}
    for group in optimizer.param_groups:
        group.update(constants)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if name == "step" and isinstance(value, Tensor) and not constants.get("fused"):
                state[name] = value.cpu()  # a step that is not fused would wait for the GPU to read it
            elif isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                # A fused step walks through memory: the state must lie there as the weight does.
                state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def build_optimizer(
    config: OptimizerConfig, groups: list[list[nn.Parameter]], discriminator: bool = False, scaled: bool = False
) -> torch.optim.Optimizer:
    """The optimiser of one network.

    Args:
        config: which optimiser, with its constants.
        groups: the network's weights, one list per group; `set_rate` gives the second group its own rate.
        discriminator: the network is D, which may have its own rate.
        scaled: a loss scaler unscales the gradients before each step.
    """
    parameters = [{"params": group} for group in groups]
    lr = base_lr(config, discriminator)
    if isinstance(config, RMSpropConfig):
        return torch.optim.RMSprop(parameters, lr, config.alpha, config.eps)
    # On a CPU a fused step is several times as fast as one that goes through the weights tensor by tensor. It would
    # unscale gradients itself, after the guard has looked at them, so a loss scaler rules it out.
    on_cpu = all(parameter.device.type == "cpu" for group in groups for parameter in group)
    return torch.optim.Adam(parameters, lr, config.betas, config.eps, fused=on_cpu and not scaled)
