"""The photograph of a drawn head: its out-of-focus background, and linear light developed to 8-bit pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def backdrop(rng: np.random.Generator, side: int) -> Picture:
    """Out-of-focus background (side, side, 3) in linear light: a gradient with soft shapes, or a plain studio wall."""
    small = 48
    base = rng.uniform(20, 235, 3)
    base = base.mean() + (base - base.mean()) * rng.uniform(0.05, 0.4)
    other = np.clip(base + rng.normal(0, 12, 3) + rng.normal(0, 40), 5, 250)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:small, 0:small] / small - 0.5
    ramp = np.clip(0.5 + rows * np.sin(angle) + columns * np.cos(angle), 0, 1)[..., None]
    canvas = np.ascontiguousarray(base * (1 - ramp) + other * ramp, dtype=np.float32)
    for _ in range(int(rng.integers(0, 9))):
        colour = tuple(float(c) for c in np.clip(base + rng.normal(0, 18, 3) + rng.normal(0, 45), 0, 255))
        x, y = (int(v) for v in rng.integers(-6, small + 6, 2))
        if rng.random() < 0.5:
            cv2.circle(canvas, (x, y), int(rng.integers(2, 12)), colour, -1)
        else:
            w, h = (int(v) for v in rng.integers(3, 30, 2))
            cv2.rectangle(canvas, (x - w // 2, y - h // 2), (x + w // 2, y + h // 2), colour, -1)
    canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(1.2, 4.0))), np.float32)
    linear = np.square(canvas / np.float32(255.0))
    return np.asarray(cv2.resize(linear, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def develop(rng: np.random.Generator, linear: Picture) -> NDArray[np.uint8]:
    """Photograph (S, S, 3) uint8 from linear light: exposure, white balance, soft shoulder, slight blur and grain."""
    exposure = float(np.clip(rng.normal(0.95, 0.16), 0.6, 1.35))
    balance = (
        np.float32(exposure) * np.array([1.0, 1.0, 1.0], np.float32) * (1 + rng.normal(0, 0.035, 3)).astype(np.float32)
    )
    light = np.maximum(linear * balance, 0)
    # A film-like shoulder: linear in the shadows, highlights roll off instead of clipping.
    light = light * (1 + light / np.float32(2.6)) / (1 + light * np.float32(0.62))
    encoded = np.sqrt(np.minimum(light, 1)) * np.float32(255.0)
    contrast = np.float32(rng.uniform(0.92, 1.1))
    encoded = (encoded - 118) * contrast + 118
    if rng.random() < 0.5:
        encoded = np.asarray(cv2.GaussianBlur(encoded, (0, 0), float(rng.uniform(0.3, 0.75))), np.float32)
    grain = rng.standard_normal(linear.shape[:2], dtype=np.float32) * np.float32(rng.uniform(0.3, 2.3))
    return np.clip(encoded + grain[..., None] + np.float32(0.5), 0, 255).astype(np.uint8)
