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


def loaded_by(module: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a module with all its sub-modules imports, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


PURE = ("upscale", "page", "photo", "webpage", "method", "model", "loss", "metric", "report", "image", "face")


@pytest.mark.parametrize("room", PURE)
def test_the_core_is_plain_torch(room: str) -> None:
    assert loaded_by(f"src.{room}", FORBIDDEN) == []


def test_upscaling_needs_no_torchvision_and_its_help_not_even_torch() -> None:
    assert loaded_by("src.photo", ("torchvision", "pydantic", "rich")) == []
    assert loaded_by("src.upscale", ("torch", "numpy", "PIL")) == []
    assert loaded_by("src.page", ("torch", "numpy", "PIL", "gradio")) == []


def test_training_imports_no_landmark_network_and_preparing_no_torch() -> None:
    """The landmarks lie in the store: what finds them is no part of a training, and workers start without torch."""
    assert loaded_by("src.training", ("face_alignment", "onnxruntime", "src.landmarks.onnx")) == []
    assert loaded_by("src.preparation.check_stores", ("torch", "face_alignment", "onnxruntime", "cv2")) == []
    assert loaded_by("src.landmarks.onnx", ("torch", "face_alignment")) == []
