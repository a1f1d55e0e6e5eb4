"""The speed of reading shuffled batches of a store, and of opening a store of CelebA's size."""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.report import Figure, at_least, at_most
from src.store.card import CARD, MANIFEST, StoredFile, layout_of, read_card, write_card
from src.store.face import Face, FaceRow
from src.store.read import FaceStores
from src.store.write import StoreWriter

CELEBA = 202_599
OPEN = """
import os, sys, time
import numpy
from src.store.read import FaceStore
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
before, start = resident(), time.perf_counter()
store = FaceStore(sys.argv[1])
batch = store.images([0, len(store) - 1]), store.landmarks([0]), store.visible([0])
print(time.perf_counter() - start, resident() - before)
"""


def write_store(folder: Path, faces: int, margin: int = 0) -> None:
    """Write a store of noise."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (128 + 2 * margin, 128 + 2 * margin, 3), dtype=np.uint8)
    landmarks, visible = random.uniform(0, 127, (68, 2)).astype(np.float32), np.ones(68, bool)
    with StoreWriter(folder, margin=margin) as writer:
        for number in range(faces):
            row = FaceRow(f"{number}.png", str(number), (0, 0, 128, 128), "noise", 1.0, "0" * 64)
            writer.add(Face(np.roll(image, number, 0), landmarks, visible, row))
        writer.seal("", {}, {"name": "noise"}, rejected=0)
        writer.publish()


def reading(folder: Path, words: str, bound: float) -> Figure:
    """Faces read per second in shuffled batches of 64 by one process, at the second pass over the store."""
    store = FaceStores([folder])
    order = np.random.default_rng(0).permutation(len(store))
    for _ in range(2):
        start = time.perf_counter()
        for first in range(0, len(order), 64):
            batch = order[first : first + 64]
            store.images(batch), store.landmarks(batch), store.visible(batch)
        elapsed = time.perf_counter() - start
    return at_least(f"store: shuffled batches of 64, {words}", len(order) / elapsed, "faces/s", bound)


def opening(small: Path, folder: Path) -> list[Figure]:
    """Seconds and memory to open a store of CelebA's size (sparse files of that length) in a new process."""
    shutil.copytree(small, folder)
    card = read_card(folder)
    files = dict(card.files)
    for name, (dtype, shape) in layout_of(card.margin).items():
        np.lib.format.open_memmap(folder / name, "w+", np.dtype(dtype), (CELEBA, *shape)).flush()
        files[name] = StoredFile((folder / name).stat().st_size, files[name].sha256)
    header, row = (folder / MANIFEST).read_text().splitlines()[:2]
    (folder / MANIFEST).write_text("\n".join([header, *[row] * CELEBA]) + "\n")
    files[MANIFEST] = StoredFile((folder / MANIFEST).stat().st_size, "0" * 64)
    (folder / CARD).unlink()
    write_card(folder, replace(card, faces=CELEBA, files=files))
    done = subprocess.run([sys.executable, "-c", OPEN, str(folder)], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return [
        at_most(f"store: opening {CELEBA:,} faces and reading two", seconds, "s", 0.5),
        at_most("store: memory for that", megabytes, "MB", 100),
    ]


def run() -> list[Figure]:
    """Reading and opening."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small"
        write_store(small, 4096)
        wide = Path(folder) / "wide"
        write_store(wide, 4096, margin=48)
        return [
            reading(small, "128x128", 20_000),
            reading(wide, "224x224", 60_000),
            *opening(small, Path(folder) / "celeba"),
        ]
