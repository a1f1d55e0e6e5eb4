from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from src.data.module import FaceData
from src.model.checkpoint import load_checkpoint
from src.report.grid import GAP, HEADER
from src.training.run import train
from tests.helpers.tiny_run import tiny_run


def tile(sheet: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    left, top = GAP + column * (128 + GAP), HEADER + row * (128 + GAP)
    return sheet[top : top + 128, left : left + 128]


def as_bytes(images: torch.Tensor) -> NDArray[np.uint8]:
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def test_the_panel_shows_the_first_validation_faces_as_the_validation_sees_them(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, "trainer.max_epochs=2", "ema.enabled=false", val=18)
    last = train(config)
    panels = sorted(path.name for path in (tmp_path / "out" / "panels").iterdir())
    assert panels == ["panel_0000003.png", "panel_0000006.png"]
    older, sheet = (np.asarray(Image.open(tmp_path / "out" / "panels" / name)) for name in panels)
    assert (np.asarray(Image.open(tmp_path / "out" / "panel.png")) == sheet).all(), "the newest"
    assert sheet.shape == (HEADER + 16 * 132 + HEADER, GAP + 6 * 132, 3)

    data = FaceData(config.data, config.model.generator.heatmap_side, config.seed)
    data.setup("fit")
    batches = [data.on_after_batch_transfer(batch, 0) for batch in data.val_dataloader()]
    lr, hr = (torch.cat([batch[place] for batch in batches]) for place in (0, 1))
    with torch.no_grad():
        output = load_checkpoint(last).generator.eval()(lr)
    for face in range(16):
        assert (tile(sheet, face, 0) == as_bytes(lr)[face].repeat(8, 0).repeat(8, 1)).all(), "LR"
        assert (tile(sheet, face, 3) == as_bytes(hr)[face]).all(), "HR"
        # Batches of another size round otherwise.
        assert np.abs(tile(sheet, face, 2).astype(int) - as_bytes(output.image)[face]).max() <= 1, "SR"
        assert (tile(sheet, face, 0) == tile(older, face, 0)).all(), "always misaligned alike"
    assert (tile(sheet, 0, 2) != tile(older, 0, 2)).any(), "the network has moved"
    # The fifth column lies over the SR, the last one over the HR with a colour where a landmark is.
    true = tile(sheet, 0, 5).astype(int)
    assert (true.max(2) - true.min(2)).max() > 80
    grey = (as_bytes(hr)[0] @ np.array([0.299, 0.587, 0.114])).round()
    plain = (true.max(2) - true.min(2)) == 0
    assert plain.any()
    assert np.abs(true[..., 0] - grey)[plain].max() <= 1


def test_fewer_faces_and_no_heatmaps_leave_no_hole(tmp_path: Path) -> None:
    train(
        tiny_run(tmp_path, "trainer.max_epochs=1", "model.generator.heb.enabled=false", "callbacks.performance=false")
    )
    sheet = np.asarray(Image.open(tmp_path / "out" / "panel.png"))
    assert sheet.shape == (HEADER + 3 * 132, GAP + 4 * 132, 3)
    assert "perf/" not in (tmp_path / "out" / "metrics.csv").read_text()


def test_looking_does_not_change_the_training(tmp_path: Path) -> None:
    states = []
    for number, words in enumerate((["callbacks.panel=0", "callbacks.performance=false"], ["callbacks.panel=2"])):
        run_dir = f"run_dir={tmp_path}/run{number}"
        last = train(tiny_run(tmp_path, "trainer.max_epochs=2", "optimizer.schedule.cooldown=0", run_dir, *words))
        assert (tmp_path / f"run{number}" / "panel.png").exists() == bool(number)
        states.append(torch.load(last, weights_only=True)["state_dict"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_without_a_logger_no_picture_is_written(tmp_path: Path) -> None:
    train(tiny_run(tmp_path, "trainer.max_epochs=1", "logger=none"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"checkpoints", "config.yaml", "train.log"}
