"""`trainer.detect_anomaly`: the first value that is not finite on the way forward, by the layer that gave it.

torch's anomaly mode looks at gradients only: of a NaN that was made on the way forward it would show the loss, the
first operation on the way back.
"""

from collections.abc import Iterator
from typing import Any, cast

from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from src.data.batch import Pairs
from src.system.errors import UserError


class NotFinite(Callback):
    """Ends the run with the name of the batch's part, or of the layer, whose values are NaN or infinite first."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to every layer of U and D."""
        for name in ("generator", "discriminator"):
            network = cast(nn.Module | None, getattr(pl_module, name))
            for path, layer in network.named_modules(prefix=name) if network is not None else ():
                if not any(layer.children()):
                    layer.register_forward_hook(lambda layer, given, out, path=path: check(path, layer, given, out))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Look at the data."""
        pairs = cast(Pairs, batch)
        for name, faces in pairs._asdict().items():
            broken = [face for face, values in enumerate(faces) if not values.isfinite().all()]
            if broken:
                raise UserError(
                    f"batch {batch_idx + 1} of epoch {trainer.current_epoch + 1}: `{name}` of its faces "
                    f"{', '.join(map(str, broken[:8]))} is not finite: the data, or data.misalignment, is at fault"
                )


def check(path: str, layer: nn.Module, given: Any, out: Any) -> None:
    """UserError naming a layer whose output is not finite."""
    if all(values.isfinite().all() for values in _numbers(out)):
        return
    weights = [name for name, values in layer.named_parameters() if not values.isfinite().all()]
    whence = (
        f"its {', '.join(weights)} not finite"
        if weights
        else "its input is finite, its weights too"
        if all(values.isfinite().all() for values in _numbers(given))
        else "its input is not finite either"
    )
    raise UserError(f"the first values that are not finite come from {path} ({type(layer).__name__}); {whence}")


def _numbers(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.is_floating_point())
