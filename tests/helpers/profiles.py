"""ICC profiles of colour spaces that cameras and printers use, and what their colours are in sRGB, by the formulas."""

import struct

import numpy as np
from numpy.typing import NDArray

from src.image.colour import matrix_profile

SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
WIDE = {
    "Display P3": (((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)), 2.2),
    "linear light": (SRGB, 1.0),
    "ProPhoto": (((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)), 1.8),
    "Adobe RGB": (((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 563 / 256),
}  # fmt: skip
"""Name -> XYZ of red, green and blue under D50, and the gamma."""


def wide_profile(name: str) -> bytes:
    return matrix_profile(*WIDE[name])


def in_srgb(colours: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
    """Colours (..., 3) of a wide space in levels of sRGB, clipped."""
    primaries, gamma = WIDE[name]
    light = (colours / 255) ** gamma @ np.array(primaries) @ np.linalg.inv(SRGB)
    return encoded(light)


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light, 0 to 1, in levels of sRGB."""
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(79), **tags}
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags[b"wtpt"] = b"XYZ " + bytes(4) + white
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02100000, b"prtr", space, connection)
    return (head + bytes(12) + b"acsp" + bytes(28) + white).ljust(128, b"\0") + table + body


def grey_profile(gamma: float) -> bytes:
    return profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))})


def ink_profile() -> bytes:
    """CMYK in which black ink alone darkens, in even steps of L*; the other inks leave no trace."""
    unit = struct.pack(">9i", *(65536 * (at % 4 == 0) for at in range(9)))
    ramp = bytes(range(256))
    corners = b"".join(bytes([255 * (1 - corner % 2), 128, 128]) for corner in range(16))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + 4 * ramp + corners + 3 * ramp
    return profile(b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})
