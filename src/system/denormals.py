"""Denormal numbers: below 1.2e-38, where float32 loses precision and some processors are hundreds of times slower."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

SMALLEST = [5e-324]  # in a list: Python computes products of constants before it runs


def are_zero() -> bool:
    """Whether this thread's operations count them as 0."""
    return SMALLEST[0] * 1.0 == 0.0


@contextmanager
def counted_as_zero() -> Iterator[None]:
    """Let this thread's operations count them as 0, if torch, which can switch that, is there; afterwards as before."""
    torch = sys.modules.get("torch")
    if torch is None or are_zero():
        yield
        return
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
