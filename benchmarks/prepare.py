"""The speed and the memory of preparing photographs of CelebA's size: decoding, cropping, storing."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.report import Figure, at_least, at_most

DIFFERENT, FEW, MANY, WORKERS = 500, 1_000, 20_000, 2
WIDTH, HEIGHT = 178, 218

PREPARE = """
import resource, sys, time
from src.preparation.crop_rules import LandmarksCrop
from src.preparation.run import run_preparation
from src.preparation.config import PrepareConfig
from src.source.config import FolderSource
if __name__ == "__main__":
    root, out, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    start = time.perf_counter()
    run_preparation(PrepareConfig(FolderSource("folder", root), out, workers=workers), lambda line: None)
    seconds = time.perf_counter() - start
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(seconds, peaks[0] / 1024, peaks[1] / 1024)
"""


def pictures(folder: Path, count: int) -> Path:
    """Write `count` JPEGs of 178x218, 500 different ones and links to them, and a table of landmarks."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        path = folder / "images" / f"{number:06}.jpg"
        if number < DIFFERENT:
            coarse = random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=92)
        else:
            os.link(folder / "images" / f"{number % DIFFERENT:06}.jpg", path)
    from src.face.pose import mean_face_through_five

    five = np.array([[[69.0, 111.0], [108.0, 111.0], [88.5, 135.0], [73.0, 153.0], [105.0, 153.0]]])
    points = mean_face_through_five(five).astype(np.float32) + random.uniform(-6, 6, (count, 1, 2)).astype(np.float32)
    names = np.array([f"{number:06}.jpg" for number in range(count)])
    np.savez(folder / "landmarks68.npz", names=names, landmarks=points)
    return folder


def prepare(folder: Path, out: Path) -> tuple[float, float]:
    """Prepare a store: the seconds, and the peak memory of the main process plus its largest worker, in MB."""
    script = out.with_suffix(".py")
    script.write_text(PREPARE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(script), str(folder), str(out), str(WORKERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seconds, main, worker = map(float, done.stdout.split())
    return seconds, main + worker


def run() -> list[Figure]:
    """Speed, growth of the memory with the number of pictures, and peak memory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _, few = prepare(pictures(folder / "few", FEW), folder / "store_few")
        seconds, many = prepare(pictures(folder / "many", MANY), folder / "store_many")
    return [
        at_least(f"prepare: {MANY:,} JPEGs of 178x218, {WORKERS} workers", MANY / seconds, "faces/s", 500),
        at_most(f"prepare: memory growth from {FEW:,} to {MANY:,} pictures", many - few, "MB", 100),
        Figure("prepare: peak memory, main process and a worker", many, "MB", "", None),
    ]
