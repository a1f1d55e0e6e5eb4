"""The error of a network's landmarks against a source's own, with found faces matched to annotated ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SAME_FACE = 0.3  # landmark boxes with at least this intersection over union are of one face
OUTER_EYE_CORNERS = (36, 45)


def matched_errors(
    found: Sequence[NDArray[np.float32]], annotated: Sequence[NDArray[np.float32]]
) -> list[float | None]:
    """For each found face, its error against the annotated face it overlaps, or None; each annotation is used once."""
    errors: list[float | None] = [None] * len(found)
    pairs = [(_overlap(a, b), i, j) for i, a in enumerate(found) for j, b in enumerate(annotated)]
    taken: set[int] = set()
    for overlap, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if overlap >= SAME_FACE and errors[i] is None and j not in taken:
            errors[i] = landmark_error(found[i], annotated[j])
            taken.add(j)
    return errors


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over union of the landmarks' bounding boxes."""
    low, high = np.maximum(np.nanmin(a, 0), np.nanmin(b, 0)), np.minimum(np.nanmax(a, 0), np.nanmax(b, 0))
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = sum(float(np.prod(np.nanmax(points, 0) - np.nanmin(points, 0))) for points in (a, b))
    return shared / (areas - shared) if areas > shared else 0.0


def landmark_error(points: NDArray[np.float32], truth: NDArray[np.float32]) -> float | None:
    """Mean distance of landmarks (68, 2) to the true ones, divided by the distance between the true outer eye corners.

    Only landmarks with a known true position count. None if a true eye corner is unknown or a landmark is NaN.
    """
    known = np.isfinite(truth).all(1)
    between = float(np.linalg.norm(truth[OUTER_EYE_CORNERS[1]] - truth[OUTER_EYE_CORNERS[0]]))
    error = float(np.linalg.norm(points[known] - truth[known], axis=1).mean())
    return error / between if between > 0 and np.isfinite(error) else None
