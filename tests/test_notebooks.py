from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from src.evaluation.config import EvaluateConfig, EvaluateData, ProtocolConfig
from src.evaluation.run import evaluate
from src.evaluation.shown_faces import show_faces
from src.evaluation.write import write_results
from src.method.load import load_methods
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import SyntheticSource
from src.store.read import FaceStores

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def executed(name: str) -> tuple[int, str]:
    """How many pictures a notebook shows, and what it prints."""
    (path,) = (path for path in NOTEBOOKS if path.stem == name)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.get("data", {}) for output in outputs]
    text = "".join(output.get("text", "") for output in outputs)
    return sum("image/png" in data for data in shown), text + "".join(data.get("text/markdown", "") for data in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_data_notebook_runs_on_a_synthetic_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_preparation(PrepareConfig(SyntheticSource("synthetic", count=12, seed=5), str(tmp_path / "faces")), print)
    monkeypatch.setenv("MTUN_STORE", str(tmp_path / "faces"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    pictures, text = executed("01_data")
    assert pictures == 6
    assert text.startswith("12 faces of synthetic; 0 rejected")
    assert "of 12 faces are turned by 30 degrees or more" in text


def test_the_results_notebook_reads_a_run_and_its_evaluation(
    checkpoint_file: Path, face_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["iterations,step,val/psnr_rgb,loss/total", "10,9,,0.5", "20,19,17.5,0.25", "30,29,18.5,0.2"]
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    cpu, stores, protocol = torch.device("cpu"), FaceStores([face_store]), ProtocolConfig()
    config = EvaluateConfig(EvaluateData((str(face_store),)), checkpoint=str(checkpoint_file), protocol=protocol)
    methods = load_methods(config.named, cpu, checkpoint=config.checkpoint)
    evaluation = evaluate(methods, stores, protocol, cpu)
    shown = show_faces(methods, stores, config, cpu, evaluation.rows)
    write_results(tmp_path / "evaluation", evaluation, shown=shown)
    monkeypatch.setenv("MTUN_RUN", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    pictures, text = executed("02_results")
    assert pictures == 3
    assert "| MTUN-light, tiny |" in text
    assert "16x16 to 128x128 (8x), protocol `published`" in text
    assert text.count("of faces\n") == 2
