"""The accuracy of visibility flags and pose that are estimated from 68 points, on drawn faces with exact values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, at_least, at_most
from src.face.points import COMPONENTS
from src.face.pose import estimate_pose, pose_angles
from src.face.visibility import estimate_visibility
from src.synthetic.identity import sample_identity
from src.synthetic.render import view_landmarks

YAWS = (0, 30, 60, 75)
PEOPLE = 200  # per yaw, on each side
GRAZING = 10.0  # degrees between skin and view; below that, visibility cannot be decided
NOISE = 0.04  # mean error of a detector, as a share of the distance between the outer eye corners


@dataclass(frozen=True)
class Views:
    """Random people at one yaw and pitches within 15 degrees."""

    points: NDArray[np.float32]  # (B, 68, 2)
    depth: NDArray[np.float32]  # (B, 68)
    visible: NDArray[np.bool_]  # (B, 68)
    clear: NDArray[np.bool_]  # (B, 68): not grazing
    apparent: NDArray[np.float64]  # (B,): yaw towards the camera; the head's centre may be off its axis


def views(yaw: float, people: int = PEOPLE, seed: int = 0) -> Views:
    """Landmarks of `people` random heads."""
    rng = np.random.default_rng([seed, 1 if yaw < 0 else 0, int(abs(yaw))])
    drawn = [view_landmarks(sample_identity(rng), yaw, rng.uniform(-15, 15)) for _ in range(people)]
    facing = np.stack([view.facing for view in drawn])
    to_camera = np.stack([view.to_camera for view in drawn])
    return Views(
        np.stack([view.landmarks for view in drawn]),
        np.stack([view.depth for view in drawn]),
        np.stack([view.visible for view in drawn]),
        np.abs(np.degrees(np.arcsin(np.clip(facing, -1, 1)))) > GRAZING,
        -np.degrees(np.arctan2(to_camera[:, 0], to_camera[:, 2])),
    )


def agreement(views: Views, estimate: NDArray[np.bool_], among: NDArray[np.bool_]) -> dict[str, float]:
    """Per cent of correct flags, by component, for the landmarks in `among`."""
    right = estimate == views.visible
    return {
        name: 100 * float(right[:, list(members)][among[:, list(members)]].mean())
        for name, members in COMPONENTS[4].items()
    }


def noisy(views: Views, rng: np.random.Generator) -> NDArray[np.float64]:
    """The points as a detector with NOISE would place them."""
    solid = np.concatenate([views.points, views.depth[..., None]], -1)
    unit = np.linalg.norm(solid[:, 36] - solid[:, 45], axis=1)
    # The mean length of a 2-D normal vector is sqrt(pi / 2) standard deviations.
    spread = NOISE * unit / np.sqrt(np.pi / 2)
    return np.asarray(views.points + spread[:, None, None] * rng.standard_normal(views.points.shape))


def run() -> list[Figure]:
    """Agreement by component and yaw, the worse of both sides; worst cases of other inputs; the pose's error."""
    rng = np.random.default_rng(0)
    figures: list[Figure] = []
    worst = {"also grazing": 100.0, f"points off by {NOISE:.0%}": 100.0, "from 3-D points": 100.0}
    errors: list[NDArray[np.float64]] = []
    for yaw in YAWS:
        sides = [views(side) for side in sorted({-yaw, yaw})]
        tables = []
        for seen in sides:
            known = np.ones(seen.visible.shape, bool)
            flags = estimate_visibility(seen.points, known)
            tables.append(agreement(seen, flags, seen.clear))
            others = (
                agreement(seen, flags, known),
                agreement(seen, estimate_visibility(noisy(seen, rng), known), seen.clear),
                agreement(seen, estimate_visibility(seen.points, known, seen.depth), seen.clear),
            )
            worst = {name: min(worst[name], *table.values()) for name, table in zip(worst, others, strict=True)}
            errors.append(np.abs(pose_angles(estimate_pose(seen.points, known))[0] - seen.apparent))
        for name in COMPONENTS[4]:
            value = min(table[name] for table in tables)
            figures.append(at_least(f"visibility flags right, {name} at yaw {yaw}", value, "%", 90))
    figures += [at_least(f"visibility flags right, worst, {name}", value, "%", 90) for name, value in worst.items()]
    error = np.concatenate(errors)
    figures.append(at_most("yaw error of the 68-point fit, mean", float(error.mean()), "degrees", 3))
    figures.append(at_most("yaw error of the 68-point fit, 95 %", float(np.quantile(error, 0.95)), "degrees", 6))
    return figures
