import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from src.landmarks.onnx_model import OnnxModel
from tests.helpers.tiny_onnx import save
from tests.test_layers import ROOT

TINY = np.full((2, 2, 3), 1e-39, np.float32)
"""Denormal numbers: slow on some processors, and of no use to a network."""
ALONE = """
import sys
from pathlib import Path
import numpy as np
from src.landmarks.onnx_model import OnnxModel
tiny = np.full((2, 2, 3), 1e-39, np.float32)
print("torch" in sys.modules, OnnxModel(Path(sys.argv[1]))(tiny)[0].any())
"""


@pytest.fixture
def halving(tmp_path: Path) -> Path:
    nodes = [helper.make_node("Mul", ["input", "half"], ["output"])]
    return save(tmp_path / "half.onnx", nodes, {"half": np.float32(0.5)}, [1, 3, 2, 2], ["output"])


def test_denormal_numbers_count_as_zero_in_a_run_alone(halving: Path) -> None:
    model = OnnxModel(halving)
    assert not model(TINY)[0].any()
    assert (model(np.ones_like(TINY))[0] == 0.5).all()
    assert (TINY * np.float32(0.5)).all(), "the numbers of whoever uses it stay as they are"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="ONNX Runtime can do it on x86 alone")
def test_they_do_without_torch_too(halving: Path) -> None:
    """The preparation finds landmarks in processes that never import torch."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(halving)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
