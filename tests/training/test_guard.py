import copy
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision

from src.callbacks.checkpoints import Checkpoints
from src.callbacks.nan import NotFinite
from src.system.errors import UserError
from src.training.guard import Guard, GuardConfig, causes, not_finite
from tests.helpers.tiny_files import write_store
from tests.training.test_module import fit, tiny

NAN = float("nan")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 6, seed=1), write_store(folder / "val", 2, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


def state(module: Any, network: str) -> dict[str, Any]:
    """Weights, batch statistics and the optimiser's state of a network."""
    optimizer = module.optimizers()[0 if network == "generator" else 1].optimizer
    return copy.deepcopy(
        {"weights": getattr(module, network).state_dict(), "optimizer": optimizer.state_dict()["state"]}
    )


def same(one: Any, two: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else bool(one == two)


class Spoil(Callback):
    """Makes a field of some batches NaN, or one parameter's gradient, and notes which networks the batches moved."""

    def __init__(self, batches: set[int], field: str = "", parameter: str = "") -> None:
        self.batches, self.field, self.parameter = batches, field, parameter
        self.moved: list[set[str]] = []

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if self.parameter:
            module.get_parameter(self.parameter).register_hook(
                lambda gradient: gradient * NAN if trainer.fit_loop.total_batch_idx in self.batches else gradient
            )

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.before = {name: state(module, name) for name in ("generator", "discriminator")}
        if self.field and trainer.fit_loop.total_batch_idx in self.batches:
            getattr(batch, self.field)[0].fill_(NAN)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        self.moved.append({name for name, old in self.before.items() if not same(old, state(module, name))})


BOTH = {"generator", "discriminator"}


@pytest.mark.parametrize(
    ("spoiled", "moved", "skipped"),
    [
        ({"field": "lr"}, set(), 2),  # U's forward pass, with it its batch statistics, D's loss and U's
        ({"field": "hr"}, set(), 2),
        ({"field": "heatmaps"}, {"discriminator"}, 1),
        ({"parameter": "generator.fuse.weight"}, {"discriminator"}, 1),
        ({"parameter": "discriminator.head.1.weight"}, {"generator"}, 1),
    ],
)
def test_an_update_that_is_not_finite_changes_nothing(
    stores: list[str], spoiled: dict[str, str], moved: set[str], skipped: int
) -> None:
    spoil = Spoil({1}, **spoiled)
    module, trainer = fit(tiny(stores, "trainer.max_epochs=2", "trainer.log_every_n_steps=1"), callbacks=[spoil])
    assert spoil.moved == [BOTH, moved, BOTH, BOTH, BOTH, BOTH]
    assert module.guard.skipped == trainer.callback_metrics["guard/skipped"] == skipped
    assert all(tensor.isfinite().all() for tensor in module.state_dict().values())
    assert math.isfinite(trainer.callback_metrics["val/psnr_rgb"])


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        ({"field": "heatmaps"}, "loss/structure not finite in 3 updates in a row of the generator;"),
        ({"field": "hr"}, "loss/pixel, gan/loss_discriminator not finite in 3 updates in a row of the generator and"),
        ({"parameter": "generator.fuse.weight"}, "gradient of the generator not finite in 3 updates"),
        ({"parameter": "discriminator.head.1.weight"}, "gradient of the discriminator not finite in 3 updates"),
    ],
)
def test_three_in_a_row_end_the_run_and_say_why(stores: list[str], spoiled: dict[str, str], words: str) -> None:
    config = tiny(stores, "trainer.max_epochs=3", "guard.max_consecutive=3")
    spoil = Spoil({1, 2, 4, 5, 6}, **spoiled)  # two in a row are not three
    with pytest.raises(UserError, match=f"training has diverged: {words}"):
        fit(config, callbacks=[spoil])
    assert len(spoil.moved) == 6, "the 7th batch ended the run"


@pytest.mark.parametrize("field", ["lr", "heatmaps"])
def test_looking_for_nan_names_the_part_of_the_data(stores: list[str], field: str) -> None:
    with pytest.raises(UserError, match=f"batch 2 of epoch 1: `{field}` is not finite for its faces 0;"):
        fit(tiny(stores, "trainer.max_epochs=1"), callbacks=[Spoil({1}, field), NotFinite()])


