"""An exponential moving average of the generator's weights, trained beside them and validated like them."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from src.callbacks.face_means import FaceMeans
from src.data.batch import Pairs
from src.model.checkpoint import AVERAGED


def ema_weight(decay: float, averaged: int) -> float:
    """Weight of the new weights in the average after `averaged` others: 1 - min(decay, (1 + n) / (10 + n)).

    The warm-up lets a short run forget its random start: the average reaches over about the last tenth of the updates
    until `decay` holds (from n = 8,990 on with 0.999).
    """
    return 1 - min(decay, (1 + averaged) / (10 + averaged))


class AverageWeights(Callback):
    """Averages the generator after each of its updates, reports `val_ema/...`, keeps itself in the checkpoint.

    Batch statistics are averaged like the weights that they belong to; counters are copied. The first update is the
    average's start.

    Args:
        decay: of the average, 0 up to 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.averaged: AveragedModel | None = None
        self._means = FaceMeans()
        self._loaded: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the generator, on its device by now, and listen to its optimiser."""
        generator = _generator(pl_module)
        self.averaged = AveragedModel(generator, multi_avg_fn=self._average, use_buffers=True)
        self.averaged.requires_grad_(False).eval()
        if self._loaded is not None:
            self.averaged.module.load_state_dict(self._loaded["generator"])
            self.averaged.n_averaged.fill_(self._loaded["updates"])
            self._loaded = None
        # Straight after the step, not at the batch's end: what another callback saves there must hold this update.
        trainer.optimizers[0].register_step_post_hook(lambda *_: self._after_step(generator))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let all processes validate rank 0's statistics, as of the weights themselves."""
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
        """Tensors and plain values only, so that the file loads with `weights_only=True`."""
        if self.averaged is not None:
            checkpoint[AVERAGED] = {
                "updates": int(self.averaged.n_averaged),
                "generator": self.averaged.module.state_dict(),
            }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on with the average of the checkpoint; one without starts with its weights."""
        self._loaded = checkpoint.get(AVERAGED)

    def _after_step(self, generator: nn.Module) -> None:
        # An update that the guard left out is a step without gradients.
        if self.averaged is not None and any(parameter.grad is not None for parameter in generator.parameters()):
            self.averaged.update_parameters(generator)

    @torch.no_grad()
    def _average(self, averages: Any, values: Any, averaged: Tensor | int) -> None:
        """One kind of tensors: move the averages towards the values."""
        assert self.averaged is not None
        if averages[0].is_floating_point():
            # The count that is handed over lies on the GPU; this one on the host, where reading it waits for nothing.
            torch._foreach_lerp_(averages, values, ema_weight(self.decay, int(self.averaged.n_averaged)))
        else:
            torch._foreach_copy_(averages, values)


def _generator(module: LightningModule) -> nn.Module:
    generator = module.generator
    assert isinstance(generator, nn.Module)
    return generator
