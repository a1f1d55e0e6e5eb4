import os
import platform
import subprocess
import sys

import pytest

HEAP = """
import os, re, sys, torch
from pathlib import Path
from src.system.memory import freed_memory, give_back

MIB = 2**20

def heap():
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            return range(*(int(end, 16) for end in line.split()[0].split("-")))
    return range(0)

def resident():
    return int(re.search(r"Rss: +(\\d+) kB", Path("/proc/self/smaps_rollup").read_text())[1]) * 1024

def four():  # 64 MiB each: more than the C library keeps by itself
    return [torch.ones(2**24) for _ in range(4)]
"""
KEPT = """
before = resident()
with freed_memory("kept"):
    features = four()
    assert all(tensor.data_ptr() in heap() for tensor in features)
    del features
    assert len(heap()) > 256 * MIB, "kept"
    for _ in range(15):
        four()
    assert len(heap()) < 2048 * MIB, "used again: 4096 in all"
assert resident() < before + 128 * MIB, "given back"
"""
HOLES = """
torch.ones(2**23 - 2**12)  # once it has freed a block of 32 MiB, glibc maps none below that by itself
before = resident()
with freed_memory("POLICY"):
    assert torch.ones(2**24).data_ptr() not in heap(), "64 MiB are mapped"
    features = [torch.ones(10 * 2**18) for _ in range(40)][::2]  # every other one of forty of 10 MiB
    grown = resident() - before
"""
USUAL = HOLES.replace("POLICY", "usual") + "assert grown > 350 * MIB, 'the holes stay'"
RETURNED = HOLES.replace("POLICY", "returned") + "assert grown < 250 * MIB"
FORKED = """
from src.data.module import start_worker
with freed_memory("kept"):
    features = four()
    last = torch.ones(2**10)  # above them: the heap cannot simply be cut off
    del features
    child = os.fork()
    if child == 0:
        before = resident()
        start_worker(0)
        os._exit(0 if resident() < before - 200 * MIB else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(heap()) > 256 * MIB, "the parent keeps its own"
"""


@pytest.mark.parametrize("script", [KEPT, USUAL, RETURNED, FORKED], ids=["kept", "usual", "returned", "forked"])
def test_the_memory_that_tensors_leave(script: str) -> None:
    if platform.libc_ver()[0] != "glibc":  # nothing is changed there
        script = "with freed_memory('kept'):\n    give_back()"
    ours = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MALLOC_", "GLIBC_", "THP_", "LD_PRELOAD"))
    }
    done = subprocess.run([sys.executable, "-c", HEAP + script], capture_output=True, text=True, env=ours)
    assert done.returncode == 0, done.stderr
