import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = ("lightning", "pytorch_lightning", "hydra", "omegaconf", "wandb", "face_alignment", "albumentations")
PROGRAM = """
import importlib, pkgutil, sys
module = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(getattr(module, "__path__", []), sys.argv[1] + "."):
    importlib.import_module(found.name)
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""


@pytest.mark.parametrize("module", ["src.upscale", "src.model", "src.metric", "src.loss", "src.report"])
def test_the_core_is_plain_torch(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, *FORBIDDEN],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_training_imports_no_landmark_network_and_preparing_no_torch() -> None:
    """The landmarks lie in the store: what finds them is no part of a training, and workers start without torch."""
    for module, absent in (
        ("src.training", ("face_alignment", "onnxruntime", "src.landmarks.onnx")),
        ("src.data.checking", ("torch", "face_alignment", "onnxruntime", "cv2")),
        ("src.landmarks.onnx", ("torch", "face_alignment")),
    ):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, module, *absent],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
