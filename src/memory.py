"""What the C library does with the memory that tensors leave behind on CPUs."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
OWN = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20}
"""What glibc has adjusted itself to by the time that it has freed a large block."""


@contextmanager
def freed_memory(kept: bool) -> Iterator[None]:
    """While it lasts, let this process keep what tensors free for the next tensors; at the end it is given back.

    glibc maps every block above 32 MiB anew and gives it back when it is freed, and the kernel clears each of its pages
    at the first touch: for a ReLU's output that takes longer than the ReLU. Processes that are forked in the meantime
    should `give_back`: they inherit what is kept.

    Args:
        kept: False, or another C library than glibc: nothing is changed.
    """
    if not (kept and _has_glibc()):
        yield
        return
    _set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1})  # no block mapped by itself; nothing given back
    try:
        yield
    finally:
        _set(OWN)
        give_back()


def give_back() -> None:
    """Return the pages that nothing lives on to the system; without glibc nothing is done."""
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _set(options: dict[int, int]) -> None:
    mallopt = ctypes.CDLL(None).mallopt
    for name, value in options.items():
        mallopt(name, value)
