"""What the command asks for photographs and videos, and what it says on the way."""

import sys
from dataclasses import dataclass
from pathlib import Path

from src.photo.detectors import DetectorName
from src.photo.run import Request, warn
from src.photo.smooth import SMOOTHING
from src.photo.upscaler import BATCH
from src.system.errors import in_one_line


@dataclass(frozen=True)
class PhotoRequest(Request):
    """The command's arguments for photographs and videos; heatmaps are written only if asked for.

    Attributes:
        detector: what finds the faces.
        detector_weights: folder of its weights.
        boxes: a file of face boxes in place of a detector; of photographs alone.
        any_size: take faces of all sizes.
        paste: write each photograph enlarged, with its faces in place.
        scale: of that; None: so that the smallest face keeps its 128 pixels.
        json: write what was found, where, how surely and in what time.
        batch: faces in the network at once.
        every: of videos: faces are searched in every so manyth frame; None: about ten times a second.
        smooth: of videos: standard deviation in seconds of the Gaussian that steadies the faces; 0: nothing does.
    """

    heatmaps: bool = False
    detector: DetectorName = "centerface"
    detector_weights: Path | None = None
    boxes: Path | None = None
    any_size: bool = False
    paste: bool = False
    scale: float | None = None
    json: bool = False
    batch: int = BATCH
    every: int | None = None
    smooth: float = SMOOTHING


def tell(line: str) -> None:
    """Show a result's line on stdout."""
    sys.stdout.write(in_one_line(line) + "\n")
    sys.stdout.flush()


def warn_of(path: Path, remark: str) -> None:
    """Show a warning about a file."""
    warn(f"{path}: {remark}")
