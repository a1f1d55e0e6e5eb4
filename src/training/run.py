"""A training run from its configuration to its checkpoints."""

import logging
import sys
import warnings
from pathlib import Path

import torch
import wandb
from lightning import seed_everything

from src.callbacks.checkpoints import Checkpoints
from src.callbacks.progress import build_progress
from src.config.train import TrainConfig
from src.data.module import FaceData
from src.errors import UserError
from src.logger import build_loggers
from src.model.build import parameter_count, to_plain
from src.trainer import build_trainer
from src.training.module import FaceSR
from src.training.resume import start_from

log = logging.getLogger(__name__)
PROJECT_LOG = logging.getLogger("src")


def train(config: TrainConfig) -> Path:
    """Train and validate; the path of the newest checkpoint.

    Raises:
        UserError: a store, weights file or device that is not there; see the parts.
    """
    run_dir = Path(config.run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"run_dir={run_dir} is a file: name a folder")
    PROJECT_LOG.setLevel(logging.INFO)
    if not PROJECT_LOG.handlers:
        PROJECT_LOG.addHandler(logging.StreamHandler(sys.stderr))
    log.info("run folder: %s", run_dir)
    quieten()
    seed_everything(config.seed, workers=True, verbose=False)
    try:
        return _fit(config, run_dir)
    finally:
        if wandb.run is not None:
            wandb.finish()
        log.info("run folder: %s", run_dir)
        _log_to(None)


def _fit(config: TrainConfig, run_dir: Path) -> Path:
    # The data first: a wrong path is told before weights are fetched or a log is written.
    data = FaceData(config.data, config.model.generator.heb.resolution, config.seed)
    data.prepare_data()
    data.setup("fit")
    module = FaceSR(config)
    plain = to_plain(config)
    checkpoints = Checkpoints(config.run_dir, config.callbacks.monitor)
    resumed = start_from(run_dir, checkpoints.last_path, plain)
    _log_to(run_dir / "train.log")
    trainer = build_trainer(
        config.trainer,
        config.run_dir,
        build_loggers(config.logger, config.run_dir, plain),
        [*build_progress(config.callbacks), checkpoints],
    )
    counts = [f"U {parameter_count(module.generator) / 1e6:.2f} M"]
    if module.discriminator is not None:
        counts.append(f"D {parameter_count(module.discriminator) / 1e6:.2f} M")
    assert data.train_faces is not None
    assert data.val_faces is not None
    log.info(
        "%d training and %d validation faces; parameters: %s; %s, precision %s, %d threads",
        len(data.train_faces),
        len(data.val_faces),
        ", ".join(counts),
        trainer.strategy.root_device,
        trainer.precision,
        torch.get_num_threads(),
    )
    if resumed is not None:
        log.info("going on from %s", resumed)
    trainer.fit(module, data, ckpt_path=resumed, weights_only=True)
    if checkpoints.saved_at != trainer.fit_loop.total_batch_idx:
        trainer.validate(module, data, verbose=False)
    log.info("newest checkpoint: %s", checkpoints.last_path)
    if checkpoints.best is not None:
        log.info("best %s %.4g: %s", config.callbacks.monitor, checkpoints.best, checkpoints.best_path)
    return checkpoints.last_path


def _log_to(path: Path | None) -> None:
    """Write what is said to this file too, and to no other: a sweep's jobs follow one another in one process."""
    for handler in [handler for handler in PROJECT_LOG.handlers if isinstance(handler, logging.FileHandler)]:
        PROJECT_LOG.removeHandler(handler)
        handler.close()
    if path is not None:
        PROJECT_LOG.addHandler(logging.FileHandler(path))


def quieten() -> None:
    """Silence what libraries say to people who can do nothing about it."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*The number of training batches.*is smaller than the logging interval.*")
    warnings.filterwarnings("ignore", ".*Checkpoint directory.*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # the sampler knows where it was
    warnings.filterwarnings("ignore", ".*Experiment logs directory.*exists and is not empty.*")
