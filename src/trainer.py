"""The trainer's configuration, and the devices and precision that a machine gives it; `conf/trainer` mirrors it.

Lightning is imported only inside functions, so that settings are checked before the slow imports.
"""

import logging
import os
import re
from dataclasses import dataclass
from typing import Literal

import torch

from src.system.errors import UserError
from src.system.memory import Freed

log = logging.getLogger(__name__)

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class TrainerConfig:
    """How long a run trains, and on which devices."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """auto: a GPU if there is one, else the CPU."""
    devices: int | Literal["all"] = 1
    """GPUs per machine (or processes on CPUs), at least 1; all: every GPU. Each of them takes data.batch_size faces at
    every step."""
    num_nodes: int = 1
    """Machines, at least 1."""
    sync_batchnorm: bool = True
    """Batch normalisation over the faces of all processes; false: each process normalises over its own faces."""
    precision: Literal["auto"] | Precision = "auto"
    """auto: bf16-mixed on a GPU, 32-true on a CPU."""
    max_epochs: int = 100
    """Largest number of epochs, at least 1."""
    max_time: str | None = None
    """Longest training time, DD:HH:MM:SS; null: no limit. The run ends its last epoch early, validates and saves."""
    limit_train_batches: int | float | None = None
    """Batches per epoch, at least 1, or with a point (0.01) a share of them, above 0 and at most 1.0; null: all."""
    limit_val_batches: int | float | None = None
    """The same for validation batches."""
    val_every_n_epochs: int = 1
    """Epochs between two validations, each followed by a save; at least 1."""
    accumulate: int = 1
    """Batches per update of each network, at least 1; the last group of an epoch may have fewer.

    They act as one large batch in the memory of a small one, but batch normalisation sees each batch alone. U's loss
    needs the updated D: with an adversarial term all but a group's last batch pass U twice, once without gradients.
    """
    log_every_n_steps: int = 20
    """Batches between two logs of the losses, at least 1."""
    channels_last: bool = True
    """Keep the networks' tensors NHWC in memory: the same numbers up to rounding, faster convolutions."""
    compile: bool = False
    """torch.compile U and D: the same numbers up to rounding, a slow start; needs a C++ compiler."""
    checkpoint_activations: bool = False
    """Recompute U's activations in the backward pass: the same numbers, less memory, a third more computation."""
    keep_freed_memory: bool = True
    """On CPUs (with glibc): keep the memory that tensors free for the next tensors, which is faster. With
    checkpoint_activations, which saves memory, freed memory is returned at once instead."""
    tune: bool = False
    """At the start, time some steps with each precision and memory layout and take the fastest; one process only."""
    threads: int | None = None
    """CPU threads per process, at least 1; null: torch's own choice."""
    detect_anomaly: bool = False
    """Name the layer, or the operation's gradient, that first was not finite; slow."""
    profiler: Literal["simple", "operations"] | None = None
    """profile.txt in the run folder: time by hook (simple), and by operation (operations); null: none."""

    def __post_init__(self) -> None:
        if self.max_time is not None and not re.fullmatch(r"\d\d:\d\d:\d\d:\d\d", self.max_time):
            raise ValueError(f"max_time must be DD:HH:MM:SS, as in 00:00:30:00 for half an hour, not {self.max_time!r}")
        for name in ("devices", "num_nodes", "max_epochs", "val_every_n_epochs", "accumulate", "log_every_n_steps",
                     "limit_train_batches", "limit_val_batches", "threads"):  # fmt: skip
            value = getattr(self, name)
            if isinstance(value, float) and not 0 < value <= 1:
                raise ValueError(f"{name} as a share must be above 0 and at most 1.0, not {value}")
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.compile and self.checkpoint_activations:
            raise ValueError("compile and checkpoint_activations exclude each other: set one of them to false")
        if self.tune and (self.devices != 1 or self.num_nodes != 1):
            raise ValueError("tune measures one process: run it once with devices=1, then set the values it prints")
        if self.accelerator == "cpu" and self.precision == "16-mixed":
            raise ValueError("precision=16-mixed needs a GPU; on a CPU use bf16-mixed or 32-true")


@dataclass(frozen=True)
class Machine:
    """The devices and the precision of a run, determined once.

    Attributes:
        gpu: true: on GPUs; false: on the CPU.
        devices: processes per machine, one per GPU or all on the CPU.
        precision: Lightning's name of it.
    """

    gpu: bool
    devices: int
    precision: Precision

    @property
    def device(self) -> torch.device:
        """The device of a run with one process."""
        return torch.device("cuda" if self.gpu else "cpu")


