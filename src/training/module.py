"""The LightningModule: alternating steps of D and U with manual optimisation."""

from contextlib import nullcontext
from typing import Any

import torch
from lightning import Callback, LightningModule
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor

from src.callbacks.ema import AverageWeights
from src.callbacks.face_means import FaceMeans
from src.data.batch import Pairs
from src.loss.objective import Objective
from src.model.output import Upscaled
from src.optimizer import base_lr, build_optimizer, lr_factor, restore_constants, set_rate
from src.system.plain import to_plain
from src.training.clock import progress
from src.training.config import TrainConfig
from src.training.guard import TOTAL, Guard, gradient_name, not_finite
from src.training.stages import Stages
from src.training.steps import (
    Statistics,
    discriminator_half,
    gradient_norm,
    group_size,
    laid_out,
    stage_half,
    updates_done,
)


class FaceSR(LightningModule):
    """Trains U (the generator) and D (the discriminator).

    A batch makes two updates: first D by LD alone (Eq. 7.3), on the fakes of one forward pass of U; then U by LT (Eq.
    7.6) through the updated D, with the graph of that same pass. With `trainer.accumulate` a group of batches makes the
    two updates, by the mean over the group, as one large batch would (but batch normalisation sees each batch alone).
    The stage of the run (`TrainConfig.stages`) says what of U runs and learns, by which loss, and whether D waits.

    Args:
        config: the run's configuration; stored in the checkpoints as plain values.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config = config
        self.generator = config.model.generator.build()
        self.discriminator = config.build_discriminator()
        # In a list it is no submodule, so it is neither in the state dict nor in DDP's buckets.
        self._objective = [Objective(config.loss)]
        self.guard = Guard(config.guard)
        self._layout = torch.channels_last if config.trainer.channels_last else torch.contiguous_format
        self._faces = FaceMeans()
        self._averaging = AverageWeights(config.ema.decay) if config.ema.enabled else None
        self._group: list[Pairs] = []  # batches since the last update
        self._group_size = 1
        self._update = 0  # number of the update that the group makes
        self._means: dict[str, dict[str, Tensor]] = {}  # of a group, by network: the losses and D's accuracies
        self._coming: dict[str, Tensor | float] = {}  # values to log of the current group
        self._report: dict[str, Tensor | float] = {}  # values to log of the last group
        self._stepping = ""
        self._statistics: dict[str, Statistics] = {}
        self._stages = Stages(config.stages)
        self._new_stage = False  # the group is the first of its stage

    @property
    def objective(self) -> Objective:
        """LT and its frozen feature network, on this module's device."""
        return self._objective[0]

    def setup(self, stage: str) -> None:
        """Move the frozen network to the device and set the memory layout, before DDP and the optimisers are built."""
        self._objective[0] = self.objective.to(self.device)
        self.to(memory_format=self._layout)
        self.objective.to(memory_format=self._layout)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """U's optimiser, then D's."""
        config = self.config.optimizer
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        groups = self.config.model.generator.parameter_groups(self.generator)
        optimizers = [build_optimizer(config, groups, scaled=scaled)]
        if self.discriminator is not None:
            optimizers.append(build_optimizer(config, [list(self.discriminator.parameters())], True, scaled))
        return optimizers

    def configure_callbacks(self) -> list[Callback]:
        """The callback that averages U's weights, for every trainer of this module; always the same object."""
        return [] if self._averaging is None else [self._averaging]

    def forward(self, lr: Tensor) -> Upscaled:
        """The generator's output for (B, 3, 16, 16) in [-1, 1], see `Upscaled`."""
        output: Upscaled = self.generator(lr.contiguous(memory_format=self._layout))
        return output

    def on_train_start(self) -> None:
        """Prepare what needs the networks on their device and the optimisers' states restored."""
        for optimizer in self.trainer.optimizers:
            restore_constants(optimizer)
        self._statistics = {name: Statistics(network) for name, network in self._networks().items()}
        self._stages.current.prepare(self.generator)

    def on_train_epoch_start(self) -> None:
        """Start with an empty group, and drop the batches of a group that was cut short."""
        self._group.clear()

    def training_step(self, pairs: Pairs, batch_idx: int) -> None:
        """Train on one batch of a group; after the group's last batch, update D, then U."""
        if not self._group:
            self._start_group(batch_idx)
        pairs = laid_out(pairs, self._layout)
        self._group.append(pairs)
        last = len(self._group) == self._group_size
        if not self._against_discriminator:
            self._generator_backward(pairs, self._output(pairs), last)
        else:
            assert self.discriminator is not None
            # U's loss needs the updated D, so U's backward passes wait for D's update. Only the last batch goes through
            # U once: keeping the graphs of the others would take the memory that accumulation saves.
            with torch.set_grad_enabled(last):
                output = self._output(pairs)
            assert isinstance(output, Upscaled)
            self._discriminator_backward(pairs, output.image.detach(), last)
            if last:
                self._step("discriminator")
                self.discriminator.requires_grad_(False)
                waiting = self._group[:-1]
                self._generator_backward(pairs, output, not waiting)
                for number, other in enumerate(waiting, 1):
                    self._generator_backward(other, self._output(other), number == len(waiting))
            else:
                self._statistics["generator"].put_back()  # only the pass with gradients counts
        if last:
            self._step("generator")
            self._end_group()
        self._log_report(pairs)

    def _log_report(self, pairs: Pairs) -> None:
        if (self.trainer.fit_loop.total_batch_idx + 1) % self.config.trainer.log_every_n_steps == 0:
            self.log_dict(
                {name: torch.as_tensor(value) for name, value in self._report.items()}, batch_size=len(pairs.lr)
            )

    @property
    def _against_discriminator(self) -> bool:
        """Whether D learns in this stage, and U through it."""
        return self.discriminator is not None and self._stages.current.half == "objective"

    def _output(self, pairs: Pairs) -> Upscaled | Tensor:
        """The output of what runs in this stage."""
        return self._stages.current.output(self.generator, pairs.lr)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the guard check the update, then clip: by now a loss scaler has unscaled the gradients."""
        name = self._stepping
        network = self._networks()[name]
        norm = gradient_norm(network)
        values = {**self._means[name], gradient_name(name): norm}
        bad = not_finite(values, self._summed)
        if not bad:
            self.guard.passed(name)
            self._coming |= values
            limit: float | None = getattr(self.config.optimizer.clip, name)
            if limit is not None:
                torch.nn.utils.clip_grads_with_norm_(network.parameters(), limit, norm)
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        self.guard.refused(name, bad, 1.0 if scaler is None else scaler.get_scale())
        # Without gradients the step changes neither the weights nor the optimiser's state.
        optimizer.zero_grad()
        self._statistics[name].put_back()

    def _start_group(self, batch_idx: int) -> None:
        """Reset what belongs to an update, and set the learning rates by the group's first batch."""
        accumulate, batches = self.config.trainer.accumulate, int(self.trainer.num_training_batches)
        self._group_size = group_size(batch_idx, batches, accumulate)
        self._means = {name: {} for name in self._networks()}
        self._update = updates_done(self.trainer.fit_loop.total_batch_idx, batches, accumulate)
        rates = self._set_learning_rates(self._update)
        self._coming = {f"optim/lr_{name}": rate for name, rate in rates.items()}
        for name in self._networks():
            self._optimizer(name).zero_grad()
            self._statistics[name].keep()
        self._new_stage = self._stages.advance(self.trainer)
        if self._new_stage:
            self._stages.current.prepare(self.generator)
            if self._averaging is not None:  # the average must forget the random start of what learns from now on
                self._averaging.restart()

    def _end_group(self) -> None:
        self._group.clear()
        if self._against_discriminator:
            assert self.discriminator is not None
            self.discriminator.requires_grad_(True)
            means = self._means["discriminator"]
            accuracy = (means["gan/accuracy_real"] + means["gan/accuracy_fake"]) / 2
            self.guard.watch(accuracy, self._group_size, self._summed, self.trainer.world_size)
        self._report = {**self._coming, "guard/skipped": float(self.guard.skipped)}
        if self._new_stage and self.trainer._results is not None:
            self.trainer._results.reset()  # or Lightning would repeat what only the stage before has logged
        self.guard.stop_if_diverged()

    def _discriminator_backward(self, pairs: Pairs, fakes: Tensor, sync: bool) -> None:
        """Gradients of -LD, Eq. 7.3, on a batch's reals and fakes."""
        assert self.discriminator is not None
        loss, accuracies = discriminator_half(self.discriminator, pairs, fakes)
        self._add("discriminator", {"gan/loss_discriminator": loss, **accuracies})
        self._backward(loss, sync)

    def _generator_backward(self, pairs: Pairs, output: Upscaled | Tensor, sync: bool) -> None:
        """Gradients of the stage's loss on a batch: of LT, Eq. 7.6, through a fixed D, or of one term."""
        half, std = self._stages.current.half, self.config.data.heatmaps.std
        total, terms = stage_half(half, self.objective, self.discriminator, output, pairs, self.current_epoch, std)
        self._add("generator", {**_named(terms), TOTAL: total})
        self._backward(total, sync)

    def _add(self, network: str, values: dict[str, Tensor]) -> None:
        """Add a batch to its group's means."""
        means = self._means[network]
        for name, value in values.items():
            means[name] = means.get(name, 0.0) + value.detach() / self._group_size

    def _backward(self, loss: Tensor, sync: bool) -> None:
        """Add a batch's share of the gradients; the processes exchange their sum once, at the group's last batch."""
        strategy = self.trainer.strategy
        wait = not sync and isinstance(strategy, ParallelStrategy)
        with strategy.block_backward_sync() if wait else nullcontext():  # type: ignore[attr-defined]
            self.manual_backward(loss / self._group_size)

    def _step(self, network: str) -> None:
        """Step one network's optimiser, see `on_before_optimizer_step`."""
        self._stepping = network
        self._optimizer(network).step()

    def on_validation_start(self) -> None:
        """Give all processes rank 0's running statistics: under manual optimisation DDP does not share them."""
        if self.trainer.world_size > 1:
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, pairs: Pairs, batch_idx: int) -> None:
        """Collect every face's scores."""
        self._faces.add(self(pairs.lr), pairs)

    def on_validation_epoch_end(self) -> None:
        """Log the means over the faces (of all processes)."""
        self._faces.log(self, "val")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add plain values only, so that the file loads with `weights_only=True`."""
        checkpoint["hyper_parameters"] = to_plain(self.config)
        checkpoint["iterations"] = self.trainer.fit_loop.total_batch_idx + 1
        checkpoint["guard"] = self.guard.state_dict()
        checkpoint["stage"] = self._stages.number
        # A save falls between two groups: nothing else is pending. Batches inside a group log the last group's values.
        checkpoint["report"] = {name: float(value) for name, value in self._report.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the stage, the guard's counts and the values to log of the last group."""
        self._report = dict(checkpoint.get("report", {}))
        self._stages.restore(checkpoint.get("stage"), bool(checkpoint.get("together", True)))
        if "guard" in checkpoint:
            self.guard.load_state_dict(checkpoint["guard"])

    def _networks(self) -> dict[str, torch.nn.Module]:
        """U, then D if there is one, by their names in the log."""
        networks: dict[str, torch.nn.Module] = {"generator": self.generator}
        return networks if self.discriminator is None else {**networks, "discriminator": self.discriminator}

    def _optimizer(self, network: str) -> Any:
        optimizers = self.optimizers()
        if not isinstance(optimizers, list):
            return optimizers
        return optimizers[0] if network == "generator" else optimizers[1]

    def _summed(self, value: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        total: Tensor = self.trainer.strategy.reduce(value, reduce_op="sum")
        return total

    def _set_learning_rates(self, update: int) -> dict[str, float]:
        """Set and return the learning rates of U and D: under manual optimisation Lightning steps no scheduler."""
        config = self.config.optimizer
        # Only where it matters: several processes must exchange it.
        over = progress(self.trainer) if config.schedule.cooldown > 0 else 0.0
        factor = lr_factor(config.schedule, update, self.current_epoch, over)
        rates = {name: base_lr(config, name == "discriminator") * factor for name in self._networks()}
        for name, rate in rates.items():
            set_rate(self._optimizer(name), rate, config.localisation)
        return rates


def _named(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms by their names in the log."""
    return {f"loss/{name}": term for name, term in terms.items()}
