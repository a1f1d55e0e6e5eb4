"""`trainer.tune`: times some training steps with each precision and memory layout and takes the fastest."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from src.data.batch import Pairs
from src.face.points import POINTS
from src.image.own_size import with_own_size
from src.image.sides import LR_SIDE, SIDE
from src.image.surroundings import Surroundings
from src.loss.objective import Objective
from src.model.config import AnyGeneratorConfig, lr_side_of
from src.model.output import Upscaled
from src.model.recompute import checkpoint_activations
from src.optimizer import build_optimizer
from src.system.errors import UserError
from src.trainer import Machine, Precision
from src.training.config import TrainConfig
from src.training.steps import discriminator_half, laid_out, stage_half

ROUNDS = 3
MADE_UP_MARGIN = 48  # of made-up faces, as of prepared ones

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """One way to compute a training step."""

    precision: Precision
    channels_last: bool
    compile: bool = False

    def __str__(self) -> str:
        extras = [", channels last"] * self.channels_last + [", compiled"] * self.compile
        return self.precision + "".join(extras)


def fast_bfloat16(gpu: bool) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    if gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def settings(config: TrainConfig, machine: Machine) -> list[Setting]:
    """The settings to try: both memory layouts, in float32 and, if the device has it in hardware, in bfloat16.

    A precision that the configuration names is kept. So is `trainer.compile`, which would take minutes to measure.
    """
    trainer = config.trainer
    precisions: list[Precision] = ["32-true", *(["bf16-mixed"] if fast_bfloat16(machine.gpu) else [])]  # type: ignore[list-item]
    if trainer.precision != "auto":
        precisions = [machine.precision]
    return [Setting(precision, last, trainer.compile) for precision in precisions for last in (False, True)]


def made_up_pairs(generator: AnyGeneratorConfig, faces: int, device: torch.device, margin: int = 0) -> Pairs:
    """A batch of random numbers in the shapes that a generator trains on, with surroundings if there is a margin."""
    maps, side, surroundings = generator.heatmaps, generator.heatmap_side, None
    if margin:
        wide = SIDE + 2 * margin
        pictures = torch.randint(0, 256, (faces, wide, wide, 3), dtype=torch.uint8, device=device)
        surroundings = Surroundings(pictures, torch.zeros(faces, dtype=torch.bool, device=device))
    lr_side = lr_side_of(generator)
    lr = torch.rand(faces, 3, lr_side, lr_side, device=device) * 2 - 1
    return Pairs(
        lr=lr if lr_side == LR_SIDE else with_own_size(lr, lr_side),
        hr=torch.rand(faces, 3, SIDE, SIDE, device=device) * 2 - 1,
        matrix=torch.eye(2, 3, device=device).expand(faces, 2, 3),
        heatmaps=None if side is None else torch.rand(faces, maps, side, side, device=device),
        kernels=None if side is None else torch.ones(faces, maps, dtype=torch.int64, device=device),
        landmarks=torch.zeros(faces, POINTS, 2, device=device),
        visible=torch.ones(faces, POINTS, dtype=torch.bool, device=device),
        surroundings=surroundings,
    )


class FullStep:
    """The computation of a training step of the last stage without Lightning: an update of D, then one of U.

    The faces are made up.

    Args:
        config: networks, losses and optimisers of a run.
        setting: precision, memory layout and compilation.
        device: where to compute.
        batch_size: faces per step; None: the run's.
    """

    def __init__(
        self, config: TrainConfig, setting: Setting, device: torch.device, batch_size: int | None = None
    ) -> None:
        self.setting, self.device = setting, device
        self.faces = faces = batch_size or config.data.batch_size
        layout = torch.channels_last if setting.channels_last else torch.contiguous_format
        self.generator = config.model.generator.build().to(device).to(memory_format=layout)
        checkpoint_activations(self.generator, config.trainer.checkpoint_activations)
        self.objective = Objective(config.loss).to(device).to(memory_format=layout)
        checkpoint_activations(self.objective, config.trainer.checkpoint_activations)
        groups = config.model.generator.parameter_groups(self.generator)
        self.optimizer = build_optimizer(config.optimizer, groups)
        self.discriminator = config.build_discriminator()
        self.stage = config.stages[-1]
        self.stage.prepare(self.generator)
        if self.stage.half != "objective":
            self.discriminator = None  # D waits
        if self.discriminator is not None:
            self.discriminator.to(device).to(memory_format=layout)
            self.d_optimizer = build_optimizer(config.optimizer, [list(self.discriminator.parameters())], True)
        if setting.compile:
            self.generator.compile()
            if self.discriminator is not None:
                self.discriminator.compile()
        margin = MADE_UP_MARGIN if config.data.misalignment.fill == "context" else 0
        self.pairs = laid_out(made_up_pairs(config.model.generator, faces, device, margin), layout)

    def __call__(self) -> None:
        """Make both updates; on a GPU the call returns before they are done."""
        precision = torch.float16 if self.setting.precision == "16-mixed" else torch.bfloat16
        mixed = self.setting.precision != "32-true"
        discriminator = self.discriminator
        with torch.autocast(self.device.type, precision, enabled=mixed):
            output = self.stage.output(self.generator, self.pairs.lr)
            if discriminator is not None:
                assert isinstance(output, Upscaled)
                loss, _ = discriminator_half(discriminator, self.pairs, output.image.detach())
        if discriminator is not None:
            self.d_optimizer.zero_grad()
            loss.backward()
            self.d_optimizer.step()
            discriminator.requires_grad_(False)
        with torch.autocast(self.device.type, precision, enabled=mixed):
            total, _ = stage_half(self.stage.half, self.objective, discriminator, output, self.pairs, epoch=0)
        self._update(total)
        if discriminator is not None:
            discriminator.requires_grad_(True)

    def _update(self, total: Tensor) -> None:
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()


def fastest_seconds(steps: Sequence[Callable[[], object]], rounds: int, device: torch.device) -> list[float]:
    """Seconds of each step, the best of `rounds`; the steps take turns, so that other load on the machine slows all."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    best = [float("inf")] * len(steps)
    for number in range(rounds + 1):
        for index, step in enumerate(steps):
            wait()
            start = time.perf_counter()
            step()
            wait()
            if number > 0:  # the first round allocates, chooses algorithms and compiles
                best[index] = min(best[index], time.perf_counter() - start)
    return best


