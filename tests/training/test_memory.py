import platform
import subprocess
import sys

STEPS = """
import resource, sys, torch
from src.training.memory import keep_freed_memory

kept = sys.argv[1] == "keep" and keep_freed_memory()
for step in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    features = [torch.ones(2**24) for _ in range(4)]  # 64 MiB each: more than the C library keeps by itself
    features = [map + 1 for map in features[:2]]
    del features
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
OF_A_TENSOR = 2**24 * 4 // 4096


def pages_of_the_last_step(word: str) -> tuple[bool, int]:
    """Whether the C library took the settings, and the pages that the system had to clear for six tensors."""
    done = subprocess.run([sys.executable, "-c", STEPS, word], capture_output=True, text=True, check=True)
    kept, pages = done.stdout.split()
    return kept == "True", int(pages)


def test_tensors_take_over_the_memory_of_those_before() -> None:
    glibc = platform.libc_ver()[0] == "glibc"
    kept, pages = pages_of_the_last_step("keep")
    assert kept is glibc
    if glibc:
        assert pages < OF_A_TENSOR // 8
        assert pages_of_the_last_step("plain")[1] >= 6 * OF_A_TENSOR
