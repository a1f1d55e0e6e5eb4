"""Builds Lightning's trainer and the callbacks of a run from its configuration."""

import os
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers import Logger

from src.callbacks.curves import Curves
from src.callbacks.limit import LimitByShare
from src.callbacks.logger_clock import LoggerClock
from src.callbacks.nan import NotFinite
from src.callbacks.panel import Panel
from src.callbacks.performance import Performance
from src.callbacks.profile import Profile
from src.trainer import Machine, TrainerConfig
from src.training.config import TrainConfig
from src.training.execution import Execution, ProcessorSyncBatchNorm


def build_trainer(
    config: TrainerConfig,
    machine: Machine,
    run_dir: str,
    loggers: list[Logger],
    callbacks: list[Callback],
    **options: Any,
) -> Trainer:
    """The trainer of a run.

    Args:
        config: how long and how it trains.
        machine: the devices and the precision.
        run_dir: the run folder.
        loggers: the loggers of the run.
        callbacks: the run's own; those that `config` asks for follow them.
        options: further arguments of Lightning's trainer.
    """
    several = machine.devices * config.num_nodes > 1
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if config.threads is not None and several:
        # Otherwise Lightning would give each process its share of the cores and ignore trainer.threads.
        os.environ["OMP_NUM_THREADS"] = str(config.threads)
    callbacks = [*callbacks, Execution(config.compile, config.checkpoint_activations)]
    shares = [x if isinstance(x, float) else None for x in (config.limit_train_batches, config.limit_val_batches)]
    if any(shares):
        callbacks = [*callbacks, LimitByShare(*shares)]
    if config.detect_anomaly:
        callbacks = [*callbacks, NotFinite()]
    if config.profiler is not None:
        callbacks = [*callbacks, Profile(run_dir, config.profiler)]
    sync = several and config.sync_batchnorm
    return Trainer(
        default_root_dir=run_dir,
        accelerator="gpu" if machine.gpu else "cpu",
        devices=machine.devices,
        num_nodes=config.num_nodes,
        # D's and U's steps each leave the other network without gradients.
        strategy="ddp_find_unused_parameters_true" if several else "auto",
        sync_batchnorm=sync and machine.gpu,
        plugins=[*_cluster(), *([ProcessorSyncBatchNorm()] if sync and not machine.gpu else [])],
        precision=machine.precision,
        max_epochs=config.max_epochs,
        max_time=config.max_time,
        limit_train_batches=config.limit_train_batches,
        limit_val_batches=config.limit_val_batches,
        check_val_every_n_epoch=config.val_every_n_epochs,
        log_every_n_steps=config.log_every_n_steps,
        detect_anomaly=config.detect_anomaly,
        profiler="simple" if config.profiler is not None else None,
        logger=loggers,
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_checkpointing=False,  # the Checkpoints callback saves
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        use_distributed_sampler=False,  # the samplers know rank and world size
        **options,
    )


def _cluster() -> list[ClusterEnvironment]:
    # Lightning's own requeueing would write its own checkpoints; our requeued job resumes from last.ckpt.
    slurm = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()  # torchrun comes first, as in Lightning
    return [SLURMEnvironment(auto_requeue=False)] if slurm else []


def build_dashboard(config: TrainConfig) -> list[Callback]:
    """The callbacks for the loggers' step, speed, panel and curves; with `logger=none` only the first.

    They come after `Checkpoints`, which must be the first callback.
    """
    callbacks: list[Callback] = [LoggerClock()]
    if config.logger.name == "none":
        return callbacks
    if config.callbacks.performance:
        callbacks.append(Performance())
    if config.callbacks.panel:
        callbacks.append(Panel(config.run_dir, config.callbacks.panel))
    return [*callbacks, Curves(config.run_dir)]
