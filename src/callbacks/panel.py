"""The callback that draws the same validation faces at every validation."""

import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor

from src.data.batch import Pairs
from src.data.module import FaceData
from src.data.pairs import VALIDATION_EPOCH
from src.face.points import COMPONENTS
from src.image.encode import png_bytes
from src.image.pixels import upsample_bicubic
from src.logger.build import ShowsPanel
from src.model.output import Upscaled
from src.report.grid import labelled, overlay
from src.system.errors import UserError
from src.system.files import replacing


class Panel(Callback):
    """Draws the first validation faces, always misaligned the same way: LR, bicubic, SR, HR, heatmaps.

    It writes `panels/panel_ITERATIONS.png` and, as a copy of the newest, `panel.png` in the run folder, and sends the
    faces to the loggers that show pictures. It draws with the weights under validation and uses no random number.

    Args:
        run_dir: the run folder.
        faces: number of faces, at least 1; fewer if the validation set has fewer.
    """

    def __init__(self, run_dir: str, faces: int) -> None:
        self.run_dir, self.faces = Path(run_dir), faces
        self._pairs: Pairs | None = None

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw with the weights of the last update, those that `val/...` scores."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        if self._pairs is None:
            self._pairs = first_pairs(data, self.faces, pl_module.device)
        pairs, iterations = self._pairs, trainer.fit_loop.total_batch_idx + 1
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            output: Upscaled = pl_module(pairs.lr)
        tiles = panel_tiles(pairs, output)
        components = COMPONENTS[output.heatmaps[-1].shape[1]] if output.heatmaps else {}
        sheet = Image.fromarray(labelled(list(tiles.items()), components))
        try:
            _save(sheet, self.run_dir / "panels" / f"panel_{iterations:07}.png", self.run_dir / "panel.png")
        except OSError as error:
            raise UserError(
                f"{self.run_dir}/panel.png cannot be written ({error}); free some space: the same command resumes "
                "the run"
            ) from error
        shown = [logger for logger in trainer.loggers if isinstance(logger, ShowsPanel)]
        if shown:
            faces = range(len(pairs.lr))
            strips = [labelled([(name, tile[face : face + 1]) for name, tile in tiles.items()]) for face in faces]
            for logger in shown:
                logger.log_panel(labelled(list(tiles.items()), components), strips, iterations)


def first_pairs(data: FaceData, count: int, device: torch.device) -> Pairs:
    """The first validation faces as the network sees them in each validation.

    Args:
        data: the run's data, set up.
        count: largest number of faces.
        device: the device of the pairs.
    """
    assert data.val_faces is not None
    keys = [(VALIDATION_EPOCH, index) for index in range(min(count, data.config.overfit or count, len(data.val_faces)))]
    batch = data.val_faces.__getitems__(keys).on(device)
    return data.on_after_batch_transfer(batch, 0)


def panel_tiles(pairs: Pairs, output: Upscaled) -> dict[str, Tensor]:
    """A panel's columns: label -> (B, 3, H, H), about [-1, 1].

    Args:
        pairs: B faces.
        output: the network's output for them.
    """
    side, lr = pairs.hr.shape[-1], pairs.lr[:, :3].float()
    tiles = {
        "LR input": F.interpolate(lr, (side, side)),
        "bicubic": upsample_bicubic(lr, side),
        "SR": output.image,
        "HR": pairs.hr,
    }
    if output.heatmaps:
        tiles["heatmaps"] = overlay(output.image, output.heatmaps[-1])
    if output.heatmaps and pairs.heatmaps is not None:
        tiles["true heatmaps"] = overlay(pairs.hr, pairs.heatmaps)
    return tiles


def _save(picture: Image.Image, path: Path, newest: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png_bytes(picture))
    with replacing(newest) as (hidden,):  # a viewer that looks at the newest one never sees half a file
        shutil.copyfile(path, hidden)
