"""Exported generators on this CPU, one face: ONNX Runtime against the fastest eager setting, int8 against float32."""

from pathlib import Path

import torch

from benchmarks.report import Figure, at_least
from src.exporting.faces import random_faces
from src.exporting.formats import onnx_content, onnx_run
from src.exporting.quantise import quantised
from src.model.checkpoint import Checkpoint
from src.model.light import LightConfig
from src.training.tuning import fastest_seconds

ROUNDS = 30
CONFIG = LightConfig(lr_side=32, localisation="aligner")
"""That of the released `photo`; speed does not depend on the weights."""


def run() -> list[Figure]:
    """Milliseconds of each way, timed in turn, and their ratios."""
    torch.manual_seed(0)
    generator = CONFIG.build().eval().requires_grad_(False)
    checkpoint = Checkpoint(Path("random"), generator, CONFIG, {"model": {"generator": {}}}, None, None)
    last = CONFIG.build().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    content, full = onnx_content(Path("float32"), checkpoint, uint8=False)
    small = onnx_run(Path("int8"), quantised(content, random_faces(32, 32).lr, uint8=False), checkpoint)
    lr = random_faces(32, 1).lr
    lr_last = lr.contiguous(memory_format=torch.channels_last)
    ways = [lambda: generator(lr), lambda: last(lr_last), lambda: full(lr), lambda: small(lr)]
    with torch.inference_mode():
        seconds = fastest_seconds(ways, ROUNDS, torch.device("cpu"))
    names = ("eager", "eager, channels last", "ONNX Runtime float32", "ONNX Runtime int8")
    figures = [
        Figure(f"MTUN-light, one face, {name}", 1e3 * value, "ms", "", None)
        for name, value in zip(names, seconds, strict=True)
    ]
    return [
        *figures,
        at_least("ONNX Runtime float32 over the fastest eager", min(seconds[:2]) / seconds[2], "x", 1),
        at_least("ONNX Runtime int8 over float32", seconds[2] / seconds[3], "x", 1.3),
    ]
