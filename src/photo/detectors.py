"""Who finds the faces of a photograph: CenterFace, a landmark backend, or a file of boxes."""

import csv
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from src.image.crop import FaceBox
from src.landmarks.boxes import face_box, usable
from src.photo.centerface import CenterFace, FoundFace
from src.system.errors import UserError, shortened
from src.system.extras import not_installed

DetectorName = Literal["centerface", "onnx", "face_alignment"]
NAMES: Final[tuple[DetectorName, ...]] = get_args(DetectorName)
COLUMNS: Final = ["file", "x0", "y0", "x1", "y1"]


class Detector(Protocol):
    """A face detector.

    Attributes:
        name: as on the command line.
    """

    name: str

    def find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        """The faces of a photograph (H, W, 3) uint8 RGB, from left to right."""


class OfLandmarks:
    """A landmark backend as a detector: the box that a detector would draw around the 68 landmarks of each face."""

    def __init__(self, name: Literal["onnx", "face_alignment"], folder: Path | None) -> None:
        from src.landmarks.build import build_landmarker
        from src.landmarks.config import FaceAlignmentConfig, OnnxConfig

        weights = str(folder) if folder is not None else None
        if name == "onnx" and weights is None:
            raise UserError(
                "--detector onnx needs --detector-weights DIR: the folder with the .onnx files of a face detector and "
                "of a 68-point landmark network"
            )
        config = OnnxConfig("onnx", weights) if name == "onnx" else FaceAlignmentConfig("face_alignment", weights)
        self.name: str = name
        self._landmarker = build_landmarker(config)

    def find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        """See `Detector`."""
        from src.landmarks.landmarker import Query

        (found,) = self._landmarker.find([Query(image)])
        return [FoundFace(face_box(face.points), face.score) for face in found if np.isfinite(face.points).all()]


def build_detector(name: DetectorName, folder: Path | None = None) -> Detector:
    """The detector of this name.

    Args:
        name: which.
        folder: of its weights; None: CenterFace's installed file, face_alignment's download.

    Raises:
        UserError: a package or a file is missing, or a file is damaged.
    """
    if name != "centerface":
        return OfLandmarks(name, folder)
    try:
        return CenterFace(folder)
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise not_installed("onnxruntime", "photo") from None


class Boxes:
    """The faces of photographs, as a person or another program listed them.

    Args:
        path: a CSV with the columns file, x0, y0, x1, y1: a photograph's path from this file's folder, or its name
            alone, and a face in pixel edges of the upright photograph, from the upper forehead to the chin.

    Raises:
        UserError: it cannot be read, or a line is no box.
    """

    name = "boxes"

    def __init__(self, path: Path) -> None:
        self._path, self._found = path, dict[str, list[FaceBox]]()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.reader(file)
                head = [cell.strip() for cell in next(rows, [])]
                if head != COLUMNS:
                    raise UserError(
                        f"{path}: its first line is {shortened(','.join(head))!r}, not {','.join(COLUMNS)!r}"
                    )
                for row in rows:
                    if row:
                        self._found.setdefault(row[0], []).append(_box(row, f"{path}, line {rows.line_num}"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"--boxes {path} cannot be read: {error}") from None

    def of(self, photograph: Path) -> list[FaceBox]:
        """The boxes of a photograph, in the file's order; none if it is not listed."""
        real = photograph.resolve()
        return [
            box for name, boxes in self._found.items() for box in boxes
            if name == photograph.name or (self._path.parent / name).resolve() == real
        ]  # fmt: skip


def _box(row: list[str], where: str) -> FaceBox:
    text = repr(shortened(",".join(row)))
    try:
        x0, y0, x1, y1 = map(float, row[1:])
    except ValueError:
        raise UserError(f"{where}: {text} is not {','.join(COLUMNS)}") from None
    if not usable((x0, y0, x1, y1)) or max(map(abs, (x0, y0, x1, y1))) > 1e6:
        raise UserError(f"{where}: {text} is no box with x0 < x1 and y0 < y1")
    if "\0" in row[0]:
        raise UserError(f"{where}: {text} names no file")
    return x0, y0, x1, y1
