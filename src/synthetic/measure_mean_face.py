"""Measurement of the numbers in `src.face.mean_face`; `python -m src.synthetic.measure_mean_face` prints them."""

import numpy as np
from numpy.typing import NDArray

from src.face.points import MIRROR
from src.synthetic.identity import sample_identity
from src.synthetic.parameters import packed
from src.synthetic.render import view_landmarks
from src.synthetic.skin_points import head_landmarks

_TO_PICTURE_AXES = np.array([1.0, -1.0, -1.0])  # from y up, z to the viewer to y down, z away
_REFLECTED = np.array([-1.0, 1.0, 1.0])
_SEED = 20


def measure_points(heads: int = 2000) -> NDArray[np.float64]:
    """The 68 landmarks (68, 3) in millimetres: the mean over random heads with expressions, made symmetrical."""
    rng = np.random.default_rng(_SEED)
    points = [head_landmarks(packed(sample_identity(rng).shape))[0] for _ in range(heads)]
    return _symmetrical(np.mean(points, 0) * _TO_PICTURE_AXES)


def measure_cones(views: int = 20_000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cone of camera directions from which each landmark is visible: unit axes (68, 3) and cosines (68,).

    They come from a logistic regression of `visible` on the direction, over random heads at yaw -95 to 95 and pitch -40
    to 40 degrees and their mirror images.
    """
    rng = np.random.default_rng(_SEED)
    drawn = [view_landmarks(sample_identity(rng), rng.uniform(-95, 95), rng.uniform(-40, 40)) for _ in range(views)]
    to_camera = np.stack([view.to_camera for view in drawn]) * _TO_PICTURE_AXES
    visible = np.stack([view.visible for view in drawn])
    to_camera = np.concatenate([to_camera, to_camera * _REFLECTED])
    visible = np.concatenate([visible, visible[:, MIRROR]])
    weights = _logistic_regression(np.insert(to_camera, 3, 1.0, 1), visible)  # (68, 4)
    length = np.linalg.norm(weights[:, :3], axis=1)
    axes = _symmetrical(weights[:, :3] / length[:, None])
    cosines = -weights[:, 3] / length
    return axes, (cosines + cosines[MIRROR]) / 2


def _symmetrical(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((vectors + vectors[MIRROR] * _REFLECTED) / 2)


def _logistic_regression(inputs: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights (K, D) of K regressions of labels (N, K) on inputs (N, D), by Newton's method."""
    ridge = 1e-4 * len(inputs) * np.eye(inputs.shape[1])  # for convergence if a landmark is never in doubt
    weights = np.zeros((labels.shape[1], inputs.shape[1]))
    for _ in range(20):
        chance = 1 / (1 + np.exp(-inputs @ weights.T))  # (N, K)
        gradient = (chance - labels).T @ inputs + weights @ ridge
        spread = np.stack([(inputs * s[:, None]).T @ inputs for s in (chance * (1 - chance)).T])  # (K, D, D)
        weights -= np.linalg.solve(spread + ridge, gradient[..., None])[..., 0]
    return weights


if __name__ == "__main__":
    for row in np.concatenate([measure_points().round(1), *(c.reshape(68, -1).round(3) for c in measure_cones())], 1):
        print(f"    ({', '.join(f'{value + 0.0:g}' for value in row)}),")
