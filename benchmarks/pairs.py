"""The speed of making pairs and heatmaps, and of drawing synthetic faces."""

import time

import numpy as np
import torch

from benchmarks.report import Figure, at_least
from src.data.batch import FaceBatch, HeatmapConfig, make_batch
from src.data.pairs import MisalignmentConfig, draw_misalignment, face_random
from src.synthetic.draw import render_face

BATCH, ROUNDS, FACES = 64, 30, 200


def pairs() -> Figure:
    """Faces per second: LR, HR, matrix and four 64x64 component heatmaps for a batch of 64, the median of 30 rounds."""
    random = torch.Generator().manual_seed(0)
    draws = [draw_misalignment(MisalignmentConfig(), face_random(0, 0, row)) for row in range(BATCH)]
    batch = FaceBatch(
        torch.randint(0, 256, (BATCH, 128, 128, 3), dtype=torch.uint8, generator=random),
        torch.rand(BATCH, 68, 2, generator=random) * 127,
        torch.rand(BATCH, 68, generator=random) > 0.1,
        torch.from_numpy(np.stack(draws)),
        torch.rand(BATCH, generator=random) > 0.5,
    )
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        make_batch(batch, HeatmapConfig(), 64)
        seconds.append(time.perf_counter() - start)
    return at_least("pairs and 4 heatmaps, batch of 64", BATCH / float(np.median(seconds)), "faces/s", 1000)


def drawing() -> Figure:
    """Synthetic faces drawn per second in this process, on one core."""
    for index in range(5):
        render_face(1, index)
    start = time.perf_counter()
    for index in range(FACES):
        render_face(0, index)
    return at_least("synthetic faces drawn, one core", FACES / (time.perf_counter() - start), "faces/s", 80)


def run() -> list[Figure]:
    """Both speeds."""
    return [pairs(), drawing()]
