"""How a checkpoint gets into its file."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO


class ToDisk(TorchCheckpointIO):
    """Writes a checkpoint straight into its file and waits for the disk; Lightning's own builds it in memory first."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write; OSError where that cannot be done."""
        # At the start of a batch the module counts it already; its hook is the last one before this.
        checkpoint["iterations"] = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # What a kill left may be `best.ckpt` too, by a second name: it must not be written into.
        Path(path).unlink(missing_ok=True)
        with Path(path).open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                if not any(word in str(error) for word in ("PytorchStreamWriter", "inline_container")):
                    raise
                raise OSError(str(error).splitlines()[0]) from error  # how torch's writer says a full disk
            file.flush()
            os.fsync(file.fileno())
