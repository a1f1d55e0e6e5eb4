"""How the C library handles the memory that tensors leave behind on CPUs."""

import ctypes
import platform

# glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Let this process keep what tensors free for the next tensors, from now on; False where the C library is no glibc.

    glibc maps every block above 32 MiB anew and gives it back when it is freed, and the kernel clears each of its pages
    at the first touch: for a ReLU's output that takes longer than the ReLU. One arena, since what the thread of the
    backward pass frees is what that of the forward pass asks for.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    taken = [mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, -1), mallopt(M_ARENA_MAX, 1)]
    return all(taken)
