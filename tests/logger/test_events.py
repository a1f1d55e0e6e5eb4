from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.logger.events import Events
from src.training.run import train
from tests.helpers.tiny_run import tiny_run


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder / "tensorboard"), {"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return events


def test_a_run_is_shown_over_its_iterations_with_its_faces_and_configuration(tmp_path: Path) -> None:
    train(tiny_run(tmp_path, "logger=tensorboard", "trainer.max_epochs=2"))
    events = read(tmp_path / "out")
    assert [event.step for event in events.Scalars("loss/total")] == [2, 4, 6], "3 batches an epoch"
    assert [event.step for event in events.Scalars("val/psnr_rgb")] == [3, 6]
    assert {"gan/loss_discriminator", "optim/lr_generator", "perf/faces_per_second"} <= set(events.Tags()["scalars"])
    panels = events.Images("panel")
    assert [event.step for event in panels] == [3, 6]
    with Image.open(tmp_path / "out" / "panel.png") as panel:
        assert (panels[-1].width, panels[-1].height) == panel.size
    [text] = events.Tensors("config/text_summary")
    assert b"width: 8" in text.tensor_proto.string_val[0]
    assert b"revision: " in text.tensor_proto.string_val[0]


def test_what_a_resumed_run_does_again_replaces_what_was_lost(tmp_path: Path) -> None:
    for steps, value in (((1, 3, 5, 7), 1.0), ((5, 7), 2.0)):
        logger = Events(str(tmp_path), {})
        for step in steps:
            logger.log_metrics({"loss/total": value}, step)
        logger.finalize("success")
    assert [(event.step, event.value) for event in read(tmp_path).Scalars("loss/total")] == [
        (2, 1.0), (4, 1.0), (6, 2.0), (8, 2.0)]  # fmt: skip


def test_colours_are_not_swapped(tmp_path: Path) -> None:
    logger = Events(str(tmp_path), {})
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    logger.log_panel(red, [red], 7)
    logger.finalize("success")
    [event] = read(tmp_path).Images("panel")
    (tmp_path / "x.png").write_bytes(event.encoded_image_string)
    assert event.step == 7
    assert (np.asarray(Image.open(tmp_path / "x.png"))[..., :3] == red).all()


@pytest.mark.parametrize("name", ["csv", "none", "tensorboard", "wandb"])
def test_every_logger_of_conf_composes(name: str, tmp_path: Path) -> None:
    assert tiny_run(tmp_path, f"logger={name}").logger.name == name
