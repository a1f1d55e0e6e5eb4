from pathlib import Path

import pytest
import torch

from src.evaluation.config import ProtocolConfig
from src.evaluation.run import evaluate
from src.evaluation.write import write_results
from src.method.load import load_methods
from src.store.read import FaceStores
from src.system.errors import UserError


def test_a_failed_write_leaves_the_old_report(
    checkpoint_file: Path, face_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = torch.device("cpu")
    methods = load_methods([str(checkpoint_file)], cpu)
    evaluation = evaluate(methods, FaceStores([face_store]), ProtocolConfig(), cpu)
    write_results(tmp_path, evaluation)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    whole = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "grid" in path.name:
            whole(path, data[:100])
            raise OSError(28, "No space left on device")
        return whole(path, b"changed")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        write_results(tmp_path, evaluation)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
