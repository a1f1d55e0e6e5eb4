"""The check that 68 points can be the landmarks of a face in a picture of a given size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.system.errors import BadFace

MIN_KNOWN = 20  # of 68: Menpo's profile faces have 37 of them
MIN_SIZE = 8.0  # pixels: longer side of the landmarks' box

# The parts of the 68-point scheme, each an open line of neighbours.
LINES = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36), range(36, 42), range(42, 48),
         range(48, 60), range(60, 68))  # fmt: skip


def check_landmarks(points: NDArray[np.float32], width: int, height: int, file: str, any_roll: bool = False) -> None:
    """Raise BadFace unless the points are plausibly the 68 landmarks of a face in a picture of this size.

    In-plane rotations up to 60 degrees pass at any yaw up to 90. Swapped axes, another order of the points, and a
    mirror image with unmirrored numbers fail. Two wrong cases still pass: a mirrored full profile with all 68 points,
    where left and right coincide; and a profile with one known eye, swapped axes and a lean of over 15 degrees, which
    looks like a rolled profile of the other side. All tests are relative to the face's own down direction and size.

    Args:
        points: (68, 2) in pixels, pixel centres at integers; a row of NaN is an unknown landmark.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        file: the picture's name, for the error.
        any_roll: accept any in-plane rotation, upside-down faces too; reflections still fail.
    """
    known = np.isfinite(points).all(1)
    if known.sum() < MIN_KNOWN:
        raise BadFace(file, f"{int(known.sum())} known landmarks, at least {MIN_KNOWN} needed")
    fault = _place_fault(points[known].astype(float), width, height) or _shape_fault(points.astype(float), any_roll)
    if fault:
        raise BadFace(file, fault)


def tilt_of(points: NDArray[np.floating]) -> float:
    """How far the way from the eyes to the mouth is from straight down, in degrees, -180 to 180; NaN if not known."""
    down, _ = _down(points.astype(np.float64))
    return float(np.degrees(np.arctan2(down[0], down[1])))


def _down(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """The face's own down direction, (2,) in pixels, and by how many degrees it may be off in an upright face.

    The degrees are 60 of roll, and more for the way from a profile's eyes to its mouth.
    """
    one_eye = bool(np.isnan(_mean(points, range(36, 42)) + _mean(points, range(42, 48))).any())
    middle = _mean(points, (51, 57, 62, 66)) - points[27]
    if one_eye and np.isfinite(middle).all():  # a profile's mouth is some 30 degrees ahead of its one known eye
        return middle, 75
    return _mean(points, range(48, 68)) - _mean(points, range(36, 48)), 85


def _place_fault(points: NDArray[np.float64], width: int, height: int) -> str:
    size = np.array([width, height])
    beyond = np.maximum(-0.5 - points, points - (size - 0.5)).max(1)  # > 0: outside, in pixels
    centre = points.mean(0)
    if (centre < -0.5).any() or (centre > size - 0.5).any():
        return f"landmarks outside the picture: their centre is ({centre[0]:.0f}, {centre[1]:.0f}) in {width}x{height}"
    outside = int((beyond > 0).sum())
    if outside * 3 > len(points):
        return f"landmarks outside the picture: {outside} of {len(points)}"
    if beyond.max() > max(width, height) / 2:
        return f"landmarks outside the picture: one by {beyond.max():.0f} pixels in {width}x{height}"
    box = float(np.ptp(points, axis=0).max())
    return f"the landmarks' box is {box:.1f} pixels: too small for a face" if box < MIN_SIZE else ""


def _shape_fault(points: NDArray[np.float64], any_roll: bool) -> str:
    """The fault in the layout of the points, or "".

    The bounds are about half of (or twice) the extremes over 9,278 annotated real faces, and wider for profiles.
    """
    box = float(np.ptp(points[np.isfinite(points).all(1)], axis=0).max())
    order = "are they in the iBUG 68-point order, x before y?"
    eyes, mouth = _mean(points, range(36, 48)), _mean(points, range(48, 68))
    one_eye = bool(np.isnan(_mean(points, range(36, 42)) + _mean(points, range(42, 48))).any())
    down, lean = _down(points)
    height = float(np.hypot(*down))
    if np.isnan(height):
        return "all landmarks of the eyes or of the mouth are unknown"
    if height < 0.15 * box:
        return f"implausible landmarks: eyes and mouth coincide; {order}"
    down = down / height
    right = np.array([down[1], -down[0]])
    tilt = tilt_of(points)
    if abs(tilt) > lean and not any_roll:
        return f"implausible landmarks: the face is tilted by {tilt:.0f} degrees; {order}"
    jaw, side = (range(9, 17), 1) if np.isfinite(points[42:48]).all(1).any() else (range(8), -1)
    outwards = (_mean(points, jaw) - _mean(points, range(27, 36))) @ right * side if one_eye else np.nan
    steps = {  # (signed distance along an axis / eye-mouth distance, least, most)
        "the brows are not above the eyes": ((eyes - _mean(points, range(17, 27))) @ down, 0.0, 1.5),
        "the nose is not between eyes and mouth": ((_mean(points, range(30, 36)) - eyes) @ down, 0.1, 1.2),
        "the chin is not below the mouth": ((_mean(points, range(6, 11)) - mouth) @ down, 0.05, 2.5),
        "the jaw runs from right to left": ((points[16] - points[0]) @ right, -0.5, 8.0),
        "the left and right eyes are swapped": (
            (_mean(points, range(42, 48)) - _mean(points, range(36, 42))) @ right, -0.35, 4.0
        ),
        "the jaw below the one known eye is beyond the nose": (outwards, -0.35, 4.0),
        "the mouth runs from right to left": ((points[54] - points[48]) @ right, -0.35, 4.0),
    }  # fmt: skip
    for fault, (distance, least, most) in steps.items():
        if not np.isnan(distance) and not least <= distance / height <= most:
            return f"implausible landmarks: {fault}; {order}"
    for line in LINES:
        longest = np.linalg.norm(np.diff(points[line.start : line.stop], axis=0), axis=1)
        if (longest > 0.5 * box).any():
            return f"implausible landmarks: neighbours in {line.start} to {line.stop - 1} are far apart; {order}"
    return ""


def _mean(points: NDArray[np.float64], which: Sequence[int]) -> NDArray[np.float64]:
    """The mean of the known points among `which`; NaN if none is known."""
    part = points[list(which)]
    part = part[np.isfinite(part).all(1)]
    return part.mean(0) if len(part) else np.full(2, np.nan)
