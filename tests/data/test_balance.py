import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning import Callback, LightningModule, Trainer

import src.data.balance
from src.callbacks.checkpoints import Checkpoints
from src.config.compose import compose
from src.data.augment import PhotometricConfig
from src.data.balance import large_poses
from src.data.batch import Pairs
from src.data.config import BalanceConfig, DataConfig
from src.data.dataset import FaceDataset
from src.data.module import FaceData
from src.data.pairs import MisalignmentConfig
from src.data.sampler import REPEAT, EpochSampler
from src.store.face import Face, FaceRow
from src.store.read import FaceStores
from src.store.write import StoreWriter
from src.system.errors import UserError
from src.training.config import TrainConfig
from tests.helpers.drawn_faces import noise_picture, schematic_face

TURNED = (50.0, -55.0, 60.0)
FRONTAL = (0.0, 12.0, -8.0, 5.0, -15.0, 10.0, 3.0)


def store_of(folder: Path, yaws: list[float]) -> Path:
    """Schematic faces with these yaws, points of the far side hidden: placeholders in the middle of the picture."""
    with StoreWriter(folder) as writer:
        for number, yaw in enumerate(yaws):
            landmarks, visible = schematic_face(yaw=yaw, size=70 + number % 5), np.ones(68, np.bool_)
            if abs(yaw) > 45:
                # Positive yaw turns the face to image right and so hides the image-right half of the jaw.
                hidden = [*range(11, 17), *range(24, 27)] if yaw > 0 else [*range(6), *range(17, 20)]
                visible[hidden] = False
                landmarks[hidden] = 64
            row = FaceRow(f"{number:03}.png", f"person {number}", (0, 0, 128, 128), "test", 1.0, "0" * 64)
            writer.add(Face(noise_picture(128, 128, 100 * len(yaws) + number), landmarks, visible, row))
        writer.seal("train", {}, {"name": "test"}, rejected=0)
        writer.publish()
    return folder


@pytest.fixture(scope="module")
def two_stores(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """20 frontal faces with 3 turned ones among them; then 3 turned and 10 frontal ones."""
    folder = tmp_path_factory.mktemp("posed")
    yaws = [[*FRONTAL[:5], *TURNED, *FRONTAL, *FRONTAL, FRONTAL[0]], [*TURNED, *FRONTAL, *FRONTAL[:3]]]
    return [str(store_of(folder / name, listed)) for name, listed in zip("ab", yaws, strict=True)]


LARGE = {5, 6, 7, 23, 24, 25}


def data_of(stores: list[str], workers: int = 0, **balance: float) -> FaceData:
    config = DataConfig(
        tuple(stores), tuple(stores), 4, workers,
        balance=BalanceConfig(**{"enabled": True, **balance}),
        photometric=PhotometricConfig(probability=0),  # lest the pixels change that the faces are known by
    )  # fmt: skip
    data = FaceData(config, 32, seed=5)
    data.setup("fit")
    return data


def dealt(data: FaceData, epoch: int) -> list[list[int]]:
    """The faces of every batch that the loader deals out, known by their pixels."""
    assert data.train_faces is not None
    images = data.train_faces.stores.images(range(len(data.train_faces)))
    known = {image.tobytes(): index for index, image in enumerate(images)}
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler)
    loader.sampler.set_epoch(epoch)
    return [[known[image.numpy().tobytes()] for image in batch.images] for batch in loader]


@pytest.mark.parametrize("block", [4096, 5])
def test_large_poses_are_found_by_the_visible_landmarks(
    two_stores: list[str], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(src.data.balance, "BLOCK", block)
    large = large_poses(FaceStores(two_stores), 30.0)
    assert large.dtype == np.bool_
    assert set(np.flatnonzero(large).tolist()) == LARGE


def test_the_loader_deals_out_the_share(two_stores: list[str], caplog: pytest.LogCaptureFixture) -> None:
    data = data_of(two_stores)
    with caplog.at_level(logging.INFO):
        epochs = [dealt(data, epoch) for epoch in range(2)]
    assert caplog.messages[0] == ("6 of 36 training faces have |yaw| >= 30 degrees: each batch of 4 holds 2 of them")
    for batches in epochs:
        assert len(batches) == 36 // 4, "as many steps as without balance"
        assert all(len(LARGE & set(batch)) == 2 == len(set(batch) - LARGE) for batch in batches)
        turned = [index for batch in batches for index in batch if index in LARGE]
        assert set(turned[:6]) == set(turned[6:12]) == LARGE, "all before any comes again"
    assert epochs[0] != epochs[1]


def test_processes_of_a_run_share_out_the_large_poses(two_stores: list[str]) -> None:
    shares = []
    for rank in (0, 1):
        data = data_of(two_stores, share=0.75)
        data.trainer = SimpleNamespace(
            global_rank=rank, world_size=2, strategy=SimpleNamespace(root_device=torch.device("cpu"))
        )  # type: ignore[assignment]
        shares.append(dealt(data, 1))
    for one, two in zip(*shares, strict=True):
        assert {*one, *two} >= LARGE
        assert not set(one) & set(two)


def test_a_resumed_run_is_dealt_the_rest(two_stores: list[str]) -> None:
    data = data_of(two_stores)
    whole = dealt(data, 3)
    data.load_state_dict({"epoch": 3, "batches": 5})
    assert dealt(data, 3) == whole[5:]


class StopAt(Callback):
    """Ends the training in mid-epoch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_end(self, trainer: Trainer, *rest: object) -> None:
        trainer.should_stop = trainer.fit_loop.total_batch_idx == self.batch


class Watched(LightningModule):
    """Notes what it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.automatic_optimization = False
        self.seen: list[float] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)

    def training_step(self, pairs: Pairs, number: int) -> None:
        self.seen.append(float(pairs.lr.double().sum() + pairs.hr.double().sum()))
        self.optimizers().step()  # type: ignore[union-attr]

    def validation_step(self, pairs: Pairs, number: int) -> None:
        """Checkpoints are written after it."""


