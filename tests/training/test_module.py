import copy
from pathlib import Path

import pytest
import torch
from lightning import Trainer

from src.config.compose import compose
from src.data.module import FaceData
from src.system.errors import UserError
from src.training.config import TrainConfig
from src.training.module import FaceSR
from tests.helpers.tiny_files import write_store
from tests.helpers.tiny_run import TINY


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("stores")
    paths = write_store(folder / "train", 6, seed=1), write_store(folder / "val", 3, seed=2)
    return [f"data.{path.name}=[{path}]" for path in paths]


def tiny(stores: list[str], *overrides: str) -> TrainConfig:
    return compose("train", TrainConfig, [*TINY, *stores, *overrides])


def fit(config: TrainConfig, **options: object) -> tuple[FaceSR, Trainer]:
    torch.manual_seed(config.seed)
    module = FaceSR(config)
    trainer = Trainer(
        max_epochs=config.trainer.max_epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,  # type: ignore[arg-type]
    )
    trainer.fit(module, FaceData(config.data, config.model.generator.heatmap_side, config.seed))
    return module, trainer


def test_each_network_is_moved_by_its_own_loss_alone(stores: list[str]) -> None:
    # With U's rate at 0 only D may move, with D's at 0 only U.
    for moved, still, rates in [
        ("discriminator", "generator", ["optimizer.lr=0.0", "optimizer.discriminator_lr=1e-3"]),
        ("generator", "discriminator", ["optimizer.lr=1e-3", "optimizer.discriminator_lr=0.0"]),
    ]:
        config = tiny(stores, "trainer.max_epochs=1", *rates)
        torch.manual_seed(config.seed)
        before = dict(FaceSR(config).named_parameters())
        after = dict(fit(config, limit_train_batches=2)[0].named_parameters())
        changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
        assert changed == {moved}, still


def test_ds_loss_leaves_no_gradient_in_u_and_us_loss_none_in_d(stores: list[str]) -> None:
    seen: list[tuple[bool, bool]] = []

    class Spy(FaceSR):
        def manual_backward(self, loss: torch.Tensor, *args: object, **kwargs: object) -> None:
            assert self.discriminator is not None
            networks = (self.generator, self.discriminator)
            before = [[copy.deepcopy(p.grad) for p in network.parameters()] for network in networks]
            super().manual_backward(loss, *args, **kwargs)
            seen.append(
                tuple(  # type: ignore[arg-type]
                    any(
                        p.grad is not None and (old is None or not torch.equal(p.grad, old))
                        for p, old in zip(network.parameters(), grads, strict=True)
                    )
                    for network, grads in zip(networks, before, strict=True)
                )
            )

    config = tiny(stores, "trainer.max_epochs=1")
    module = Spy(config)
    trainer = Trainer(max_epochs=1, limit_train_batches=2, accelerator="cpu", logger=False, enable_checkpointing=False,
                      enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(module, FaceData(config.data, 32, 1))
    assert seen == [(False, True), (True, False)] * 2, "D's step first, then U's"


def test_the_learning_rate_moves_with_the_schedule(stores: list[str]) -> None:
    config = tiny(stores, "trainer.max_epochs=3", "optimizer=rmsprop", "optimizer.discriminator_lr=null",
                  "optimizer.schedule.cooldown=0")  # fmt: skip
    module, _ = fit(config)
    for optimizer in module.optimizers():  # type: ignore[union-attr]
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * 0.99**2)


def test_the_cool_down_brings_it_near_0(stores: list[str]) -> None:
    config = tiny(
        stores, "trainer.max_epochs=4", "optimizer.schedule.cooldown=0.5", "optimizer.schedule.epoch_decay=1.0"
    )
    module, _ = fit(config)
    # 12 updates; the last one starts at 11/12 of the run.
    assert module.optimizers()[0].param_groups[0]["lr"] == pytest.approx(1e-3 * (1 / 12) / 0.5)  # type: ignore[index]


