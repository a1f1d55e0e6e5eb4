"""The callback of `trainer.detect_anomaly`: it names the layer with the first non-finite value of the forward pass.

torch's anomaly mode checks gradients only: for a NaN from the forward pass it shows the loss, the first operation of
the backward pass.
"""

from collections.abc import Iterator
from typing import Any, cast

from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from src.data.batch import Pairs
from src.image.surroundings import Surroundings
from src.system.errors import UserError


class NotFinite(Callback):
    """Ends the run and names the part of the batch, or the layer, that first has NaN or infinite values."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the output of every layer of U and D from now on."""
        for name in ("generator", "discriminator"):
            network = cast(nn.Module | None, getattr(pl_module, name))
            for path, layer in network.named_modules(prefix=name) if network is not None else ():
                if not any(layer.children()):
                    layer.register_forward_hook(lambda layer, given, out, path=path: check(path, layer, given, out))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Check the data."""
        pairs = cast(Pairs, batch)
        for name, faces in pairs._asdict().items():
            if faces is None or isinstance(faces, Surroundings):  # these are 8-bit
                continue
            broken = [face for face, values in enumerate(faces) if not values.isfinite().all()]
            if broken:
                raise UserError(
                    f"batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}: `{name}` is not finite for its faces "
                    f"{', '.join(map(str, broken[:8]))}; the cause is the data or data.misalignment"
                )


def check(path: str, layer: nn.Module, given: Any, out: Any) -> None:
    """Raise a UserError that names the layer if its output is not finite."""
    if all(values.isfinite().all() for values in _numbers(out)):
        return
    weights = [name for name, values in layer.named_parameters() if not values.isfinite().all()]
    whence = (
        f"non-finite weights: {', '.join(weights)}"
        if weights
        else "its input and weights are finite"
        if all(values.isfinite().all() for values in _numbers(given))
        else "its input is not finite either"
    )
    raise UserError(f"the first non-finite values come from {path} ({type(layer).__name__}); {whence}")


def _numbers(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.is_floating_point())
