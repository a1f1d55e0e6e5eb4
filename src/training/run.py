"""A training run from its configuration to its checkpoints."""

import logging
import signal
import time
import warnings
from pathlib import Path

import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from src.callbacks.checkpoints import Checkpoints, batches_done
from src.callbacks.progress import build_progress
from src.callbacks.signals import Signals, Stopped, requeue
from src.data.module import FaceData
from src.logger.build import build_loggers, close_loggers, import_dashboard
from src.logger.config import FINISH_SECONDS
from src.model.parameters import parameter_count
from src.system.errors import UserError
from src.system.memory import freed_memory
from src.system.plain import to_plain
from src.system.processes import first_process, process_number
from src.system.revision import revision
from src.trainer import Machine, freed_memory_policy, machine_of
from src.training.assembly import build_dashboard, build_trainer
from src.training.config import TrainConfig
from src.training.dictionary_run import make_dictionary
from src.training.drawn_faces import draw_missing_faces
from src.training.first_weights import load_weights
from src.training.module import FaceSR
from src.training.resume import save_config, start_from
from src.training.run_log import LOG, log_to, log_to_console
from src.training.tuning import tuned, tuned_before

log = logging.getLogger(__name__)
HINTS = (
    "treespec, LeafSpec",
    "does not have many workers",
    "The number of training batches.*is smaller than the logging interval",
    "Checkpoint directory.*exists and is not empty",
    "Experiment logs directory.*exists and is not empty",
    "your dataloader is not resumable",  # the sampler restores its position
    "The `srun` command is available on your system but is not used",  # docs/training.md says when it is
    "It is recommended to use `self.log.*sync_dist=True",  # the means are over all processes already
    "torch.distributed.nn.functional.all_gather is deprecated",
)
"""Parts of warnings for developers, which the user of a run cannot act on."""
PATIENCE = 5.0  # seconds for the first process to report an error


def train(config: TrainConfig) -> Path:
    """Train and validate; return the path of the newest checkpoint, or of the dictionary that `method` makes.

    Raises:
        UserError: a store, weights file or device is missing, and whatever the called functions raise it for.
        ModuleNotFoundError: an extra is not installed; for a dashboard it is raised before anything is written.
        Stopped: a signal stopped the run; the same configuration resumes it.
    """
    run_dir = Path(config.run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"run_dir={run_dir} is a file: name a folder")
    import_dashboard(config.logger)
    log_to_console()
    log.info("run folder: %s", run_dir)
    quieten()
    seed_everything(config.seed, workers=True, verbose=False)
    with Signals() as signals:
        stopped_by = 0
        try:
            if config.method is not None:
                return make_dictionary(config, config.method, run_dir)
            # Device and data first, so that their errors appear before weights are fetched or anything is written.
            machine = machine_of(config.trainer)
            with freed_memory(freed_memory_policy(config.trainer, machine)):
                return _fit(config, machine, run_dir, signals)
        except Stopped as stopped:
            stopped_by = stopped.number
            raise
        except UserError as error:
            if first_process():
                raise
            # The first process meets most errors too: it reports them and ends this process. An error in this process
            # alone, such as a store that its machine lacks, would leave the first one waiting.
            closing = FINISH_SECONDS if signals.waits and config.logger.name == "wandb" else 0.0
            signals.wait_for_the_batch(False)  # no batch is running any more
            time.sleep(PATIENCE + closing)
            raise UserError(f"process {process_number()}: {error}") from None
        finally:
            signals.wait_for_the_batch(False)
            if stopped_by == signal.SIGUSR1 and first_process():
                requeue()  # before W&B sends its data: the job's time is running out
            close_loggers(config.logger, config.run_dir)
            log.info("run folder: %s", run_dir)
            log_to(None)


def _fit(config: TrainConfig, machine: Machine, run_dir: Path, signals: Signals) -> Path:
    data = FaceData(config.data, config.model.generator.heatmap_side, config.seed)
    draw_missing_faces(config.data)
    data.setup("fit")
    start = start_from(run_dir, to_plain(config))
    if config.trainer.tune:
        config = tuned_before(config, start.config) if start.here else tuned(config, machine)
        machine = machine_of(config.trainer)
    module = FaceSR(config)
    if config.init is not None and start.path is None:
        load_weights(module.generator, config.model.generator, config.init, config.init_fresh)
    save_config(run_dir, to_plain(config))
    if first_process():
        log_to(run_dir / LOG)
    trainer, checkpoints = trainer_of(config, machine, signals)
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
    for remark in start.remarks:
        log.info("%s", remark)
    log.info("revision %s", revision())
    try:
        trainer.fit(module, data, ckpt_path=start.path, weights_only=True)
        if checkpoints.validated != batches_done(trainer):
            trainer.validate(module, data, verbose=False)
    except Stopped as stopped:
        name = signal.Signals(stopped.number).name
        if checkpoints.last_path.exists():
            log.info(
                "%s: saved %s: the same command with run_dir=%s resumes the run", name, checkpoints.last_path, run_dir
            )
        else:
            log.info("%s: nothing was saved yet: the same command starts over", name)
        raise
    except UserError:
        # The other processes may be waiting for this one, on a GPU for half an hour.
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _SubprocessScriptLauncher):
            others = list(launcher.procs)
            launcher.procs.clear()  # or Lightning would see them fail and kill this one before it reports its error
            for other in others:
                other.kill()
        raise
    log.info("newest checkpoint: %s", checkpoints.last_path)
    if checkpoints.best is not None:
        log.info("best %s %.4g: %s", config.monitor, checkpoints.best, checkpoints.best_path)
    return checkpoints.last_path


def trainer_of(config: TrainConfig, machine: Machine, signals: Signals, *more: Callback) -> tuple[Trainer, Checkpoints]:
    """Lightning's trainer with the loggers and callbacks of a run, and its `Checkpoints` callback.

    Args:
        config: the run's configuration; its run folder exists.
        machine: the devices and the precision.
        signals: the signals that stop the run.
        more: further callbacks, after the run's own.
    """
    checkpoints = Checkpoints(
        config.run_dir,
        config.monitor,
        config.callbacks.save_every_n_steps,
        config.callbacks.save_every_seconds,
        config.trainer.accumulate,
        signals,
    )
    loggers = build_loggers(config.logger, config.run_dir, to_plain(config))
    callbacks = [checkpoints, *build_progress(config.callbacks), *build_dashboard(config), *more]
    return build_trainer(config.trainer, machine, config.run_dir, loggers, callbacks), checkpoints


def quieten() -> None:
    """Silence the libraries' messages that a user can do nothing about."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for words in HINTS:
        warnings.filterwarnings("ignore", f".*{words}")
