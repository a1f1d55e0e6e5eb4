import sys
from pathlib import Path

import pytest
import torch

from src.metric.choose import choose_metrics
from src.metric.config import MetricsConfig
from src.metric.load import all_metrics

CPU = torch.device("cpu")


def test_dear_metrics_are_off_unless_asked_for() -> None:
    chosen = choose_metrics(MetricsConfig(), CPU)
    assert (chosen.metrics, chosen.left_out, chosen.fid) == (all_metrics(), (), None)
    assert "ms_ssim_rgb" in {metric.key for metric in choose_metrics(MetricsConfig(ms_ssim=True), CPU).metrics}


def test_what_cannot_be_measured_is_left_out_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    config = MetricsConfig(lpips="alex", landmarks="onnx", identity="none.onnx", fid="none.pth")
    chosen = choose_metrics(config, CPU)
    assert chosen.metrics == all_metrics()
    assert [line.split(":")[0] for line in chosen.left_out] == ["LPIPS", "NME", "identity cosine", "FID"]
    assert all("metrics." in line and "\n" not in line for line in chosen.left_out)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith("src.landmarks.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "embedder.onnx").touch()
    chosen = choose_metrics(MetricsConfig(identity=str(tmp_path / "embedder.onnx")), CPU)
    assert chosen.left_out == (
        "identity cosine: onnxruntime is not installed: it belongs to the extra `prepare`; make setup EXTRAS=prepare",
    )