def test_looking_for_nan_names_the_layer(stores: list[str]) -> None:
    class Break(Callback):
        def on_train_batch_start(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
            torch.nn.init.constant_(module.get_parameter("generator.fuse.weight"), NAN)

    with pytest.raises(UserError, match=r"come from generator\.fuse \(Conv2d\); non-finite weights: weight"):
        fit(tiny(stores, "trainer.max_epochs=1"), callbacks=[Break(), NotFinite()])


def test_the_checkpoint_from_before_is_kept(stores: list[str], tmp_path: Path) -> None:
    config = tiny(stores, "trainer.max_epochs=9", "guard.max_consecutive=4")
    checkpoints = Checkpoints(str(tmp_path), "val/psnr_rgb")
    with pytest.raises(UserError, match="diverged"):
        fit(config, callbacks=[checkpoints, Spoil(set(range(4, 99)), "lr")])
    content = torch.load(checkpoints.last_path, weights_only=True)
    # Two of the second epoch's batches were left out, its validation was sound; the third epoch ended the run.
    assert content["guard"]["skipped"] == 4
    assert all(tensor.isfinite().all() for tensor in content["state_dict"].values())


def test_what_a_resumed_run_knows_of_it() -> None:
    guard, other = Guard(GuardConfig(max_consecutive=2)), Guard(GuardConfig(max_consecutive=2))
    guard.refused("generator", ["loss/pixel", "loss/total"], 1.0)
    other.load_state_dict(guard.state_dict())
    other.stop_if_diverged()
    other.refused("generator", ["loss/pixel", "loss/total"], 1.0)
    with pytest.raises(UserError, match="loss/pixel not finite in 2 updates"):
        other.stop_if_diverged()


def test_the_terms_are_named_before_what_follows_from_them() -> None:
    values = {"loss/pixel": torch.tensor(1.0), "loss/feature": torch.tensor(NAN), "loss/total": torch.tensor(NAN),
              "optim/grad_norm_generator": torch.tensor(float("inf"))}  # fmt: skip
    bad = not_finite(values, lambda flags: flags)
    assert bad == ["loss/feature", "loss/total", "optim/grad_norm_generator"]
    assert causes("generator", bad) == ["loss/feature"]
    assert causes("generator", bad[1:]) == ["loss/total"]
    assert causes("generator", bad[2:]) == ["gradient of the generator"]


def test_what_is_not_finite_in_another_process_is_not_finite_here() -> None:
    values = {"loss/pixel": torch.tensor(1.0), "loss/feature": torch.tensor(2.0)}
    assert not_finite(values, lambda flags: flags + torch.tensor([0.0, 3.0])) == ["loss/feature"]


def scaled(scale: float) -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=10**6))


def test_gradients_that_overflow_under_a_scaler_are_its_own_business(stores: list[str]) -> None:
    plugin = scaled(2.0**40)
    spoil = Spoil(set())
    config = tiny(stores, "trainer.max_epochs=10", "guard.max_consecutive=2")
    module, _ = fit(config, callbacks=[spoil], plugins=[plugin])
    assert spoil.moved[:2] == [set(), set()], "too large a scale: neither weights nor batch statistics move"
    assert spoil.moved[-1] == BOTH, "the scaler has found a scale that works"
    assert plugin.scaler is not None
    assert 1 < plugin.scaler.get_scale() < 2.0**40
    assert module.guard.skipped == 0


def test_a_loss_that_is_not_finite_is_not_excused_by_a_scaler(stores: list[str]) -> None:
    config = tiny(stores, "trainer.max_epochs=2", "guard.max_consecutive=2")
    with pytest.raises(UserError, match="loss/structure not finite in 2 updates"):
        fit(config, callbacks=[Spoil({1, 2}, "heatmaps")], plugins=[scaled(256.0)])


def test_a_gradient_that_overflows_without_any_scale_is_a_divergence(stores: list[str]) -> None:
    config = tiny(stores, "trainer.max_epochs=2", "guard.max_consecutive=2")
    with pytest.raises(UserError, match="gradient of the generator not finite"):
        fit(config, callbacks=[Spoil(set(range(9)), parameter="generator.fuse.weight")], plugins=[scaled(1.0)])


