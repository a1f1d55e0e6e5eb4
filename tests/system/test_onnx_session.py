import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.helpers.tiny_onnx import constant_network
from tests.test_layers import ROOT

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from src.landmarks.onnx_model import OnnxModel

tiny = np.array([1e-39], np.float32)
assert (tiny * np.float32(0.5))[0] != 0, "this processor keeps none of them anyway"
OnnxModel(Path(sys.argv[1]))
print((tiny * np.float32(0.5))[0] == 0)
"""


def test_a_session_counts_what_float32_hardly_keeps_as_zero(tmp_path: Path) -> None:
    """A process of its own: ONNX Runtime follows the first session of a process alone."""
    network = constant_network(tmp_path / "network.onnx", np.zeros((68, 2)))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(network)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]
