"""Smooths a face's square over time, so that neither the network's input nor the pasted face jumps."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.image.crop import Square

SMOOTHING: Final = 0.1
"""Our choice: standard deviation in seconds of the Gaussian over time; docs/use.md says what it does."""
REACH: Final = 3.0
"""Frames further away than so many standard deviations have no weight."""


def smoothed(values: NDArray[np.float64], times: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """Each value in place of the line that fits its neighbours best, weighted by a Gaussian over time.

    What moves evenly stays as it is, at the ends too, where a plain mean would lag behind.

    Args:
        values: (T, K).
        times: (T,) in seconds, rising; the steps may differ.
        deviation: of the Gaussian in seconds; 0: nothing is smoothed.

    Returns:
        (T, K).
    """
    if deviation <= 0:
        return values.copy()
    result = np.empty_like(values)
    starts = np.searchsorted(times, times - REACH * deviation)
    stops = np.searchsorted(times, times + REACH * deviation, "right")
    for at, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        since = times[start:stop] - times[at]
        weights = np.exp(-0.5 * (since / deviation) ** 2)
        whole, first, second = weights.sum(), weights @ since, weights @ since**2
        spread = whole * second - first**2
        if spread > 1e-9 * whole * whole * deviation**2:
            weights = weights * (second - first * since) / spread
        else:  # a frame alone, which no line goes through
            weights = weights / whole
        result[at] = weights @ values[start:stop]
    return result


def steady(numbers: NDArray[np.float64], times: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """Squares as `numbers_of` smoothed over time; the roll goes the short way round the circle.

    Args:
        numbers: (T, 4).
        times: (T,) in seconds, rising.
        deviation: of the Gaussian in seconds; 0: nothing is smoothed.

    Returns:
        (T, 4).
    """
    unrolled = numbers.copy()
    unrolled[:, 3] = np.unwrap(numbers[:, 3])
    return smoothed(unrolled, times, deviation)


def numbers_of(squares: Sequence[Square]) -> NDArray[np.float64]:
    """Squares as numbers to smooth, (T, 4): centre x and y in pixel edges, logarithm of the side, roll."""
    rows = [
        ((x0 + x1) / 2, (y0 + y1) / 2, np.log(x1 - x0), square.roll)
        for square in squares
        for x0, y0, x1, y1 in [square.box]
    ]
    return np.array(rows, float).reshape(-1, 4)


def square_of_numbers(numbers: NDArray[np.float64]) -> Square:
    """The square that `numbers_of` made a row (4,) of."""
    x, y, octave, roll = numbers.tolist()
    half = float(np.exp(octave)) / 2
    return Square((x - half, y - half, x + half, y + half), roll)
