"""The compared methods that are dictionaries of faces: how fast they are made, and how fast they restore faces."""

import time
from collections.abc import Iterator

import torch

from benchmarks.report import Figure, at_least
from src.data.batch import Pairs
from src.image.pixels import downsample
from src.method.ma2010 import Ma2010, Ma2010Config
from src.method.nearest_face import NearestFace, NearestFaceConfig
from src.training.tuning import fastest_seconds

CPU = torch.device("cpu")
FACES = 2000
BATCH = 32
ROUNDS = 5


def drawn_pairs() -> Iterator[Pairs]:
    """`FACES` upright pairs of random colours; their values don't matter for the speed."""
    random, empty = torch.Generator().manual_seed(0), torch.empty(0)
    for start in range(0, FACES, BATCH):
        coarse = torch.rand(min(BATCH, FACES - start), 3, 16, 16, generator=random) * 2 - 1
        hr = torch.nn.functional.interpolate(coarse, (128, 128), mode="bilinear")
        yield Pairs(downsample(hr, 16), hr, empty, None, None, empty, empty)


@torch.inference_mode()
def run() -> list[Figure]:
    """Faces a second of making each dictionary, without reading the faces, and of restoring with it."""
    pairs, lr, figures = list(drawn_pairs()), torch.rand(BATCH, 3, 16, 16) * 2 - 1, []
    for config, kind, least in ((Ma2010Config(), Ma2010, 50), (NearestFaceConfig(), NearestFace, 50)):
        since = time.perf_counter()
        tensors = config.gather(pairs)
        making = FACES / (time.perf_counter() - since)
        method = kind(tensors, CPU)
        (seconds,) = fastest_seconds([lambda method=method: method(lr)], ROUNDS, CPU)  # type: ignore[misc]
        figures += [
            Figure(f"{config.name}, making a dictionary of {FACES:,} faces", making, "faces/s", "", None),
            at_least(f"{config.name}, batch of {BATCH}, {FACES:,} training faces", BATCH / seconds, "faces/s", least),
        ]
    return figures
