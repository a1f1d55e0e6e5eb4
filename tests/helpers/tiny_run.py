"""A run of a few thousand parameters and a few batches, for tests that need a real one."""

from pathlib import Path

from src.config.compose import compose
from src.training.config import TrainConfig
from tests.helpers.tiny_files import write_store

NETWORKS = [
    "model.generator.width=8",
    "model.generator.width64=8",
    "model.generator.blocks16=1",
    "model.generator.blocks32=1",
    "model.generator.heb.width=8",
    "model.generator.aligner.width=4",
    "model.generator.aligner.hidden=8",
    "model.discriminator.widths=[4,4,4,4]",
    "model.discriminator.hidden=8",
]
"""The demo's networks, small."""
WHOLE = ["loss.alignment_first=0", "loss.frame=true", "trainer.val_every_n_epochs=1"]
"""Every batch trains all of the networks in the true frame, and every epoch is validated."""
TINY = [
    "experiment=demo",
    *NETWORKS,
    *WHOLE,
    "optimizer.lr=1e-3",
    "optimizer.localisation=1",
    "optimizer.schedule.cooldown=0.3",
    "data.batch_size=2",
    "data.workers=0",
    "callbacks.progress=none",
    "trainer=cpu",
]


def tiny_run(folder: Path, *overrides: str, val: int = 3) -> TrainConfig:
    """A run in `folder/out` on 6 faces, 3 batches an epoch, that logs every 2 batches."""
    if not (folder / "train").exists():
        write_store(folder / "train", 6, seed=1)
        write_store(folder / "val", val, seed=2)
    stores = [f"data.train=[{folder}/train]", f"data.val=[{folder}/val]", f"run_dir={folder}/out"]
    return compose("train", TrainConfig, [*TINY, *stores, "trainer.log_every_n_steps=2", *overrides])
