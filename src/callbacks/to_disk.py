"""The Lightning plugin that writes a checkpoint straight into its file and waits for the disk."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO


class ToDisk(TorchCheckpointIO):
    """Writes a checkpoint straight into its file; Lightning's own plugin first builds the file in memory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write the checkpoint; raise an OSError if that fails."""
        # FaceSR's hook, which runs just before, already counts a batch that is only starting: correct that here.
        checkpoint["iterations"] = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # A file that a killed run left may be hard-linked to `best.ckpt`, so it must not be written into.
        Path(path).unlink(missing_ok=True)
        with Path(path).open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                if not any(word in str(error) for word in ("PytorchStreamWriter", "inline_container")):
                    raise
                raise OSError(str(error).splitlines()[0]) from error  # torch's writer reports a full disk this way
            file.flush()
            os.fsync(file.fileno())
