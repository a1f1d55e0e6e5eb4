"""Upscales the faces of a photograph: found, cut out with their surroundings, and turned upright in one batch."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from src.image.crop import FaceBox, Square
from src.image.pixels import to_bytes
from src.method.method import Network, Runtime
from src.method.network import named_network
from src.model.checkpoint import Weights
from src.model.output import Upscaled
from src.photo.centerface import FoundFace
from src.photo.confidence import confidence_of
from src.photo.detectors import Detector, DetectorName, build_detector
from src.photo.faces import LeftOut, UpscaledFace
from src.photo.frames import cut, moved, possible, side_of, square_of, upright_square
from src.photo.given import face_of, pixels_of
from src.photo.released import RELEASED
from src.photo.result import PhotoResult
from src.system.devices import pick_device
from src.system.errors import UserError
from src.system.timed import timed

BATCH: Final = 64
"""Our choice: faces in the network at once."""
SIZES_OF_16: Final = (12, 24)
"""Our choice: the own sizes that a network of 16x16 inputs takes without being asked, those near its 16 pixels."""
LOOK_AGAIN: Final = 0.1
"""Our choice, not tuned: a face whose square the network moves by more than this share is cut out anew, by its
estimate. docs/use.md compares it with one look."""


class FaceUpscaler:
    """Upscales the faces of photographs to upright 128x128 faces.

    Args:
        method: the network.
        detector: what finds faces, or its name and the folder of its weights, to build when it is first needed.
        device: where the network computes.
        batch: faces in the network at once.
        any_size: take faces of all sizes: larger ones than the training's are reduced to them.
    """

    def __init__(
        self,
        method: Network,
        detector: Detector | tuple[DetectorName, Path | None] = ("centerface", None),
        device: torch.device | None = None,
        batch: int = BATCH,
        any_size: bool = False,
    ) -> None:
        self.method, self._detector = method, detector
        self.device = device or torch.device("cpu")
        self.batch, self.any_size = batch, any_size

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path = RELEASED,
        *,
        device: str = "auto",
        weights: Weights = "auto",
        runtime: Runtime = "torch",
        detector: DetectorName | Detector = "centerface",
        detector_weights: str | Path | None = None,
        batch: int = BATCH,
        any_size: bool = False,
    ) -> Self:
        """An upscaler of a trained network.

        Args:
            path: folder of a release, a checkpoint, a file of `src.export`, or `hub:OWNER/NAME`, a release on the hub.
            device: "auto", "cpu" or "cuda".
            weights: of a checkpoint: the averaged or the raw ones; auto: averaged if there are any.
            runtime: what computes the network: torch, or ONNX Runtime on the CPU, which computes any `.onnx` file.
            detector: what finds the faces, or its name.
            detector_weights: folder of the weights of a named one.
            batch: faces in the network at once.
            any_size: take faces of all sizes.

        Raises:
            UserError: a file is missing or damaged, or the device is not here.
        """
        if batch < 1:
            raise UserError(f"--batch {batch}: 1 face or more")
        chosen = pick_device(device, "--device ")
        if Path(path) == RELEASED and not RELEASED.exists():
            raise UserError(
                f"the released network {path} is not there: check the project out again, or give --method PATH"
            )
        folder = Path(detector_weights) if detector_weights is not None else None
        finder = (detector, folder) if isinstance(detector, str) else detector
        return cls(named_network(path, chosen, weights, runtime), finder, chosen, batch, any_size)

    def save_pretrained(self, save_directory: str | Path, *, overwrite: bool = False) -> None:
        """Write the network as a release, see `save_release`.

        This, `from_pretrained` and `push_to_hub` are the methods of huggingface_hub's ModelHubMixin, without the class:
        this module would need the extra `hub` to be imported, and would load what no checksum was checked of.
        """
        from src.exporting.save import save_release  # here: photographs need no card

        save_release(self.method, Path(save_directory), overwrite)

    def push_to_hub(self, repo_id: str, *, private: bool = True) -> str:
        """Push the network to OWNER/NAME on the hub, see `push_network`; returns the address of the commit."""
        from src.exporting.save import push_network

        return push_network(self.method, repo_id, private=private)

    @cached_property
    def detector(self) -> Detector:
        """What finds the faces.

        Raises:
            UserError: a package or a file of it is missing.
        """
        return build_detector(*self._detector) if isinstance(self._detector, tuple) else self._detector

    @property
    def sizes(self) -> tuple[int, int]:
        """The least and the largest own size of the faces that it takes, in pixels."""
        return self.method.own_size or SIZES_OF_16

    def __call__(
        self, image: str | Path | Image.Image | NDArray[np.uint8], boxes: Sequence[FaceBox] | None = None
    ) -> PhotoResult:
        """The upscaled faces of a photograph.

        Args:
            image: a file, a Pillow picture, or (H, W, 3) uint8 RGB.
            boxes: the faces if they are known, x0, y0, x1, y1 in pixel edges from the upper forehead to the chin; None:
                the detector finds them.

        Raises:
            UserError: the file is no picture that can be read, or a box is none.
            ValueError: the array is of another shape or type.
        """
        seconds: dict[str, float] = {}
        with timed(seconds, "read"):
            pixels = pixels_of(image)
        with timed(seconds, "detect"):
            found = self.detector.find(pixels) if boxes is None else [face_of(box) for box in boxes]
        squares, kept, left_out = [], [], []
        for face in found:
            square = square_of(face.box)
            reason = self.why_left_out(square, (pixels.shape[1], pixels.shape[0]))
            if reason:
                left_out.append(LeftOut(face.box, face.score, round(side_of(square)), reason))
            else:
                squares.append(square)
                kept.append(face)
        faces: list[UpscaledFace] = []
        for start in range(0, len(kept), self.batch):
            part = slice(start, start + self.batch)
            for seen in self._upscaled(pixels, kept[part], squares[part], seconds):
                if isinstance(seen, LeftOut):
                    left_out.append(seen)
                else:
                    faces.append(seen)
        return PhotoResult(pixels, faces, left_out, seconds)

    def why_left_out(self, square: Square, size: tuple[int, int]) -> str:
        """Why a face is left out of a photograph of this width and height; "" if it is not."""
        own = round(side_of(square))
        if square.outside(*size) >= 0.75 or own > 4 * max(size):
            return "its square lies outside the photograph"
        return self.why_not_taken(own)

    def why_not_taken(self, own: int) -> str:
        """Why a face of this own size is left out; "" if it is not."""
        low, high = self.sizes
        if self.any_size or low <= own <= high:
            return ""
        what = f"below the {low}" if own < low else f"above the {high}"
        return f"{own} px is {what} px of the training"

    def matrices(self, lr: Tensor) -> NDArray[np.float32] | None:
        """The transforms (B, 2, 3) that the network estimates for LR faces as `cut` gives them; None without an STN."""
        with torch.inference_mode():
            matrix = self.method.transforms(lr.to(self.device))
        return None if matrix is None else matrix.float().cpu().numpy()

    def _upscaled(
        self,
        pixels: NDArray[np.uint8],
        found: Sequence[FoundFace],
        squares: Sequence[Square],
        seconds: dict[str, float],
    ) -> Iterator[UpscaledFace | LeftOut]:
        first, places = self._looked(pixels, squares, seconds)
        again = {
            at: place
            for at, (seen, place) in enumerate(zip(squares, places, strict=True))
            if place is not None and moved(seen, place) > LOOK_AGAIN
        }
        if again:
            second, closer = self._looked(pixels, [*again.values()], seconds)
            better = [number for number, place in enumerate(closer) if place is not None]
            at = [[*again][number] for number in better]
            for index, number in zip(at, better, strict=True):
                places[index] = closer[number]
            _replace(first, second, at, better)
        images = to_bytes(first.image).cpu().numpy()
        maps = first.heatmaps[-1].float().cpu().numpy() if first.heatmaps else None
        for number, (face, seen, place) in enumerate(zip(found, squares, places, strict=True)):
            own, heatmaps = round(side_of(seen)), None if maps is None else maps[number]
            if place is None:
                yield LeftOut(face.box, face.score, own, "the network finds no upright face in it")
            else:
                yield UpscaledFace(images[number], heatmaps, face.box, face.score, own, place, confidence_of(heatmaps))

    def _looked(
        self, pixels: NDArray[np.uint8], squares: Sequence[Square], seconds: dict[str, float]
    ) -> tuple[Upscaled, list[Square | None]]:
        """The network's output for squares of a photograph, and where the upright faces are on it.

        None where an output is not finite, or the face would be far from its square.
        """
        with timed(seconds, "cut"):
            lr = cut(pixels, squares, self.method.lr_side, self.method.own_size)
        with timed(seconds, "network"), torch.inference_mode():
            output = self.method(lr.to(self.device))
            sound = finite(output).tolist()
            if output.matrix is None:
                return output, [square if whole else None for square, whole in zip(squares, sound, strict=True)]
            matrices = output.matrix.cpu().numpy()
        return output, [
            upright_square(square, matrix) if whole and possible(matrix) else None
            for square, matrix, whole in zip(squares, matrices, sound, strict=True)
        ]


def finite(output: Upscaled) -> Tensor:
    """(B,) bool: whether a face and its heatmaps are finite."""
    whole = output.image.isfinite().flatten(1).all(1)
    for maps in output.heatmaps[-1:]:
        whole = whole & maps.isfinite().flatten(1).all(1)
    return whole


def _replace(first: Upscaled, second: Upscaled, at: list[int], better: list[int]) -> None:
    """Put faces `better` of those looked at again in the places `at` of the batch."""
    with torch.inference_mode():
        pairs: list[tuple[Tensor, Tensor]] = [(first.image, second.image)]
        pairs += zip(first.heatmaps, second.heatmaps, strict=True)
        for old, new in pairs:
            old[at] = new[better]
