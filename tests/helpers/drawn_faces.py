"""A schematic 68-point face and pictures to put it in, for the tests of sources, stores and crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.preparation.crop_rules import LandmarksCrop
from src.store.face import Face, FaceRow
from src.system.errors import BadFace

AS_IT_IS = LandmarksCrop("landmarks", upright=False, margin=0)
"""The crop rule that turns nothing and keeps no surroundings, for tests of other things."""


def schematic_face(
    centre: tuple[float, float] = (64, 64), size: float = 80, roll: float = 0, yaw: float = 0
) -> NDArray[np.float32]:
    """68 plausible landmarks; `size` is the width of the frontal face in pixels, angles are in degrees."""

    def line(x0: float, y0: float, x1: float, y1: float, n: int, lift: float = 0.0) -> NDArray[np.float64]:
        t = np.linspace(0, 1, n)
        return np.stack([x0 + (x1 - x0) * t, y0 + (y1 - y0) * t - lift * np.sin(np.pi * t)], 1)

    def ring(x: float, y: float, rx: float, ry: float, n: int) -> NDArray[np.float64]:
        t = np.pi + np.arange(n) * 2 * np.pi / n
        return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], 1)

    jaw = np.pi - np.linspace(0, np.pi, 17)
    points = np.concatenate([
        np.stack([0.5 * np.cos(jaw), -0.12 + 0.62 * np.sin(jaw)], 1),
        line(-0.4, -0.25, -0.1, -0.25, 5, 0.05), line(0.1, -0.25, 0.4, -0.25, 5, 0.05),
        line(0, -0.12, 0, 0.12, 4), line(-0.1, 0.18, 0.1, 0.18, 5, -0.02),
        ring(-0.22, -0.12, 0.08, 0.03, 6), ring(0.22, -0.12, 0.08, 0.03, 6),
        ring(0, 0.32, 0.18, 0.07, 12), ring(0, 0.32, 0.12, 0.03, 8),
    ])  # fmt: skip
    depth = np.concatenate([-0.45 * np.abs(np.cos(jaw)), np.zeros(10), np.linspace(0.05, 0.2, 4), np.full(37, 0.05)])
    turn, tilt = np.radians(yaw), np.radians(roll)
    x, y = points[:, 0] * np.cos(turn) + depth * np.sin(turn), points[:, 1]
    turned = np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], 1)
    return (turned * size + centre).astype(np.float32)


def noise_picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 noise: every byte tells where it came from."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pts_text(points: NDArray[np.float32]) -> str:
    """The text of a `.pts` file as 300-W writes it: pixels counted from 1."""
    rows = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n"


def face_folder(root: Path, names: list[str], table: list[str] | None = None) -> Path:
    """A folder of 128x128 PNG pictures in `images/` with their `landmarks68.npz`."""
    for number, name in enumerate(names):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise_picture(128, 128, number)).save(path)
    listed = names if table is None else table
    points = np.stack([schematic_face(size=80 + number % 3) for number in range(len(listed))])
    np.savez(root / "landmarks68.npz", names=np.array(listed), landmarks=points)
    return root


def pts_folder(root: str | Path, names: Sequence[str]) -> Path:
    """Drawn faces as 128x128 PNG pictures `NAME.png` below `root`, each with its iBUG `NAME.pts`."""
    from src.synthetic.draw import render_face  # compiles itself

    for number, name in enumerate(names):
        face, path = render_face(0, number), Path(root, f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face.image).save(path)
        path.with_suffix(".pts").write_text(pts_text(face.landmarks))
    return Path(root)


@dataclass(frozen=True)
class PlainJob:
    """A face for (seed, index) that needs no renderer."""

    seed: int
    index: int
    margin: int = 0
    upright: bool = False
    faces: int = 1

    def load(self) -> list[Face | BadFace]:
        row, side = (
            FaceRow(f"{self.index}", f"p{self.index}", (0, 0, 128, 128), "synthetic", 1.0, f"{self.index:064}"),
            128 + 2 * self.margin,
        )
        return [Face(noise_picture(side, side, self.index), schematic_face(), np.ones(68, np.bool_), row)]
