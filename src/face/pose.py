"""Pose of faces from their landmarks: a weak-perspective fit of the mean face, in batches.

Rotations map the mean face's axes (x to image right, y down, z away from the camera) to the camera's.
"""

import numpy as np
from numpy.typing import NDArray

from src.face.mean_face import MEAN_FACE
from src.face.points import BROWS, EYES, JAW, MOUTH, POINTS

MIN_KNOWN = 6  # landmarks that a pose needs
_CHUNK = 20_000  # faces at a time; limits the memory
_STEPS = 5  # of Gauss-Newton; a fifth step turns only faces with the noisiest points by 0.01 degrees or more
# Square millimetres added to the covariance of the known points, as if of a frontal face: they keep a fit of points in
# one line or plane solvable. Five points say little about depth, so they get a large value there: the one with the
# least error on HELEN's and LFW's training faces.
_PRIOR, _DEPTH_PRIOR_FIVE = 0.1, 100.0
_REACH = 40.0  # millimetres: how far each of the five points pulls the landmarks around it


def _weights() -> NDArray[np.float64]:
    """The weight of each landmark, (68,), about the inverse of its variance over faces and expressions.

    2-D annotations of the jaw follow the visible contour, not fixed places on the skin, so the jaw counts only where
    little else is known.
    """
    weights = np.ones(POINTS)
    weights[BROWS] = 0.5
    weights[EYES] = 0.5
    weights[[36, 39, 42, 45]] = 1.0
    weights[MOUTH] = 0.25
    weights[60:68] = 0.1
    weights[JAW] = 0.02
    weights[8] = 0.1
    return weights


_WEIGHTS = _weights()