def tuned(config: TrainConfig, machine: Machine) -> TrainConfig:
    """The configuration with the fastest precision and memory layout; logs the speed of each of them.

    The random state stays as it was. On CPUs a round of `celeba16x` takes some 20 seconds.

    Raises:
        UserError: the batch does not fit into the GPU's memory with any of them.
    """
    gpu, device = machine.gpu, machine.device
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    with torch.random.fork_rng(range(torch.cuda.device_count()) if gpu else []):
        tried = settings(config, machine)
        # On a GPU one after the other, so that each has all the memory; no other load changes the speed there.
        sets = [[setting] for setting in tried] if gpu else [tried]
        seconds = [taken for some in sets for taken in _seconds(config, some, device)]
    best = tried[seconds.index(min(seconds))]
    if min(seconds) == float("inf"):
        raise UserError(
            f"data.batch_size={config.data.batch_size} does not fit into the GPU's memory; use a smaller one"
        )
    for setting, taken in zip(tried, seconds, strict=True):
        chosen = "  < taken" if setting is best else ""
        log.info("trainer.tune: %-28s %7.1f faces/s%s", setting, config.data.batch_size / taken, chosen)
    return with_setting(config, best.precision, best.channels_last)


def tuned_before(config: TrainConfig, before: Mapping[str, Any]) -> TrainConfig:
    """The configuration with the precision and memory layout that the run measured when it started.

    Args:
        config: the configuration of the resumed run.
        before: the configuration in its checkpoint, plain values.
    """
    trainer = before["trainer"]
    log.info(
        "trainer.tune: only a new run measures; this resumed run keeps trainer.precision=%s trainer.channels_last=%s",
        trainer["precision"],
        str(trainer["channels_last"]).lower(),
    )
    return with_setting(config, trainer["precision"], trainer["channels_last"])


def with_setting(config: TrainConfig, precision: Any, channels_last: bool) -> TrainConfig:
    """The configuration with another precision and memory layout."""
    return replace(config, trainer=replace(config.trainer, precision=precision, channels_last=channels_last))


def _seconds(config: TrainConfig, some: Sequence[Setting], device: torch.device) -> list[float]:
    """Seconds of a step with each setting; infinite if the GPU's memory is too small."""
    try:
        return fastest_seconds([FullStep(config, setting, device) for setting in some], ROUNDS, device)
    except torch.OutOfMemoryError:
        return [float("inf")] * len(some)
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
