"""The 68-point scheme (iBUG), its mirror table and the facial components.

Indices are 0-based. Left and right are as seen in the picture: point 0 is at the left edge of a frontal face.
"""

from typing import Final

import numpy as np

POINTS: Final = 68

JAW: Final = range(0, 17)
BROWS: Final = range(17, 27)
NOSE: Final = range(27, 36)
EYES: Final = range(36, 48)
MOUTH: Final = range(48, 68)

COMPONENTS: Final[dict[int, dict[str, tuple[int, ...]]]] = {
    # Our choice: the published code has four unnamed channels. Brows move with the eyes; the chin is the jaw contour.
    4: {"eyes": (*BROWS, *EYES), "nose": (*NOSE,), "mouth": (*MOUTH,), "chin": (*JAW,)},
    5: {"brows": (*BROWS,), "eyes": (*EYES,), "nose": (*NOSE,), "mouth": (*MOUTH,), "chin": (*JAW,)},
    68: {str(point): (point,) for point in range(POINTS)},
}
"""Facial components for each number of heatmaps M: name -> the landmarks whose kernels merge into its map."""


COMPONENT_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "eyes": (255, 214, 10),
    "nose": (48, 209, 88),
    "mouth": (255, 69, 90),
    "chin": (64, 156, 255),
    "brows": (191, 90, 242),
}
"""RGB of each component in drawings: yellow, green, red, blue, violet."""


def component_colours(maps: int) -> list[tuple[int, int, int]]:
    """RGB of each of M heatmaps, in the order of `COMPONENTS`; with 68 maps, the colours repeat in turn."""
    in_turn = list(COMPONENT_COLOURS.values())
    return [COMPONENT_COLOURS.get(name, in_turn[at % len(in_turn)]) for at, name in enumerate(COMPONENTS[maps])]


def _mirror_table() -> list[int]:
    table = list(range(POINTS))
    pairs = [(0 + i, 16 - i) for i in range(8)]  # jaw
    pairs += [(17 + i, 26 - i) for i in range(5)]  # brows
    pairs += [(31, 35), (32, 34)]  # nostrils
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]  # eyes
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]  # outer lips
    pairs += [(60, 64), (61, 63), (65, 67)]  # inner lips
    for left, right in pairs:
        table[left], table[right] = right, left
    return table


MIRROR: Final = np.array(_mirror_table())
"""MIRROR[i] is the point that becomes point i in the mirrored picture."""
