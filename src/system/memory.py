"""Control over freed tensor memory on CPUs: glibc keeps it for reuse or returns it to the system."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Freed = Literal["kept", "returned", "usual"]
"""What happens to a freed tensor's memory; see `freed_memory`."""

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
USUAL = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20}
"""The values to which glibc has adapted once it has freed a large block."""
OPTIONS = {
    "kept": {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1},  # map no block separately, return nothing
    "returned": {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 8 * 2**20},  # map and return each block above 8 MiB separately
}


@contextmanager
def freed_memory(policy: Freed) -> Iterator[None]:
    """Inside the block, keep freed tensor memory in this process or return it; then restore the default.

    By default, glibc maps each block above 32 MiB separately and returns it when it is freed. The kernel clears every
    page of a new block at its first use; for a ReLU's output that takes longer than the ReLU. Smaller freed blocks
    leave holes that stay in the process. "kept" memory is cleared only once; "returned" leaves no holes above 8 MiB.
    A process forked inside the block inherits kept memory and should call `give_back`.

    Args:
        policy: "kept", "returned", or "usual" to change nothing; without glibc nothing changes either.
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
    """Return unused memory pages to the system; does nothing without glibc."""
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _has_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"


def _set(options: dict[int, int]) -> None:
    mallopt = ctypes.CDLL(None).mallopt
    for name, value in options.items():
        mallopt(name, value)
