"""The callback that compiles U and D or recomputes U's activations, and the plugin that synchronises batch norms."""

from typing import cast

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import nn

from src.model.recompute import checkpoint_activations
from src.training.sync_batchnorm import synchronise


class Execution(Callback):
    """Compiles U and D, or lets U recompute activations, before the training starts; state dict names stay the same.

    Args:
        compiled: compile each network in place, not the LightningModule, whose hooks and losses would be compiled too.
        keep_less: recompute the activations of U and of the feature network in the backward pass.
    """

    def __init__(self, compiled: bool, keep_less: bool) -> None:
        self.compiled, self.keep_less = compiled, keep_less

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Prepare the networks before DDP wraps them; the compilation itself happens at the first batch."""
        generator = cast(nn.Module, pl_module.generator)
        checkpoint_activations(generator, self.keep_less)
        objective = getattr(pl_module, "objective", None)
        if objective is not None:
            checkpoint_activations(objective, self.keep_less)
        for network in (generator, cast(nn.Module | None, pl_module.discriminator)):
            # The validation at the end of a run calls `setup` again.
            if self.compiled and network is not None and network._compiled_call_impl is None:
                network.compile()


class ProcessorSyncBatchNorm(LayerSync):
    """The Lightning plugin that calls `synchronise`."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Normalise over all processes."""
        synchronise(model)
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Normalise in each process alone."""
        synchronise(model, on=False)
        return model
