"""The callback that keeps, validates and saves an exponential moving average (EMA) of the generator's weights."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from src.callbacks.face_means import FaceMeans
from src.data.batch import Pairs
from src.model.checkpoint import AVERAGED


def ema_weight(decay: float, averaged: int) -> float:
    """Share of the new weights in the average after n = `averaged` updates: 1 - min(decay, (1 + n) / (10 + n)).

    The warm-up lets a short run forget its random start: until `decay` applies (0.999: from n = 8,990 on), the average
    covers about the last tenth of the updates.
    """
    return 1 - min(decay, (1 + averaged) / (10 + averaged))


class AverageWeights(Callback):
    """Averages the generator after each of its updates, logs `val_ema/...` and saves the average in the checkpoint.

    It averages batch statistics the same way as weights, and copies counters. The average starts as the weights after
    the first update.

    Args:
        decay: decay of the average, at least 0 and below 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.averaged: AveragedModel | None = None
        self._means = FaceMeans()
        self._loaded: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the generator, which is on its device by now, and hook into its optimiser."""
        generator = _generator(pl_module)
        self.averaged = AveragedModel(generator, multi_avg_fn=self._average, use_buffers=True)
        self.averaged.requires_grad_(False).eval()
        if self._loaded is not None:
            self.averaged.module.load_state_dict(self._loaded["generator"])
            self.averaged.n_averaged.fill_(self._loaded["updates"])
            self._loaded = None
        # Straight after the step, not at the batch's end: a checkpoint saved there must contain this update.
        trainer.optimizers[0].register_step_post_hook(lambda *_: self._after_step(generator))

    def restart(self) -> None:
        """Start over as the weights after the next update: for networks that begin to learn in mid-run."""
        if self.averaged is not None:
            self.averaged.n_averaged.zero_()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give all processes rank 0's batch statistics, as FaceSR does for the last update's weights."""
        if self.averaged is not None and trainer.world_size > 1:
            for buffer in self.averaged.module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Pairs,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score the averaged generator on the same faces."""
        if self.averaged is not None:
            with trainer.precision_plugin.val_step_context():
                self._means.add(self.averaged(batch.lr), batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means over the faces."""
        self._means.log(pl_module, "val_ema")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the average as tensors and plain values, so that the file loads with `weights_only=True`."""
        if self.averaged is not None:
            checkpoint[AVERAGED] = {
                "updates": int(self.averaged.n_averaged),
                "generator": self.averaged.module.state_dict(),
            }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the checkpoint's average for the start of the fit; without one, the average starts over."""
        self._loaded = checkpoint.get(AVERAGED)

    def _after_step(self, generator: nn.Module) -> None:
        # If the guard skipped this update, the step had no gradients.
        if self.averaged is not None and any(parameter.grad is not None for parameter in generator.parameters()):
            self.averaged.update_parameters(generator)

    @torch.no_grad()
    def _average(self, averages: Any, values: Any, averaged: Tensor | int) -> None:
        """Move the averages towards the values; all tensors have one dtype and device."""
        assert self.averaged is not None
        if averages[0].is_floating_point():
            # Not the argument `averaged`, which is on the GPU: reading this host counter waits for nothing.
            torch._foreach_lerp_(averages, values, ema_weight(self.decay, int(self.averaged.n_averaged)))
        else:
            torch._foreach_copy_(averages, values)


def _generator(module: LightningModule) -> nn.Module:
    generator = module.generator
    assert isinstance(generator, nn.Module)
    return generator
