"""The two sides that the method, its stores and its published numbers are about, in pixels."""

from typing import Final

LR_SIDE: Final = 16
"""Of the unaligned face that goes in; the 16 of `celeba16x`."""
SIDE: Final = 128
"""Of the upright face that comes out (HR and SR), fixed by the store's layout."""
