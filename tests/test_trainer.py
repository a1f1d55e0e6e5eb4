from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.strategies import DDPStrategy

from src.config.compose import compose
from src.system.errors import UserError
from src.trainer import Machine, TrainerConfig, freed_memory_policy, machine_of
from src.training.assembly import build_trainer
from src.training.config import TrainConfig
from src.training.execution import Execution, ProcessorSyncBatchNorm

STORES = ["data.train=[a]", "data.val=[a]"]
CPU = TrainerConfig(accelerator="cpu")


@pytest.fixture(autouse=True)
def launched_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES",
                 "NODE_RANK", "OMP_NUM_THREADS"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


def see_gpus(monkeypatch: pytest.MonkeyPatch, count: int, bfloat16: bool = True) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)


def built(config: TrainerConfig, run_dir: Path) -> Trainer:
    return build_trainer(config, machine_of(config), str(run_dir), [], [])


@pytest.mark.parametrize(
    ("precision", "gpu", "bfloat16", "expected"),
    [
        ("auto", False, False, "32-true"),
        ("bf16-mixed", False, False, "bf16-mixed"),
        ("auto", True, True, "bf16-mixed"),
        ("auto", True, False, "32-true"),
        ("16-mixed", True, False, "16-mixed"),
        ("32-true", True, True, "32-true"),
    ],
)
def test_precision_follows_the_device(
    precision: str, gpu: bool, bfloat16: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_gpus(monkeypatch, int(gpu), bfloat16)
    machine = machine_of(TrainerConfig(precision=precision))  # type: ignore[arg-type]
    assert machine == Machine(gpu, 1, expected)  # type: ignore[arg-type]
    assert machine.device.type == ("cuda" if gpu else "cpu")


def test_a_precision_that_the_device_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    see_gpus(monkeypatch, 1, bfloat16=False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    with pytest.raises(UserError, match="Tesla V100 has no bfloat16; use 32-true or 16-mixed"):
        machine_of(TrainerConfig(precision="bf16-mixed"))
    see_gpus(monkeypatch, 0)
    with pytest.raises(UserError, match="16-mixed needs a GPU"):
        machine_of(TrainerConfig(precision="16-mixed"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.precision=16-mixed", "16-mixed needs a GPU"),
        ("trainer.num_nodes=0", "num_nodes must be at least 1"),
        ("trainer.devices=0", "devices must be at least 1"),
        ("trainer.devices=2", "tune measures one process"),
        ("trainer.compile=true", "compile and checkpoint_activations exclude each other"),
    ],
)
def test_what_excludes_each_other_is_said_when_the_configuration_is_read(override: str, words: str) -> None:
    others = ["trainer=cpu", "trainer.checkpoint_activations=true", "trainer.tune=true"]
    with pytest.raises(UserError, match=words):
        compose("train", TrainConfig, [*STORES, *others, override])


def test_more_gpus_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    see_gpus(monkeypatch, 2)
    with pytest.raises(UserError, match=r"devices=4: there are 2 GPUs here; set trainer.devices=2"):
        machine_of(TrainerConfig(devices=4))
    assert machine_of(TrainerConfig(devices="all")).devices == 2
    see_gpus(monkeypatch, 0)
    assert machine_of(TrainerConfig(devices="all")).devices == 1
    assert machine_of(replace(CPU, devices=4)).devices == 4
    with pytest.raises(
        UserError, match=r"devices=4: there is no GPU here; .* trainer\.accelerator=cpu for 4 processes"
    ):
        machine_of(TrainerConfig(devices=4))


def test_the_launchers_number_of_processes_must_be_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "4")
    # Four processes that each take themselves for the only one would overwrite each other's run.
    with pytest.raises(
        UserError, match=r"4 processes were launched, but trainer\.devices=1 x trainer\.num_nodes=1 is 1"
    ):
        machine_of(CPU)
    assert machine_of(replace(CPU, devices=2, num_nodes=2)).devices == 2
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    monkeypatch.setenv("NODE_RANK", "1")  # which alone would leave two first processes
    with pytest.raises(UserError, match="torchrun or srun"):
        machine_of(replace(CPU, devices=2, num_nodes=2))
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    monkeypatch.setenv("SLURM_JOB_NAME", "faces")
    with pytest.raises(UserError, match="8 processes were launched"):
        machine_of(replace(CPU, devices=2, num_nodes=2))


def test_a_job_script_that_lightning_would_not_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    two = replace(CPU, devices=2, num_nodes=2)
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "faces")
    with pytest.raises(UserError, match=r"--ntasks=4 does not say .* --ntasks-per-node=2 and --nodes=2"):
        machine_of(two)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")
    with pytest.raises(UserError, match=r"--ntasks-per-node=4, but trainer\.devices=2"):
        machine_of(two)
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    monkeypatch.setenv("SLURM_NNODES", "1")
    with pytest.raises(UserError, match=r"--nodes=1, but trainer\.num_nodes=2"):
        machine_of(two)
    monkeypatch.setenv("SLURM_NNODES", "2")
    assert machine_of(two).devices == 2


def test_several_processes_share_gradients_and_batch_statistics(tmp_path: Path) -> None:
    trainer = built(replace(CPU, devices=2), tmp_path)
    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer.strategy._ddp_kwargs["find_unused_parameters"]
    assert isinstance(trainer.strategy._layer_sync, ProcessorSyncBatchNorm)
    apart = built(replace(CPU, devices=2, sync_batchnorm=False), tmp_path)
    assert apart.strategy._layer_sync is None
    alone = built(CPU, tmp_path)
    assert not isinstance(alone.strategy, DDPStrategy)
    assert any(isinstance(callback, Execution) for callback in alone.callbacks)


def test_the_groups_for_several_devices() -> None:
    ddp = compose("train", TrainConfig, [*STORES, "trainer=ddp"]).trainer
    slurm = compose("train", TrainConfig, [*STORES, "trainer=ddp_slurm"]).trainer
    assert (ddp.devices, ddp.num_nodes, ddp.sync_batchnorm) == ("all", 1, True)
    assert (slurm.devices, slurm.num_nodes, slurm.sync_batchnorm) == (4, 2, True)


def _policy(config: TrainerConfig) -> str:
    return freed_memory_policy(config, machine_of(config))


def test_what_becomes_of_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _policy(CPU) == "kept"
    assert _policy(replace(CPU, keep_freed_memory=False)) == "usual"
    assert _policy(replace(CPU, checkpoint_activations=True)) == "returned"
    see_gpus(monkeypatch, 1)
    assert _policy(CPU) == "kept"
    assert _policy(TrainerConfig(accelerator="gpu")) == "usual"


def test_torchrun_inside_a_slurm_job_starts_the_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slurm = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "faces"}
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "localhost",
                "MASTER_PORT": "29500", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}  # fmt: skip
    for name, value in (slurm | torchrun).items():
        monkeypatch.setenv(name, value)
    two = replace(CPU, devices=2)
    assert machine_of(two).devices == 2
    trainer = built(two, tmp_path)
    assert trainer.world_size == 2
    assert type(trainer.strategy.cluster_environment).__name__ == "TorchElasticEnvironment"  # type: ignore[attr-defined]
