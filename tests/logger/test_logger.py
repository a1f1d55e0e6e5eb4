from pathlib import Path

import pytest

from src.logger.build import build_loggers
from src.logger.config import NoLoggerConfig, WandbLoggerConfig
from src.logger.wandb_run import wandb_mode


def test_wandb_is_offline_without_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert wandb_mode(WandbLoggerConfig()) == "offline"
    (tmp_path / ".netrc").write_text("machine github.com login user password x\n")
    assert wandb_mode(WandbLoggerConfig()) == "offline", "a login at another server is none"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password x\n")
    assert wandb_mode(WandbLoggerConfig()) == "online"
    (tmp_path / ".netrc").write_text("machine wandb.our.lab login user password x\n")
    assert wandb_mode(WandbLoggerConfig()) == "offline"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.our.lab")
    assert wandb_mode(WandbLoggerConfig()) == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode(WandbLoggerConfig()) == "disabled"
    assert wandb_mode(WandbLoggerConfig(mode="online")) == "online"


def test_no_logger_writes_nothing(tmp_path: Path) -> None:
    assert build_loggers(NoLoggerConfig(), str(tmp_path), {}) == []
    assert list(tmp_path.iterdir()) == []


def test_a_disabled_wandb_leaves_the_csv(tmp_path: Path) -> None:
    loggers = build_loggers(WandbLoggerConfig(mode="disabled"), str(tmp_path), {})
    assert [type(logger).__name__ for logger in loggers] == ["MetricsCsv"]