def test_a_few_updates_on_one_batch_lower_the_loss(stores: list[str]) -> None:
    torch.manual_seed(0)
    config = tiny(stores, "data.batch_size=6", "data.photometric.probability=0", "data.mirror=false")
    module = FaceSR(config)
    data = FaceData(config.data, 32, 1)
    data.setup("fit")
    pairs = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    optimizer = torch.optim.Adam(module.generator.parameters(), 1e-2)
    totals = []
    for _ in range(25):
        total, _ = module.objective(module(pairs.lr), pairs, None)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.5 * totals[0]


def test_validation_logs_per_image_means(stores: list[str]) -> None:
    config = tiny(stores, "trainer.max_epochs=1")
    module, trainer = fit(config, limit_train_batches=1)
    names = {"psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y", "angle_error_deg", "heatmap_peak_px"}
    assert {f"val/{name}" for name in names} <= set(trainer.callback_metrics)
    # Batches of 2 and 1: the mean over faces, not over batches.
    from src.metric.image import image_metrics

    data = trainer.datamodule  # type: ignore[attr-defined]
    module.eval()
    with torch.no_grad():
        faces = [
            image_metrics(module(pairs.lr).image, pairs.hr)["psnr_rgb"]
            for pairs in (data.on_after_batch_transfer(batch, 0) for batch in data.val_dataloader())
        ]
    assert [len(batch) for batch in faces] == [2, 1]
    assert trainer.callback_metrics["val/psnr_rgb"] == pytest.approx(torch.cat(faces).mean().item(), rel=1e-4)


def test_without_an_adversarial_weight_there_is_no_discriminator(stores: list[str]) -> None:
    module, _ = fit(tiny(stores, "trainer.max_epochs=1", "loss.adversarial.weight=0"), limit_train_batches=1)
    assert module.discriminator is None
    assert not any("discriminator" in name for name in module.state_dict())


def test_the_frozen_network_is_not_in_the_checkpoint(stores: list[str]) -> None:
    module = FaceSR(tiny(stores, "loss=squeezenet", "loss.feature.weights=random", "loss.feature.weight=0.05"))
    assert module.objective.backbone is not None
    assert {name.split(".")[0] for name in module.state_dict()} == {"generator", "discriminator"}
    assert len(list(module.parameters())) == len([*module.generator.parameters(), *module.discriminator.parameters()])  # type: ignore[union-attr]


def test_channels_last_changes_no_number_much(stores: list[str]) -> None:
    values = []
    for flag in ("true", "false"):
        config = tiny(stores, "trainer.max_epochs=1", f"trainer.channels_last={flag}")
        module, _ = fit(config, limit_train_batches=1)
        values.append(torch.cat([p.detach().flatten() for p in module.generator.parameters()]))
    assert torch.allclose(values[0], values[1], atol=2e-3)  # Adam's first update is +-lr whatever the rounding


def test_a_missing_store_and_a_large_batch_are_told_in_one_line(stores: list[str]) -> None:
    for override, words in [
        ("data.train=[nowhere]", "nowhere does not exist"),
        ("data.train=[]", "data.train is empty"),
        ("data.batch_size=7", r"data.batch_size=7 is above the 6 training faces"),
    ]:
        config = tiny(stores, override)
        with pytest.raises(UserError, match=words):
            FaceData(config.data, 32, 1).setup("fit")


def test_faces_to_learn_by_heart_must_suffice_for_all_processes(stores: list[str]) -> None:
    data = FaceData(tiny(stores, "data.overfit=3").data, 32, seed=1)
    data.trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False)
    # An epoch without a batch would end at once, and save a network that has learnt nothing.
    with pytest.raises(UserError, match=r"data\.overfit has 3 faces: each process needs at least 2"):
        data.setup("fit")