@pytest.mark.parametrize("workers", [0, 1])
def test_lightning_resumes_balanced_batches_in_mid_epoch(two_stores: list[str], tmp_path: Path, workers: int) -> None:
    checkpoints = Checkpoints(str(tmp_path), "val/psnr_rgb")

    def run(*callbacks: Callback, resume: Path | None = None) -> list[float]:
        trainer = Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False,
                          enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
                          limit_val_batches=1, callbacks=[checkpoints, *callbacks])  # fmt: skip
        module = Watched()
        trainer.fit(module, data_of(two_stores, workers=workers), ckpt_path=resume, weights_only=True)
        return module.seen

    straight = run()
    assert len(set(straight)) == 3 * (36 // 4)
    cut = run(StopAt(12))
    assert cut == straight[:13]
    assert run(resume=checkpoints.last_path) == straight[13:]


def test_a_face_that_comes_again_in_an_epoch_is_drawn_anew(two_stores: list[str]) -> None:
    faces = FaceDataset(FaceStores(two_stores[:1]), MisalignmentConfig(), seed=3)
    keys = [(epoch + repeat * REPEAT, index) for epoch in range(3) for repeat in range(4) for index in range(8)]
    draws = faces.__getitems__(keys).misalignment.numpy()
    assert len(np.unique(draws, axis=0)) == len(keys), "nor does another face or epoch share its draws"
    again = faces.__getitems__(keys[::-1]).misalignment.numpy()
    assert (draws == again[::-1]).all()


@pytest.mark.parametrize(("yaws", "words"), [(FRONTAL, ">= 30"), (TURNED * 2, "below 30")])
def test_without_faces_of_both_kinds_they_come_as_they_are(
    tmp_path: Path, yaws: tuple[float, ...], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    stores = [str(store_of(tmp_path / "store", list(yaws)))]
    data = data_of(stores)
    with caplog.at_level(logging.INFO):
        loader = data.train_dataloader()
    assert type(loader.sampler) is EpochSampler
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"data.balance: none of the {len(yaws)} training faces has |yaw| {words}")


def test_balance_is_off_unless_asked_for(two_stores: list[str]) -> None:
    assert type(data_of(two_stores, enabled=False).train_dataloader().sampler) is EpochSampler
    assert not DataConfig(("a",), ("b",)).balance.enabled


@pytest.mark.parametrize(
    ("experiment", "enabled", "of_batch"),
    [("celeba16x_released", True, 4), ("celeba16x", False, 8), ("demo", False, 8)],
)
def test_the_published_code_balances_and_the_text_does_not(experiment: str, enabled: bool, of_batch: int) -> None:
    overrides = [f"experiment={experiment}", "data.train=[a]", "data.val=[a]"]
    data = compose("train", TrainConfig, overrides).data
    assert (data.balance.enabled, data.balance.of_batch(data.batch_size)) == (enabled, of_batch)
    assert compose("train", TrainConfig, [*overrides, "data.balance.enabled=true"]).data.balance.yaw == 30.0


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.balance.share=1", "data.balance: share must be above 0 and below 1, not 1"),
        ("data.balance.share=half", "data.balance.share: "),
        ("data.balance.yaw=0", "data.balance: yaw must be above 0 and below 90 degrees, not 0"),
        ("data.balance.yaw=nan", "data.balance: yaw must be "),
        ("data.balance.share=0.01", "data: balance.share=0.01 is 0 of the 16 faces of a batch"),
        ("data.balance.share=0.99", "data: balance.share=0.99 is 16 of the 16 faces of a batch"),
        ("data.balance.shares=0.5", "did you mean 'data.balance.share'"),
    ],
)
def test_a_wrong_value_names_its_key(override: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        compose("train", TrainConfig, ["data.train=[a]", "data.val=[a]", "data.balance.enabled=true", override])
    assert "\n" not in str(caught.value)