def machine_of(config: TrainerConfig) -> Machine:
    """The devices and the precision that this machine gives to a run.

    Raises:
        UserError: there are no or too few GPUs, they lack the precision, or the number of launched processes is not
            the configured one.
    """
    gpu = _gpu(config)
    precision = _precision(config, gpu)
    devices = _devices(config, gpu)
    if config.devices == "all" and not gpu:
        log.warning("trainer.devices=all: no GPU here, so one process trains on the CPU")
    return Machine(gpu, devices, precision)


def freed_memory_policy(config: TrainerConfig, machine: Machine) -> Freed:
    """Whether a run keeps the memory that its tensors free, returns it at once or leaves that to the C library."""
    if machine.gpu:
        return "usual"
    if config.checkpoint_activations:
        return "returned"
    return "kept" if config.keep_freed_memory else "usual"


def launched_processes() -> int | None:
    """How many processes of this run torchrun or SLURM's srun started; None if neither started this one."""
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if TorchElasticEnvironment.detect():
        return int(os.environ["WORLD_SIZE"])
    return int(os.environ["SLURM_NTASKS"]) if SLURMEnvironment.detect() else None


def _gpu(config: TrainerConfig) -> bool:
    available = torch.cuda.is_available()
    if config.accelerator == "gpu" and not available:
        raise UserError("trainer.accelerator=gpu: torch sees no GPU here; use trainer=cpu")
    return available and config.accelerator != "cpu"


def _precision(config: TrainerConfig, gpu: bool) -> Precision:
    # Without emulation: GPUs from before 2020 only emulate bfloat16, slower than float32.
    bfloat16 = not gpu or torch.cuda.is_bf16_supported(including_emulation=False)
    if config.precision == "auto":
        return "bf16-mixed" if gpu and bfloat16 else "32-true"
    if config.precision == "16-mixed" and not gpu:
        raise UserError("trainer.precision=16-mixed needs a GPU; on a CPU use bf16-mixed or 32-true")
    if config.precision == "bf16-mixed" and not bfloat16:
        name = torch.cuda.get_device_name()
        raise UserError(f"trainer.precision=bf16-mixed: {name} has no bfloat16; use 32-true or 16-mixed")
    return config.precision


def _devices(config: TrainerConfig, gpu: bool) -> int:
    there = torch.cuda.device_count() if gpu else 1
    devices = there if config.devices == "all" else config.devices
    if gpu and devices > there:
        raise UserError(f"trainer.devices={devices}: there are {there} GPUs here; set trainer.devices={there} or all")
    world = devices * config.num_nodes
    launched = launched_processes()
    _check_slurm(devices, config.num_nodes)
    if launched is not None and launched != world:
        raise UserError(
            f"{launched} processes were launched, but trainer.devices={devices} x trainer.num_nodes={config.num_nodes} "
            f"is {world}: make them equal"
        )
    if config.devices not in (1, "all") and config.accelerator == "auto" and not gpu:
        raise UserError(
            f"trainer.devices={devices}: there is no GPU here; set trainer.devices=1, or trainer.accelerator=cpu for "
            f"{devices} processes on this machine's CPU"
        )
    if launched is None and config.num_nodes > 1:
        raise UserError(
            f"trainer.num_nodes={config.num_nodes}: start it on every machine with torchrun or srun; docs/training.md "
            "has the commands"
        )
    return devices


def _check_slurm(devices: int, num_nodes: int) -> None:
    """Raise a UserError if a job script requests its processes from SLURM in a way that Lightning cannot read."""
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return  # torchrun starts the processes, also inside a SLURM job
    tasks, per_node = os.environ["SLURM_NTASKS"], os.environ.get("SLURM_NTASKS_PER_NODE")
    nodes = os.environ.get("SLURM_NNODES")
    if int(tasks) > 1 and per_node is None:
        raise UserError(
            f"#SBATCH --ntasks={tasks} does not say how many processes a machine gets: write "
            f"#SBATCH --ntasks-per-node={devices} and --nodes={num_nodes} instead"
        )
    if per_node is not None and int(per_node) != devices:
        raise UserError(f"#SBATCH --ntasks-per-node={per_node}, but trainer.devices={devices}: make them equal")
    if nodes is not None and int(nodes) != num_nodes:
        raise UserError(f"#SBATCH --nodes={nodes}, but trainer.num_nodes={num_nodes}: make them equal")
