import http.server
import json
import logging
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from PIL import Image
from wandb.proto.wandb_internal_pb2 import Record

from src.logger.build import close_loggers
from src.logger.config import WandbLoggerConfig
from src.logger.wandb_run import start_run
from src.system.errors import UserError
from src.training.run import train
from tests.helpers.tiny_run import tiny_run


def records(folder: Path) -> list[Record]:
    """The records of an offline run's file, once W&B's process has written the last one."""
    for _ in range(200):
        found = list(parsed(next(folder.glob("run-*.wandb")).read_bytes()))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{folder} has no end")


def parsed(data: bytes) -> Iterator[Record]:
    """The records in W&B's file: its header, then LevelDB's log format."""
    position, parts = 7, b""
    assert data[:4] == b":W&B"
    while position + 7 <= len(data):
        rest = 32768 - position % 32768
        if rest < 7:
            position += rest
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def history(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in records(folder):
        if record.WhichOneof("record_type") == "history":
            rows.append({})
            for item in record.history.item:
                *outer, name = item.nested_key or [item.key]
                place = rows[-1]
                for key in outer:
                    place = place.setdefault(key, {})
                place[name] = json.loads(item.value_json)
    return rows


def configuration(folder: Path) -> dict[str, Any]:
    return {
        item.key or item.nested_key[0]: json.loads(item.value_json)
        for record in records(folder)
        if record.WhichOneof("record_type") == "run"
        for item in record.run.config.update
    }


def parts(folder: Path) -> list[Path]:
    return sorted((folder / "wandb").glob("offline-run-*"), key=lambda part: part.stat().st_ctime)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)


def test_an_offline_run_holds_curves_faces_and_configuration_and_goes_on(
    tmp_path: Path, offline: None, caplog: pytest.LogCaptureFixture
) -> None:
    def run(epochs: int) -> None:
        train(tiny_run(tmp_path, "logger=wandb", "logger.artifact=true", f"trainer.max_epochs={epochs}", val=18))

    run(2)
    assert wandb.run is None, "ended"
    [part] = parts(tmp_path / "out")
    identity = (tmp_path / "out" / "wandb_id.txt").read_text().strip()
    assert part.name.endswith(f"-{identity}")
    assert f"wandb sync {part}" in caplog.text
    rows = history(part)
    assert all("iterations" in row and "step" not in row for row in rows)
    assert [row["iterations"] for row in rows if "loss/total" in row] == [2, 4, 6], "3 batches an epoch"
    assert [row["iterations"] for row in rows if "val/psnr_rgb" in row] == [3, 6]
    assert {name.split("/")[0] for row in rows for name in row if "/" in name} >= {
        "loss", "gan", "optim", "val", "perf", "panel"}  # fmt: skip

    panels = [row for row in rows if "panel/faces" in row]
    assert [row["iterations"] for row in panels] == [3, 6]
    for row in panels:
        assert row["panel/faces"]["count"] == 16
        assert len(set(row["panel/faces"]["filenames"])) == 16
        for name in row["panel/faces"]["filenames"]:
            with Image.open(part / "files" / name) as image:
                assert image.size == (4 + 6 * 132, 22 + 132)

    axes = [record.metric for record in records(part) if record.WhichOneof("record_type") == "metric"]
    assert any(axis.glob_name == "*" and axis.step_metric == "iterations" for axis in axes)
    config = configuration(part)
    assert config["model"]["generator"]["width"] == 8
    assert config["revision"] is None or len(config["revision"].split()[0]) == 40
    [artifact] = [r.request.log_artifact.artifact if r.HasField("request") else r.artifact
                  for r in records(part) if r.WhichOneof("record_type") == "artifact"]  # fmt: skip
    assert (artifact.name, artifact.type, "best" in artifact.aliases) == (f"mtun-{identity}", "model", True)
    assert [entry.path for entry in artifact.manifest.contents] == ["best.ckpt"]

    run(3)
    _, second = parts(tmp_path / "out")
    assert second.name.endswith(f"-{identity}"), "the same W&B run"
    assert all(r.run.resume for r in records(second) if r.WhichOneof("record_type") == "run"), "when it is sent, too"
    assert [row["iterations"] for row in history(second) if "loss/total" in row] == [8]
    assert caplog.text.count("wandb sync") == 2
    assert f"wandb sync {part} {second}" in caplog.text


def test_a_run_that_fails_ends_its_wandb_run_as_failed(tmp_path: Path, offline: None) -> None:
    with pytest.raises(UserError):
        train(tiny_run(tmp_path, "logger=wandb", "logger.artifact=true", "optimizer.lr=1e30", "trainer.max_epochs=30"))
    assert wandb.run is None
    [part] = parts(tmp_path / "out")
    kinds = [record.WhichOneof("record_type") for record in records(part)]
    assert [record.exit.exit_code for record in records(part) if record.WhichOneof("record_type") == "exit"] == [1]
    assert "artifact" not in kinds


class Refuses(http.server.BaseHTTPRequestHandler):
    """A W&B server that knows no key."""

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()
        self.wfile.write(b'{"errors":[{"message":"invalid API key"}]}')

    do_GET = do_POST  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("key", ["0" * 40, "0" * 40 + "\n"], ids=["refused", "copied with its line's end"])
def test_a_refused_key_costs_one_warning_and_the_run_is_kept_offline(
    key: str, tmp_path: Path, refusing_server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", refusing_server)
    monkeypatch.setenv("WANDB_API_KEY", key)
    wandb.teardown()  # its settings are read from the environment once a process
    try:
        with caplog.at_level(logging.INFO, "src"):
            run = start_run(WandbLoggerConfig(), str(tmp_path), {"seed": 3})
            run.log({"iterations": 20, "loss/total": 0.5})
            close_loggers(WandbLoggerConfig(), str(tmp_path))
    finally:
        wandb.teardown()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len([line for line in warnings if "training continues offline" in line and "401" in line]) == 1
    [part] = parts(tmp_path)
    assert part.name.endswith((tmp_path / "wandb_id.txt").read_text().strip()), "it can be sent as the same run"
    assert [row["loss/total"] for row in history(part)] == [0.5]
    assert configuration(part)["seed"] == 3


def test_a_run_of_somebody_else_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    theirs = wandb.init(project="theirs", dir=tmp_path, settings=wandb.Settings(silent=True))
    try:
        close_loggers(WandbLoggerConfig(), str(tmp_path / "out"))
        assert wandb.run is theirs
    finally:
        theirs.finish()
