import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from torch import nn

from src.data.module import FaceData
from src.training.module import FaceSR
from src.training.steps import group_size, updates_done
from tests.helpers.tiny_files import write_store
from tests.training.test_module import fit, tiny

ROOT = Path(__file__).parents[2]
# Of an Adam of small eps the first updates are +-lr whatever the rounding; this one moves by the gradient. D's part is
# large, and the rate changes with every update and epoch.
SMOOTH = [
    "optimizer.eps=0.1",
    "optimizer.lr=0.01",
    "optimizer.discriminator_lr=null",
    "optimizer.schedule.epoch_decay=0.9",
    "optimizer.schedule.cooldown=0.7",
    "optimizer.schedule.warmup=[[2,3]]",
    "loss.adversarial.weight=1.0",
    "model.discriminator.dropout=0",
    "model.discriminator.spatial_dropout=0",
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 16, seed=1), write_store(folder / "val", 2, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


class Copy(nn.Module):
    """What batch normalisation is to a ReLU in place: a new tensor."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.clone()


def without_batch_norm(network: nn.Module) -> None:
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, Copy())
        else:
            without_batch_norm(child)


def run(stores: list[str], *overrides: str) -> tuple[FaceSR, Trainer]:
    """A training without batch normalisation and dropout, in which a batch's faces do not know of one another."""
    config = tiny(stores, *SMOOTH, *overrides)
    torch.manual_seed(config.seed)
    module = FaceSR(config)
    without_batch_norm(module.generator)
    trainer = Trainer(max_epochs=config.trainer.max_epochs, accelerator="cpu", logger=False,
                      enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(module, FaceData(config.data, 32, config.seed))
    return module, trainer


def largest_difference(one: nn.Module, two: nn.Module) -> float:
    values, others = one.state_dict(), two.state_dict()
    assert values.keys() == others.keys()
    return max(float((values[name].float() - others[name].float()).abs().max()) for name in values)


@pytest.mark.parametrize("adversarial", [[], ["loss.adversarial.weight=0"]])
def test_four_batches_are_one_of_four_times_the_size(stores: list[str], adversarial: list[str]) -> None:
    (large, trainer), (gathered, _) = (
        run(stores, f"data.batch_size={size}", f"trainer.accumulate={accumulate}", "trainer.max_epochs=3",
            f"trainer.log_every_n_steps={accumulate}", *adversarial)
        for size, accumulate in ((8, 1), (2, 4))
    )  # fmt: skip
    start, _ = run(stores, "data.batch_size=8", "optimizer.lr=0", "trainer.max_epochs=1", *adversarial)
    for name in ("generator", "discriminator")[: 1 if adversarial else 2]:
        assert largest_difference(getattr(start, name), getattr(large, name)) > 0.005, "the training has gone far"
    assert largest_difference(large, gathered) < 1e-5
    for one, two in zip(trainer.optimizers, gathered.trainer.optimizers, strict=True):
        assert one.param_groups[0]["lr"] == two.param_groups[0]["lr"] > 0
    assert gathered.trainer.fit_loop.total_batch_idx == 3 * 8 - 1, "the clock counts batches"
    logged = [module.trainer.callback_metrics for module in (large, gathered)]
    for name in ("loss/total", "loss/structure", "optim/grad_norm_generator", "optim/lr_generator"):
        assert logged[0][name] == pytest.approx(float(logged[1][name]), rel=1e-4), name


def test_the_epochs_last_group_may_be_incomplete(stores: list[str]) -> None:
    # 16 faces, batches of 2, groups of 6 and 2; and the same as batches of 4, groups of 3 and 1.
    one, two = (
        run(stores, f"data.batch_size={size}", f"trainer.accumulate={accumulate}", "trainer.max_epochs=2")[0]
        for size, accumulate in ((2, 6), (4, 3))
    )
    assert largest_difference(one, two) < 1e-5
    for optimizer in one.trainer.optimizers:
        assert {int(state["step"]) for state in optimizer.state.values()} == {4}


def test_groups_and_updates_by_the_clock() -> None:
    assert [group_size(batch, 8, 3) for batch in (0, 3, 6)] == [3, 3, 2]
    assert group_size(4, 8, 3) == 2, "a run that goes on in mid-group ends the group where it would have ended"
    assert group_size(0, 2, 5) == 2
    # Epochs of 8 batches: updates after batches 3, 6, 8, 11, 14, 16.
    assert [updates_done(batches, 8, 3) for batches in (0, 3, 6, 8, 11, 14, 16)] == [0, 1, 2, 3, 4, 5, 6]
    assert [updates_done(batches, 8, 1) for batches in (0, 5, 19)] == [0, 5, 19]


def test_batch_statistics_see_every_batch_once(stores: list[str]) -> None:
    module, _ = fit(tiny(stores, "data.batch_size=4", "trainer.accumulate=4", "trainer.max_epochs=1"))
    counts = {int(value) for name, value in module.generator.state_dict().items() if "num_batches" in name}
    assert counts == {4}


def test_what_is_logged_in_mid_group_is_the_last_update(stores: list[str]) -> None:
    config = tiny(stores, "data.batch_size=2", "trainer.accumulate=3", "trainer.log_every_n_steps=4",
                  "trainer.max_epochs=1")  # fmt: skip
    _, trainer = fit(config, limit_train_batches=5)
    assert {"loss/total", "gan/accuracy_real", "optim/grad_norm_discriminator", "guard/skipped"} <= set(
        trainer.callback_metrics
    )


PROGRAM = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import torch
from lightning import Trainer
from tests.training.test_accumulation import SMOOTH, tiny, without_batch_norm
from src.data.module import FaceData
from src.training.module import FaceSR

stores, out = json.loads(sys.argv[2])
synced = []


class Spied(FaceSR):
    spoiled = False

    def on_train_batch_start(self, batch, batch_idx):
        if self.spoiled and self.trainer.global_rank == 1:
            batch.heatmaps.fill_(float("nan"))

    def manual_backward(self, loss, *args, **kwargs):
        synced.append(self.trainer.strategy.model.require_backward_grad_sync)
        super().manual_backward(loss, *args, **kwargs)


def run(spoiled):
    config = tiny(stores, *SMOOTH, "data.batch_size=2", "trainer.accumulate=2", "guard.max_consecutive=2")
    torch.manual_seed(config.seed)
    module = Spied(config)
    module.spoiled = spoiled
    without_batch_norm(module.generator)
    trainer = Trainer(max_epochs=2, accelerator="cpu", devices=2, logger=False, enable_checkpointing=False,
                      strategy="ddp_find_unused_parameters_true", use_distributed_sampler=False,
                      enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(module, FaceData(config.data, 32, config.seed))
    return module


module = run(spoiled=False)
torch.save({"state": module.state_dict(), "synced": list(synced)}, f"{out}/{module.global_rank}.pt")
try:
    run(spoiled=True)
except Exception as error:
    open(f"{out}/{module.global_rank}.txt", "w").write(str(error))
"""


def test_two_processes_are_one_and_stop_together(stores: list[str], tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    paths = json.dumps([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "training")])
    done = subprocess.run(
        [sys.executable, str(script), paths, json.dumps([stores, str(tmp_path)])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, _ = run(stores, "data.batch_size=2", "trainer.accumulate=4", "trainer.max_epochs=2")
    for rank in (0, 1):
        two = torch.load(tmp_path / f"{rank}.pt")
        for name, tensor in one.state_dict().items():
            torch.testing.assert_close(two["state"][name], tensor, rtol=0, atol=1e-5, msg=name)
        # In a group of two: D's first batch, D's second; U's one that has its graph already, U's other.
        assert two["synced"] == [False, True, False, True] * 4
        # Only rank 1's batches were spoiled; both have left out the same updates and know why.
        assert "training has diverged: loss/structure not finite in 2" in (tmp_path / f"{rank}.txt").read_text()
