import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from src.callbacks.ema import ema_weight
from src.model.checkpoint import load_checkpoint
from src.system.errors import UserError
from src.training.run import train
from tests.helpers.tiny_files import write_store
from tests.training.test_module import fit, tiny


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 6, seed=1), write_store(folder / "val", 3, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


class Watch(Callback):
    """Notes U after every batch; makes the heatmaps of some batches NaN."""

    def __init__(self, spoiled: set[int] | None = None) -> None:
        self.spoiled = spoiled or set()
        self.states: list[dict[str, torch.Tensor]] = []

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.fit_loop.total_batch_idx in self.spoiled:
            batch.heatmaps.fill_(float("nan"))

    def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
        self.states.append(copy.deepcopy(module.generator.state_dict()))


def saved(trainer: Trainer, path: Path) -> dict[str, Any]:
    trainer.save_checkpoint(path)
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def average(states: list[dict[str, torch.Tensor]], decay: float) -> dict[str, torch.Tensor]:
    """By hand, in double precision."""
    result = {name: tensor.double() for name, tensor in states[0].items()}
    for number, state in enumerate(states[1:], 1):
        keep = min(decay, (1 + number) / (10 + number))
        result = {name: keep * result[name] + (1 - keep) * tensor.double() for name, tensor in state.items()}
    return result


def test_the_average_reaches_over_a_tenth_of_the_run_until_its_decay_holds() -> None:
    assert [1 - ema_weight(0.999, n) for n in (1, 10, 90)] == pytest.approx([2 / 11, 11 / 20, 0.91])
    assert 1 - ema_weight(0.999, 8980) == pytest.approx(8981 / 8990)
    assert 1 - ema_weight(0.999, 8990) == pytest.approx(0.999)
    assert 1 - ema_weight(0.5, 90) == pytest.approx(0.5)


def test_the_average_is_that_of_the_weights_and_statistics_after_each_update(stores: list[str], tmp_path: Path) -> None:
    watch = Watch(spoiled={1})
    _, trainer = fit(tiny(stores, "trainer.max_epochs=2", "ema.decay=0.35"), callbacks=[watch])
    content = saved(trainer, tmp_path / "x.ckpt")["averaged"]
    assert content["updates"] == 5, "six batches, one of them left out"
    wanted = average([watch.states[0], *watch.states[2:]], 0.35)
    statistics = [name for name in wanted if "running_" in name]
    assert statistics
    for name, tensor in content["generator"].items():
        if "num_batches" in name:
            assert tensor == watch.states[-1][name] == 5
        else:
            torch.testing.assert_close(tensor.double(), wanted[name], rtol=1e-5, atol=1e-6, msg=name)
    assert any(not torch.allclose(content["generator"][name], watch.states[-1][name], atol=1e-5) for name in statistics)


def test_a_group_of_batches_is_one_update_of_it(stores: list[str], tmp_path: Path) -> None:
    _, trainer = fit(tiny(stores, "trainer.max_epochs=2", "trainer.accumulate=2"))
    assert saved(trainer, tmp_path / "x.ckpt")["averaged"]["updates"] == 4  # groups of 2 and 1 batches


def test_both_generators_are_validated(stores: list[str], tmp_path: Path) -> None:
    module, trainer = fit(tiny(stores, "trainer.max_epochs=2", "ema.decay=0.9"))
    names = {name.removeprefix("val/") for name in trainer.callback_metrics if name.startswith("val/")}
    assert "psnr_rgb" in names
    assert names == {name.removeprefix("val_ema/") for name in trainer.callback_metrics if name.startswith("val_ema/")}
    from src.metric.image import image_metrics

    trainer.save_checkpoint(tmp_path / "x.ckpt")
    data = trainer.datamodule  # type: ignore[attr-defined]
    for weights, prefix in (("raw", "val"), ("averaged", "val_ema")):
        generator = load_checkpoint(tmp_path / "x.ckpt", weights).generator  # type: ignore[arg-type]
        with torch.no_grad():
            faces = [
                image_metrics(generator(pairs.lr).image, pairs.hr)["psnr_rgb"]
                for pairs in (data.on_after_batch_transfer(batch, 0) for batch in data.val_dataloader())
            ]
        assert float(trainer.callback_metrics[f"{prefix}/psnr_rgb"]) == pytest.approx(
            torch.cat(faces).mean().item(), abs=1e-3
        )
    assert float(trainer.callback_metrics["val/psnr_rgb"]) != pytest.approx(
        float(trainer.callback_metrics["val_ema/psnr_rgb"]), abs=2e-3
    )
    assert module.generator.training


def test_two_epochs_and_two_more_are_four_with_the_average(tmp_path: Path, stores: list[str]) -> None:
    for epochs, folder in ((4, "straight"), (2, "halves"), (4, "halves")):
        train(tiny(stores, "optimizer.schedule.cooldown=0", "ema.decay=0.4", f"trainer.max_epochs={epochs}",
                   f"run_dir={tmp_path}/{folder}"))  # fmt: skip
    straight, halves = (
        torch.load(tmp_path / folder / "checkpoints/last.ckpt", weights_only=True)["averaged"]
        for folder in ("straight", "halves")
    )
    assert straight["updates"] == halves["updates"] == 12
    for name, tensor in straight["generator"].items():
        assert torch.equal(tensor, halves["generator"][name]), name
    best = load_checkpoint(tmp_path / "halves/checkpoints/best.ckpt")
    assert best.weights == "averaged"


def test_without_it_there_is_nothing_of_it(stores: list[str], tmp_path: Path) -> None:
    _, trainer = fit(tiny(stores, "trainer.max_epochs=1", "ema.enabled=false"))
    assert not any(name.startswith("val_ema") for name in trainer.callback_metrics)
    assert "averaged" not in saved(trainer, tmp_path / "x.ckpt")
    assert load_checkpoint(tmp_path / "x.ckpt").weights == "raw"
    with pytest.raises(UserError, match="has no averaged weights"):
        load_checkpoint(tmp_path / "x.ckpt", "averaged")


def test_it_leaves_the_training_as_it_is(stores: list[str]) -> None:
    one, two = (fit(tiny(stores, "trainer.max_epochs=2", f"ema.enabled={flag}"))[0] for flag in ("true", "false"))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name]), name