def estimate_pose(points: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The rotation of each face from its 2-D landmarks.

    The pose is relative to the line of sight: a near camera sees a face beside its axis turned by a few more degrees.
    A face that cannot be fitted (fewer than 6 known points, or all in one place or line) gets the frontal pose.

    Args:
        points: (B, 68, 2) x, y in pixels; any value, NaN included, where not known.
        known: (B, 68).

    Returns:
        (B, 3, 3).
    """
    rotation = np.empty((len(points), 3, 3))
    for start in range(0, len(points), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        placed, weights = _placed(points[chunk], known[chunk])
        rotation[chunk] = _fit(placed, weights, MEAN_FACE, 0.0)[0]
    return rotation


def rotation_from_3d(points: NDArray[np.floating], known: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """The rotation of each face from its 3-D landmarks, in the convention of `estimate_pose`.

    Args:
        points: (B, 68, 3) x to image right, y down, z away from the camera, all in the same unit.
        known: (B, 68); None: all.

    Returns:
        (B, 3, 3).
    """
    placed, weights = _placed(points, np.ones(points.shape[:2], bool) if known is None else known)
    _, cross, _, _ = _moments(placed, weights, MEAN_FACE)
    u, values, v = np.linalg.svd(cross)
    u[..., 2] *= np.linalg.det(u @ v)[:, None]
    fitted = (_counts(weights) >= MIN_KNOWN) & (values[:, 1] > 1e-3 * values[:, 0])
    return np.where(fitted[:, None, None], u @ v, np.eye(3))


def pose_angles(
    rotation: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Yaw, pitch and roll in degrees, each (B,), of rotations (B, 3, 3): the head turns by yaw, then pitch, then roll.

    Positive yaw turns the face to image right, positive pitch looks up, positive roll is clockwise on the screen.
    """
    yaw = np.arctan2(rotation[:, 2, 0], rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(-rotation[:, 2, 1], -1, 1))
    roll = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    return np.degrees(yaw), np.degrees(pitch), np.degrees(roll)


def known_yaw(points: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Yaw in degrees of faces with enough known landmarks for a pose, else NaN; shapes as of `estimate_pose`."""
    yaw, _, _ = pose_angles(estimate_pose(points, known))
    return np.where(known.sum(1) >= MIN_KNOWN, yaw, np.nan)


def rotation_of(yaw: float, pitch: float, roll: float = 0.0) -> NDArray[np.float64]:
    """The rotation (3, 3) for angles in degrees; the inverse of `pose_angles`."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    tilt = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(lean @ tilt @ turn)


def five_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """CelebA's five points (..., 5, D) from 68 landmarks (..., 68, D).

    In order: the image-left eye's centre, the image-right eye's, the tip of the nose, the image-left corner of the
    mouth, the image-right corner.
    """
    eyes = points[..., 36:48, :].reshape(*points.shape[:-2], 2, 6, points.shape[-1]).mean(-2)
    return np.concatenate([eyes, points[..., [30, 48, 54], :]], -2)


def mean_face_through_five(five: NDArray[np.floating]) -> NDArray[np.float64]:
    """68 landmarks of the mean face in the pose of CelebA's five points, bent to pass through them.

    Args:
        five: (B, 5, 2) in the order of `five_points`; finite.

    Returns:
        (B, 68, 2).
    """
    seen = np.asarray(five, np.float64)
    model = np.asarray(five_points(MEAN_FACE), np.float64)
    rotation, scale, shift = _fit(seen, np.ones(seen.shape[:2]), model, _DEPTH_PRIOR_FIVE)
    landmarks = scale[:, None, None] * (MEAN_FACE @ rotation[:, :2].swapaxes(1, 2)) + shift[:, None]
    apart = np.linalg.norm(MEAN_FACE[:, None, :2] - model[:, :2], axis=-1)
    pull = np.exp(-((apart / _REACH) ** 2))  # (68, 5)
    pull = pull @ np.linalg.inv(five_points(pull))
    return np.asarray(landmarks + pull @ (seen - five_points(landmarks)))


def _placed(points: NDArray[np.floating], known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points and their weights (B, 68), both 0 where not known."""
    known = known & np.isfinite(points).all(-1)
    return np.where(known[..., None], points, 0.0).astype(np.float64), known * _WEIGHTS


def _counts(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray((weights > 0).sum(1))


def _moments(
    points: NDArray[np.float64], weights: NDArray[np.float64], model: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """The moments of points (B, N, D) and of the model (N, 3) that a fit needs.

    Covariance of the model's known points (B, 3, 3), their covariance with the picture's (B, D, 3), both means.
    """
    share = weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)
    seen_mean, model_mean = (share[:, None] @ points)[:, 0], share @ model
    squares = (model[:, :, None] * model[:, None, :]).reshape(-1, 9)
    own = (share @ squares).reshape(-1, 3, 3) - model_mean[:, :, None] * model_mean[:, None]
    cross = (points - seen_mean[:, None]).swapaxes(1, 2) @ (share[..., None] * model)
    return own, cross, seen_mean, model_mean


def _fit(
    points: NDArray[np.float64], weights: NDArray[np.float64], model: NDArray[np.float64], depth_prior: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (B, 3, 3), scale (B,), shift (B, 2): `scale * rotation @ model + shift` has the least squared error.

    Scaled orthographic projection: first the affine map of least error, then its nearest rotation (POS, DeMenthon and
    Davis 1995), then Gauss-Newton on a quaternion whose squared length is the scale, which needs no constraint.
    """
    own, cross, seen_mean, model_mean = _moments(points, weights, model)
    flat = np.trace(own[:, :2, :2], axis1=1, axis2=2) + 1e-12
    along = (cross[:, 0, 0] + cross[:, 1, 1]) / flat
    across = (cross[:, 1, 0] - cross[:, 0, 1]) / flat
    frontal = np.zeros_like(cross)  # the similarity of least error
    frontal[:, 0, 0] = frontal[:, 1, 1] = along
    frontal[:, 1, 0], frontal[:, 0, 1] = across, -across
    prior = np.array([_PRIOR, _PRIOR, _PRIOR + depth_prior])
    own += np.diag(prior)
    cross += frontal * prior

    u, values, v = np.linalg.svd(cross @ np.linalg.inv(own), full_matrices=False)
    rows = u @ v
    least = 3 if len(model) < MIN_KNOWN else MIN_KNOWN
    fitted = (_counts(weights) >= least) & (values[:, 1] > 1e-3 * values[:, 0])
    rows[~fitted] = np.eye(3)[:2]
    scale = np.maximum((rows * cross).sum((1, 2)) / (rows @ own * rows).sum((1, 2)), 0.0)
    # Faces that cannot be fitted get the moments of the frontal pose at scale 1, so they stay frontal.
    cross[~fitted] = own[~fitted, :2]
    length = np.where(fitted, np.sqrt(scale), 1.0)
    quaternion = _quaternion(np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)) * length[:, None]
    for _ in range(_STEPS):
        slopes = _slopes(quaternion)  # (B, 2, 3, 4)
        # The two rows are quadratic in the quaternion q, so they equal (slopes @ q) / 2.
        rows = (slopes @ quaternion[:, None, :, None])[..., 0] / 2
        gradient = np.einsum("brik,bri->bk", slopes, cross - rows @ own)
        squares = (slopes.swapaxes(2, 3) @ own[:, None] @ slopes).sum(1)
        quaternion = quaternion + np.linalg.solve(squares, gradient[..., None])[..., 0]
    square = (quaternion**2).sum(1)
    rows = (_slopes(quaternion) @ quaternion[:, None, :, None])[..., 0] / (2 * square[:, None, None])
    rotation = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    scale = np.where(fitted, square, scale)
    return rotation, scale, seen_mean - scale[:, None] * (rotation[:, :2] @ model_mean[..., None])[..., 0]


def _slopes(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative (B, 2, 3, 4) by w, x, y, z of the rotation's first two rows times the squared length."""
    w, x, y, z = quaternion.T
    table = [[[w, x, -y, -z], [-z, y, x, -w], [y, z, w, x]], [[z, y, x, w], [w, -x, y, -z], [-x, -w, z, y]]]
    return 2 * np.moveaxis(np.array(table), -1, 0)


def _quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit quaternions (B, 4), w x y z, of rotations (B, 3, 3) (Bar-Itzhack 2000)."""
    trace = np.trace(rotation, axis1=1, axis2=2)
    form = np.empty((len(rotation), 4, 4))
    form[:, 0, 0] = trace
    form[:, 1:, 1:] = rotation + rotation.swapaxes(1, 2) - trace[:, None, None] * np.eye(3)
    skew = rotation - rotation.swapaxes(1, 2)
    form[:, 1:, 0] = form[:, 0, 1:] = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], 1)
    return np.asarray(np.linalg.eigh(form)[1][..., -1])
