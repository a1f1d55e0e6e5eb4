"""How the networks are executed: compiled, with fewer activations kept, with batches normalised over all processes."""

from typing import cast

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import nn

from src.model.recompute import checkpoint_activations
from src.training.sync_batchnorm import synchronise


class Execution(Callback):
    """Compiles U and D, or lets U keep less, before the training starts; the names in the state dict stay.

    Args:
        compiled: compile each network in place; of the LightningModule, its hooks and losses would be compiled along.
        keep_less: compute U's activations again in the backward pass.
    """

    def __init__(self, compiled: bool, keep_less: bool) -> None:
        self.compiled, self.keep_less = compiled, keep_less

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Before the networks are wrapped for several processes; compilation itself waits for the first batch."""
        generator = cast(nn.Module, pl_module.generator)
        checkpoint_activations(generator, self.keep_less)
        objective = getattr(pl_module, "objective", None)
        if objective is not None:
            checkpoint_activations(objective, self.keep_less)
        for network in (generator, cast(nn.Module | None, pl_module.discriminator)):
            # The validation that ends a run sets up once more.
            if self.compiled and network is not None and network._compiled_call_impl is None:
                network.compile()


class ProcessorSyncBatchNorm(LayerSync):
    """Lightning's plug for `synchronise`."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Normalise over all processes."""
        synchronise(model)
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Normalise by process."""
        synchronise(model, on=False)
        return model
