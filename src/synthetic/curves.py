"""Feature outlines, shared by relief, paint and landmarks, so that landmarks match the drawing.

Face coordinates are x, y in millimetres on the unrolled front of the head.
"""

from numba import njit

from src.synthetic.compiled import FAST_MATH
from src.synthetic.parameters import Shape


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def _arch(s: float, fullness: float) -> float:
    """About s ** (1 - fullness) for s in 0..1, but cheaper; 0 for smaller s."""
    return s * (1.0 + fullness - fullness * s) if s > 0.0 else 0.0


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def lid_line(t: float, shape: Shape) -> float:
    """Height of the line between the eye's corners at t (-1 inner corner, 1 outer corner)."""
    return -0.9 + (0.4 + 0.6 * shape.eye_tilt) * t


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def upper_lid(t: float, shape: Shape) -> float:
    """Height of the upper lid's edge at t (-1 inner corner, 1 outer corner)."""
    return lid_line(t, shape) + shape.eye_up * _arch(1.0 - t * t, 0.4)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def lower_lid(t: float, shape: Shape) -> float:
    """Height of the lower lid's edge at t (-1 inner corner, 1 outer corner)."""
    return lid_line(t, shape) - shape.eye_low * _arch(1.0 - t * t, 0.28)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def brow_line(t: float, shape: Shape) -> float:
    """Height of the brow's spine at t (0 inner end, 1 outer end)."""
    return 16.4 + shape.brow_y + shape.brow_arch * (24.0 * t - 27.0 * t * t * (0.6 + 0.4 * t))


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def mouth_line(t: float, shape: Shape) -> float:
    """Height of the closed mouth's line at t (-1 and 1 the corners); a smile lifts the corners."""
    return shape.mouth_y + (0.6 + 4.2 * shape.smile) * t * t * (1.25 - 0.25 * t * t)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def upper_lip_top(t: float, shape: Shape) -> float:
    """Height of the upper lip's outer edge with its Cupid's bow."""
    arch = shape.lip_up + 0.12 * shape.mouth_open
    return (
        mouth_line(t, shape)
        + arch * max(0.0, 1.0 - abs(t) * (0.2 + 0.8 * abs(t)))
        - shape.bow / (1.0 + (t / 0.13) ** 4)
    )


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def lower_lip_bottom(t: float, shape: Shape) -> float:
    """Height of the lower lip's outer edge."""
    drop = shape.lip_low + shape.mouth_open
    return mouth_line(t, shape) - drop * _arch(1.0 - t * t * (0.65 + 0.35 * abs(t)), 0.1)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def mouth_top(t: float, shape: Shape) -> float:
    """Height of the opening's upper edge; t is 1 at the inner corners."""
    return mouth_line(t, shape) + 0.12 * shape.mouth_open * max(0.0, 1.0 - t * t)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def mouth_bottom(t: float, shape: Shape) -> float:
    """Height of the opening's lower edge; t is 1 at the inner corners."""
    return mouth_line(t, shape) - shape.mouth_open * _arch(1.0 - t * t * (0.75 + 0.25 * abs(t)), 0.1)


@njit(cache=True, error_model="numpy", fastmath=FAST_MATH)
def chin_y(shape: Shape) -> float:
    """Height of the chin's lowest point."""
    return -111.4 - shape.chin_drop - 0.75 * shape.mouth_open
