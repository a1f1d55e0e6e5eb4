"""Nothing that this project uses reports to its makers."""

import os
import subprocess
import sys
from pathlib import Path

from tests.test_layers import ROOT

PROGRAM = "import src.system.errors, onnxruntime; print(onnxruntime.get_available_providers())"


def test_onnx_runtime_identifies_nobody(tmp_path: Path) -> None:
    """Its reports begin when it is imported, with a number for this machine in a file."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS", "TF_BUILD")}
    told = {name: value for name, value in kept.items() if "TELEMETRY" not in name}  # the tests' own process has it set
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**told, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "CPUExecutionProvider" in done.stdout
    assert list(tmp_path.iterdir()) == []
