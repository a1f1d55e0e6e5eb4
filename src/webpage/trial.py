"""The second tab without Gradio: a good face is misaligned and degraded on purpose, restored, and compared."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.camera import FRAME, CameraDraw
from src.data.own_size import canvas_side
from src.data.pairs import make_pair
from src.image.crop import crop_square
from src.image.pixels import to_bytes, upsample_bicubic
from src.image.sides import LR_SIDE, SIDE
from src.image.surroundings import Surroundings
from src.image.warp import compose, invert
from src.metric.image import psnr, unit_images
from src.photo.frames import side_of, square_of
from src.photo.upscaler import FaceUpscaler
from src.system.errors import UserError
from src.webpage.photograph import with_heatmaps

MARGIN: Final = 112
"""Pixels of HR around the face: as far as the largest misalignment of `SLIDERS` reaches."""
LEAST: Final = 64
"""Side in pixels of the smallest face that serves as HR."""


class Slider(NamedTuple):
    """The range of a setting, and its value at the beginning."""

    label: str
    low: float
    high: float
    step: float
    first: float


SLIDERS: Final[Mapping[str, Slider]] = {
    "rotation": Slider("Rotation (degrees)", -45, 45, 1, 15),
    "scale": Slider("Scale", 0.7, 1.3, 0.01, 0.95),
    "shift_x": Slider("Shift to the right (%)", -15, 15, 0.5, 3),
    "shift_y": Slider("Shift down (%)", -15, 15, 0.5, -2),
    "blur": Slider("Blur (px of the small face)", 0, 2, 0.05, 0),
    "noise": Slider("Noise (grey levels)", 0, 50, 0.5, 0),
    "quality": Slider("JPEG quality", 1, 100, 1, 100),
    "gamma": Slider("Gamma of the tone curve", 0.5, 2, 0.01, 1),
}
"""Setting -> its slider. Beyond the training's ranges too: they are the limits to be tried."""


@dataclass(frozen=True)
class Settings:
    """What is done to a face; see `SLIDERS` for the units.

    Attributes:
        own_size: side in pixels at which the camera sees the face, of a network for many sizes.
    """

    rotation: float = SLIDERS["rotation"].first
    scale: float = SLIDERS["scale"].first
    shift_x: float = SLIDERS["shift_x"].first
    shift_y: float = SLIDERS["shift_y"].first
    blur: float = SLIDERS["blur"].first
    noise: float = SLIDERS["noise"].first
    quality: float = SLIDERS["quality"].first
    gamma: float = SLIDERS["gamma"].first
    own_size: float = LR_SIDE

    @property
    def misalignment(self) -> Tensor:
        """(1, 4), as `make_pair` takes it."""
        values = (np.deg2rad(self.rotation), self.scale, 2 * self.shift_x / 100, 2 * self.shift_y / 100)
        return torch.tensor([values], dtype=torch.float32)

    def camera(self, frame: int) -> CameraDraw | None:
        """What a camera does to the face, the noise always the same; None where it does nothing.

        Args:
            frame: side of the compressed frame in pixels.
        """
        if (self.blur, self.noise, self.quality, self.gamma) == (0, 0, 100, 1):
            return None
        noise = np.random.default_rng(0).standard_normal((1, 3, frame, frame), np.float32)
        return CameraDraw(
            kernel=torch.zeros(1, dtype=torch.int64),  # bicubic
            blur=torch.full((1, 2), float(self.blur)),
            gamma=torch.tensor([float(self.gamma)]),
            quality=torch.tensor([float(self.quality)]),
            offset=torch.zeros(1, 2, dtype=torch.int64),
            noise=torch.from_numpy(noise) * float(self.noise),
        )


SETTINGS: Final = tuple(field.name for field in fields(Settings))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face that is large enough to be HR.

    Attributes:
        picture: (1, 352, 352, 3) uint8, the 128x128 face in the middle of its surroundings.
        own_size: side of the face's square on its photograph, in pixels.
        line: what is to be known of it.
    """

    picture: Tensor
    own_size: int
    line: str


class Trial(NamedTuple):
    """A face that was degraded and restored; pictures are (H, W, 3) uint8."""

    lr: NDArray[np.uint8]
    sr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    heatmaps: NDArray[np.uint8] | None
    """Over the restored face."""
    scores: Mapping[str, float]
    """dB: `sr` and `bicubic` against HR; `registered`: `sr` against HR where the network put the face."""


def portrait_of(upscaler: FaceUpscaler, image: NDArray[np.uint8]) -> Portrait:
    """The largest face of a photograph, upright.

    It is upright as the network sees it: where it puts the face when it looks at it as large as it can.

    Args:
        upscaler: takes faces of any size.
        image: (H, W, 3) uint8.

    Raises:
        UserError: there is no face, or none that is large enough.
    """
    found = upscaler.detector.find(image)
    if not found:
        raise UserError("no face was found: take a portrait with some room around the head")
    largest = max(found, key=lambda face: side_of(square_of(face.box)))
    result = upscaler(image, [largest.box])
    if not result.faces:
        raise UserError(f"the largest face is left out: {result.left_out[0].reason}")
    square = result.faces[0].square
    side = round(side_of(square))
    if side < LEAST:
        raise UserError(f"the largest face has {side} px, too few to compare with: {SIDE} or more are good")
    line = f"The largest of {len(found)} faces: {side} px." if len(found) > 1 else f"One face: {side} px."
    if side < SIDE:
        line += f" Below {SIDE} px, the true face itself is blurred."
    picture = crop_square(image, square.grown(MARGIN), SIDE + 2 * MARGIN)
    return Portrait(torch.from_numpy(picture.copy())[None], side, line)


def tried(upscaler: FaceUpscaler, portrait: Portrait, settings: Settings) -> Trial:
    """A face misaligned, degraded, restored and compared."""
    method = upscaler.method
    around = Surroundings(portrait.picture, torch.zeros(1, dtype=torch.bool))
    hr, own, frame = around.face(), None, FRAME
    if method.own_size is not None:
        low, high = method.own_size
        own, frame = torch.tensor([min(max(round(settings.own_size), low), high)]), canvas_side(high)
    lr, true = make_pair(
        hr, settings.misalignment, "context", around, settings.camera(frame), own, method.lr_side
    )  # fmt: skip
    with torch.inference_mode():
        output = method(lr.to(upscaler.device))
    sr = output.image.float().cpu()
    scores = {
        "bicubic": float(psnr(*unit_images(upsample_bicubic(lr[:, :3], SIDE), hr))),
        "sr": float(psnr(*unit_images(sr, hr))),
    }
    if output.matrix is not None:
        seen = around.sample(compose(invert(true), output.matrix.float().cpu()))
        scores["registered"] = float(psnr(*unit_images(sr, seen)))
    picture = to_bytes(sr)[0].numpy()
    maps = with_heatmaps(picture, output.heatmaps[-1][0].float().cpu().numpy()) if output.heatmaps else None
    return Trial(to_bytes(lr[:, :3])[0].numpy(), picture, to_bytes(hr)[0].numpy(), maps, scores)