def test_the_average_of_a_compiled_generator_is_its_own_network(stores: list[str]) -> None:
    class Compiled(Callback):
        def setup(self, trainer: Trainer, module: Any, stage: str) -> None:
            # What `compile` puts there, without the compiler: the copy must not call the original.
            module.generator._compiled_call_impl = module.generator._call_impl

    class Zero(Callback):
        def on_validation_start(self, trainer: Trainer, module: Any) -> None:
            for parameter in module.generator.parameters():
                parameter.zero_()

    _, trainer = fit(tiny(stores, "trainer.max_epochs=1"), callbacks=[Compiled(), Zero()])
    assert trainer.callback_metrics["val/psnr_rgb"] != trainer.callback_metrics["val_ema/psnr_rgb"]


def test_evaluate_and_upscale_take_the_average_and_say_so(stores: list[str], tmp_path: Path) -> None:
    from PIL import Image

    from src.evaluation.config import ProtocolConfig
    from src.evaluation.run import evaluate
    from src.method.load import load_methods
    from src.report.report_md import report_md
    from src.store.read import FaceStores
    from src.upscale import main as upscale

    _, trainer = fit(tiny(stores, "trainer.max_epochs=2", "ema.decay=0.9", "optimizer.lr=0.01"))
    path = tmp_path / "x.ckpt"
    trainer.save_checkpoint(path)
    val = FaceStores([stores[1].removeprefix("data.val=[").removesuffix("]")])
    reports, cpu = {}, torch.device("cpu")
    for weights in ("auto", "raw"):
        methods = load_methods([str(path)], cpu, weights)  # type: ignore[arg-type]
        evaluation = evaluate(methods, val, ProtocolConfig(), cpu, grid_faces=0)
        reports[weights] = report_md(evaluation.rows, evaluation.protocol)
    assert "weights averaged, parameters" in reports["auto"]
    assert "weights raw, parameters" in reports["raw"]

    Image.new("RGB", (16, 16), (200, 120, 90)).save(tmp_path / "face.png")
    pictures = {}
    for weights in ("auto", "averaged", "raw"):
        arguments = [
            "--crops",
            "--checkpoint",
            str(path),
            "--out",
            str(tmp_path / weights),
            "--weights",
            weights,
            "--no-heatmaps",
        ]
        assert upscale([str(tmp_path / "face.png"), *arguments]) == 0
        pictures[weights] = (tmp_path / weights / "face.png").read_bytes()
    assert pictures["auto"] == pictures["averaged"] != pictures["raw"]
