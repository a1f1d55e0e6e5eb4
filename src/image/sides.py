"""The sides of LR and HR images in pixels, fixed by the method, its stores and its published numbers."""

from typing import Final

LR_SIDE: Final = 16
"""Side of the unaligned input face (LR); the 16 in `celeba16x`."""
OWN_LR_SIDE: Final = 32
"""Side of the LR face of a network for faces of many sizes, which is told the face's own size; see `own_size`."""
SIDE: Final = 128
"""Side of the upright output face (HR and SR), fixed by the store's layout."""
