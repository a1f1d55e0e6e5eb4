"""The speed of making pairs and heatmaps, and of drawing synthetic faces."""

import time

import numpy as np
import torch

from benchmarks.report import Figure, at_least, at_most
from src.data.batch import FaceBatch, HeatmapConfig, make_batch
from src.data.camera import FRAME, CameraConfig, draw_camera, to_batch
from src.data.own_size import canvas_side, draw_own_size
from src.data.pairs import Fill, MisalignmentConfig, draw_misalignment, face_random
from src.image.sides import LR_SIDE, OWN_LR_SIDE
from src.synthetic.draw import render_face

BATCH, ROUNDS, FACES, MARGIN = 64, 30, 100, 48


OWN_SIZE = (12, 40)


def batch_of(margin: int, camera: bool = False, own_size: bool = False) -> FaceBatch:
    """A batch of 64 random pictures with this margin."""
    random, side = torch.Generator().manual_seed(0), 128 + 2 * margin
    draws = [draw_misalignment(MisalignmentConfig(), face_random(0, 0, row)) for row in range(BATCH)]
    frame = canvas_side(OWN_SIZE[1]) if own_size else FRAME
    photographed = [draw_camera(CameraConfig(), face_random(0, 0, row), frame) for row in range(BATCH)]
    sizes = torch.tensor([draw_own_size(OWN_SIZE, face_random(0, 1, row)) for row in range(BATCH)])
    return FaceBatch(
        torch.randint(0, 256, (BATCH, side, side, 3), dtype=torch.uint8, generator=random),
        torch.rand(BATCH, 68, 2, generator=random) * 127,
        torch.rand(BATCH, 68, generator=random) > 0.1,
        torch.from_numpy(np.stack(draws)),
        torch.rand(BATCH, generator=random) > 0.5,
        to_batch(photographed) if camera else None,
        sizes if own_size else None,
    )


def pairs() -> list[Figure]:
    """Faces per second: LR, HR, matrix and four 64x64 heatmaps for a batch of 64; the kinds take turns, 30 rounds."""
    kinds: dict[str, tuple[FaceBatch, Fill, int]] = {
        "black corners": (batch_of(0), "black", LR_SIDE),
        "true surroundings": (batch_of(MARGIN), "context", LR_SIDE),
        "camera": (batch_of(MARGIN, camera=True), "context", LR_SIDE),
        "own sizes": (batch_of(MARGIN, camera=True, own_size=True), "context", OWN_LR_SIDE),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, (batch, fill, lr_side) in kinds.items():
            start = time.perf_counter()
            make_batch(batch, HeatmapConfig(), 64, fill, lr_side)
            seconds[kind].append(time.perf_counter() - start)
    medians = {kind: float(np.median(times)) for kind, times in seconds.items()}
    return [
        at_least("pairs and 4 heatmaps, batch of 64, black corners", BATCH / medians["black corners"], "faces/s", 1500),
        at_least(
            "the same from true surroundings, 224x224", BATCH / medians["true surroundings"], "faces/s", 1500
        ),
        at_most("a camera's degradation over bicubic", medians["camera"] / medians["true surroundings"], "x", 1.5),
        at_most("faces of their own 12 to 40 pixels over 16", medians["own sizes"] / medians["camera"], "x", 2.5),
    ]  # fmt: skip


def drawing() -> list[Figure]:
    """Synthetic faces drawn per second in this process, on one core, without and with their surroundings."""
    figures = []
    for margin, words, bound in ((0, "128x128", 80), (MARGIN, "with their margin, 224x224", 40)):
        for index in range(5):
            render_face(1, index, margin, upright=True)
        start = time.perf_counter()
        for index in range(FACES):
            render_face(0, index, margin, upright=True)
        speed = FACES / (time.perf_counter() - start)
        figures.append(at_least(f"synthetic faces drawn, one core, {words}", speed, "faces/s", bound))
    return figures


def run() -> list[Figure]:
    """Both speeds."""
    return [*pairs(), *drawing()]
