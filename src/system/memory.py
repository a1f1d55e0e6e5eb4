"""What the C library does with the memory that tensors leave behind on CPUs."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Freed = Literal["kept", "returned", "usual"]
"""What becomes of a freed tensor's memory; see `freed_memory`."""

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
USUAL = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20}
"""What glibc has adjusted itself to by the time that it has freed a large block."""
OPTIONS = {
    "kept": {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1},  # no block mapped by itself; nothing given back
    "returned": {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 8 * 2**20},  # above 8 MiB each block by itself, and back at once
}


@contextmanager
def freed_memory(policy: Freed) -> Iterator[None]:
    """While it lasts, let this process keep what tensors free for the next ones, or return it; then as is usual.

    glibc maps every block above 32 MiB anew and gives it back when it is freed, and the kernel clears each of its pages
    at the first touch: for a ReLU's output that takes longer than the ReLU. Smaller ones leave holes between them that
    stay in the process. Kept, memory is cleared once; returned, there are no holes above 8 MiB. Processes that are
    forked in the meantime should `give_back`: they inherit what is kept.

    Args:
        policy: usual, or another C library than glibc: nothing is changed.
    """
    if policy == "usual" or not _has_glibc():
        yield
        return
    _set(OPTIONS[policy])
    try:
        yield
    finally:
        _set(USUAL)
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
