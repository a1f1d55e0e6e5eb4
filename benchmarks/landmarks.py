"""The speed of finding landmarks: our batches against the face-alignment library's loop, same crops and weights."""

import hashlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmarks.report import Figure, at_least
from src.landmarks.config import FaceAlignmentConfig
from src.landmarks.landmarker import Query
from src.system.devices import pick_device

FACES, ROUNDS, SIDE = 8, 5, 256


def run() -> list[Figure]:
    """Speed of our two precisions over that of the library with its defaults (compiled, mirrored too), boxes given."""
    before = os.environ.get("TORCH_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCH_HOME"] = folder
        try:
            return _run(Path(folder) / "hub" / "checkpoints")
        finally:
            os.environ.pop("TORCH_HOME")
            if before is not None:
                os.environ["TORCH_HOME"] = before


def _run(weights: Path) -> list[Figure]:
    import face_alignment  # seconds to import
    from face_alignment import api

    from src.landmarks.face_alignment import FaceAlignmentLandmarker

    _random_weights(weights)
    api.COMPILE_CACHE_DIR = str(weights)  # or kernels of random weights would go to the user's own cache
    benchmark = torch.backends.cudnn.benchmark
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device=_device())
    torch.backends.cudnn.benchmark = benchmark
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(FACES)]
    box = (60.0, 50.0, 196.0, 220.0)
    queries = [Query(image, (box,)) for image in images]

    def theirs() -> None:
        for image in images:
            library.get_landmarks_from_image(image, detected_faces=[np.array(box)])

    choices: tuple[Literal["auto", "fp32"], ...] = ("auto", "fp32")
    ours = [
        FaceAlignmentLandmarker(FaceAlignmentConfig("face_alignment", str(weights / "true"), precision=precision))
        for precision in choices
    ]
    ways: list[Callable[[], object]] = [theirs, *(lambda one=one: one.find(queries) for one in ours)]
    seconds = np.array([[_seconds(way) for way in ways] for _ in range(ROUNDS + 1)])[1:]  # the first warms up
    theirs_median, *medians = np.median(seconds, axis=0).tolist()
    figures = [Figure("face-alignment library, one by one", FACES / theirs_median, "faces/s", "", None)]
    for one, choice, median in zip(ours, choices, medians, strict=True):
        name = f"landmarks in batches, {one.precision}{' (auto)' if choice == 'auto' else ''} / library"
        ratio = theirs_median / median
        figures.append(at_least(name, ratio, "x", 2) if choice == "auto" else Figure(name, ratio, "x", "", None))
    return figures


def _device() -> str:
    return pick_device("auto").type


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _random_weights(folder: Path) -> None:
    """Write weights under the library's names, which it does not check, and link them under their true hashes."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    from src.landmarks.weights import URLS

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    for kind, network in (("2DFAN4", FAN(4)), ("s3fd", s3fd())):
        path = folder / Path(URLS[kind]).name
        torch.save(network.state_dict(), path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        true = folder / "true" / f"{kind}-{digest}.pth.tar"
        true.parent.mkdir(exist_ok=True)
        true.symlink_to(path)