class Norms(Callback):
    """The norm of each network's gradients as its optimiser has used them."""

    def __init__(self) -> None:
        self.used: dict[str, list[float]] = {"generator": [], "discriminator": []}
        self.logged: dict[str, list[float]] = {"generator": [], "discriminator": []}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        for optimizer, name in zip(trainer.optimizers, self.used, strict=True):
            optimizer.register_step_post_hook(lambda *_, name=name: self._note(module, name))

    def _note(self, module: LightningModule, name: str) -> None:
        gradients = [parameter.grad for parameter in getattr(module, name).parameters() if parameter.grad is not None]
        self.used[name].append(float(torch.nn.utils.get_total_norm(gradients)))

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        for name, values in self.logged.items():
            values.append(float(trainer.callback_metrics[f"optim/grad_norm_{name}"]))


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_each_network_is_clipped_to_its_own_norm_and_the_log_has_the_one_before(
    stores: list[str], scale: float | None
) -> None:
    def run(*overrides: str) -> Norms:
        norms, plugins = Norms(), {} if scale is None else {"plugins": [scaled(scale)]}
        config = tiny(stores, "trainer.max_epochs=1", "trainer.log_every_n_steps=1", *overrides)
        fit(config, callbacks=[norms], limit_train_batches=2, **plugins)
        return norms

    free = run()
    clipped = run("optimizer.clip.generator=0.05", "optimizer.clip.discriminator=0.01")
    for name, limit in (("generator", 0.05), ("discriminator", 0.01)):
        assert free.used[name] == pytest.approx(free.logged[name], rel=1e-5)
        assert min(free.used[name]) > limit
        assert clipped.used[name] == pytest.approx([limit, limit], rel=1e-3)
        assert clipped.logged[name][0] == pytest.approx(free.logged[name][0], rel=0.01)


def test_a_norm_below_the_limit_is_left_alone(stores: list[str]) -> None:
    runs = [fit(tiny(stores, "trainer.max_epochs=1", *limits))[0].state_dict() for limits in ([], [
        "optimizer.clip.generator=1e6", "optimizer.clip.discriminator=1e6"])]  # fmt: skip
    assert same(*runs)


def test_a_collapsed_discriminator_is_told_once_with_a_remedy(caplog: pytest.LogCaptureFixture) -> None:
    def watch(guard: Guard, accuracies: list[float]) -> list[str]:
        caplog.clear()
        for accuracy in accuracies:
            guard.watch(torch.tensor(accuracy), 1, lambda value: value, 1)
        return [record.message for record in caplog.records if record.levelno == logging.WARNING]

    assert watch(Guard(GuardConfig(collapse_batches=4)), [0.97] * 12) == []
    assert watch(Guard(GuardConfig(collapse_batches=4)), [1.0, 1.0, 1.0, 0.5] * 3) == [], (
        "the mean of the window counts"
    )
    winning, losing = Guard(GuardConfig(collapse_batches=4)), Guard(GuardConfig(collapse_batches=4))
    assert watch(winning, [1.0] * 3) == []
    (message,) = watch(winning, [1.0] * 9)
    assert "lower optimizer.discriminator_lr" in message
    (message,) = watch(losing, [0.0] * 9)
    assert "raise optimizer.discriminator_lr" in message
    assert watch(Guard(GuardConfig(collapse_batches=None)), [1.0] * 9) == []


def test_the_accuracies_of_a_run_are_watched(stores: list[str]) -> None:
    module, trainer = fit(tiny(stores, "trainer.max_epochs=1", "trainer.log_every_n_steps=1"), limit_train_batches=1)
    seen = module.guard.state_dict()
    logged = [float(trainer.callback_metrics[f"gan/accuracy_{kind}"]) for kind in ("real", "fake")]
    assert (seen["batches"], seen["right"]) == (1, pytest.approx(sum(logged) / 2))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("guard.max_consecutive=0", "guard: max_consecutive must be at least 1"),
        ("guard.collapse_batches=0", "guard: collapse_batches must be at least 1, or null"),
        ("optimizer.clip.generator=0", r"optimizer\.clip: clip\.generator must be above 0, or null"),
        ("optimizer.clip.discriminator=-1", r"clip\.discriminator must be above 0"),
        ("ema.decay=1.0", "ema: decay must be at least 0 and below 1"),
        ("trainer.accumulate=0", "trainer: accumulate must be at least 1"),
    ],
)
def test_values_that_make_no_sense(stores: list[str], override: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        tiny(stores, override)
