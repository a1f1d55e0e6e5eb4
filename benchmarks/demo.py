"""The time and the quality of the demo, after the set-up: drawing, training, evaluation."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import fill
from benchmarks.report import Figure, at_least, at_most


def run() -> list[Figure]:
    """Minutes for the whole demo on new faces, the gain of SR over the better bicubic row, and how it aligns."""
    with tempfile.TemporaryDirectory() as folder:
        commands = [
            ["src.train", "experiment=demo", "trainer=cpu", f"data.synthetic.out={folder}/faces", f"run_dir={folder}"],
            ["src.evaluate", f"checkpoint={folder}/checkpoints/last.ckpt", f"data.test={folder}/faces/val",
             "protocol=context", f"out={folder}/evaluation"],
        ]  # fmt: skip
        start = time.perf_counter()
        for words in commands:
            subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL)
        minutes = (time.perf_counter() - start) / 60
        checkpoint, faces = f"{folder}/checkpoints/last.ckpt", [Path(folder) / "faces" / "val"]
        errors = fill.angle_errors(checkpoint, faces)
        metrics = json.loads((Path(folder) / "evaluation" / "metrics.json").read_text())
    return [
        at_most("demo, from drawing to report", minutes, "min", 6),
        at_least("demo, SR over the better bicubic row, PSNR RGB", metrics["gain"]["demo"]["psnr_rgb"], "dB", 0),
        at_most("demo, angle error with true surroundings", errors["context"], "deg", 3),
        fill.difference("demo", errors),
    ]