def test_paths_in_the_configuration_do_not_matter_to_the_file(stores: list[str], tmp_path: Path) -> None:
    _, trainer = fit(tiny(stores, "trainer.max_epochs=1"), limit_train_batches=1)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert content["hyper_parameters"]["model"]["generator"]["name"] == "light"
    assert content["iterations"] == 1
    assert content["guard"]["skipped"] == 0


MTUN_TINY = [
    "experiment=celeba16x",
    "logger=none",
    "model.generator.encoder_widths=[4,4,4,4]",
    "model.generator.decoder_widths=[4,4,4,4]",
    "model.generator.upsampler_widths=[4,4]",
    "model.generator.features=8",
    "model.generator.heb.width=4",
    "model.discriminator.widths=[4,4,4,4]",
    "loss=squeezenet",
    "loss.feature.weights=random",
    "data.batch_size=2",
    "data.workers=0",
    "trainer=cpu",
]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_methods_own_configuration_trains(stores: list[str], precision: str) -> None:
    config = compose("train", TrainConfig, [*MTUN_TINY, *stores, "trainer.max_epochs=1", "trainer.log_every_n_steps=1"])
    module, trainer = fit(config, limit_train_batches=2, precision=precision)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert {"loss/pixel", "loss/feature", "loss/adversarial", "loss/structure"} <= set(logged)
    assert "loss/alignment" not in logged, "the published method has none"
    assert all(torch.isfinite(torch.tensor(value)) for value in logged.values())
    assert all(parameter.dtype == torch.float32 for parameter in module.parameters())


def test_the_methods_own_configuration_keeps_the_stn_in_the_picture(stores: list[str]) -> None:
    # RMSprop's first step is ten rates long in every weight: without the warm-up the STN, whose inputs are 67 channels
    # here, leaves the picture.
    wide = ["model.generator.features=64", "model.generator.upsampler_widths=[8,64]", "trainer.max_epochs=2"]
    module, _ = fit(compose("train", TrainConfig, [*MTUN_TINY, *stores, *wide]))
    module.train()
    with torch.no_grad():
        matrix = module(torch.rand(6, 3, 16, 16) * 2 - 1).matrix
    assert matrix is not None
    assert (matrix - torch.eye(2, 3)).abs().max() < 0.3


def test_the_methods_own_localisation_net_learns_at_a_tenth(stores: list[str]) -> None:
    # At the full rate none of its first layer's units is left after 500 updates on photographs.
    config = compose(
        "train", TrainConfig, [*MTUN_TINY, *stores, "trainer.max_epochs=1", "optimizer.schedule.warmup=[]"]
    )
    module, trainer = fit(config, limit_train_batches=1)
    others, localisation = trainer.optimizers[0].param_groups
    assert {id(weight) for weight in localisation["params"]} == {
        id(weight) for weight in module.generator.stn.parameters()
    }
    assert (others["lr"], localisation["lr"]) == pytest.approx((1e-3, 1e-4))
    assert [group["lr"] for group in trainer.optimizers[1].param_groups] == pytest.approx([1e-3])


def test_a_diverged_run_stops_and_names_the_term(stores: list[str]) -> None:
    config = tiny(stores, "optimizer.lr=1e30", "trainer.max_epochs=5", "trainer.log_every_n_steps=1")
    with pytest.raises(UserError, match=r"diverged: .*loss/"):
        fit(config)


@pytest.mark.parametrize("bad", ["seed=-1", "optimizer.lr=-1", "loss.alignment=-3", "data.photometric.hue=0.9",
                                 "model.generator.heb.stacks=9", "model.discriminator.dropout=1.0",
                                 "trainer.limit_val_batches=0", "callbacks.monitor=val/psnr"])  # fmt: skip
def test_values_out_of_their_documented_range_are_refused(stores: list[str], bad: str) -> None:
    with pytest.raises(UserError, match=bad.split("=")[0].split(".")[-1].split("_")[0]):
        tiny(stores, bad)
