"""The LightningDataModule: opens the stores, deals out batches, makes pairs and heatmaps on the training device."""

import logging
import os
import signal
import threading
import time
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler

from src.data.balance import large_poses
from src.data.batch import FaceBatch, Pairs, make_batch
from src.data.camera import ranges_of
from src.data.config import DataConfig
from src.data.dataset import FaceDataset, keep, warn_of_small_margin
from src.data.pairs import VALIDATION_EPOCH, VALIDATION_SEED
from src.data.sampler import BalancedSampler, EpochSampler, FaceKey, FixedSampler, OverfitSampler
from src.store.read import FaceStores
from src.system.errors import UserError
from src.system.memory import give_back

log = logging.getLogger(__name__)


class FaceData(LightningDataModule):
    """Training and validation faces of a run.

    Args:
        config: stores, batches, misalignment, heatmaps, augmentation.
        heatmap_side: R, the side of the heatmaps that the generator estimates; None if it estimates none.
        seed: seed of the order and the draws.

    Raises:
        UserError: in `setup`: a store that is missing or broken, an empty data set, fewer faces than a batch.
    """

    def __init__(self, config: DataConfig, heatmap_side: int | None, seed: int) -> None:
        super().__init__()
        self.config, self.heatmap_side, self.seed = config, heatmap_side, seed
        self.train_faces: FaceDataset | None = None
        self.val_faces: FaceDataset | None = None
        self.position: tuple[int, int] | None = None
        self.arrived: float | None = None  # when the loader delivered the newest batch, by time.perf_counter

    def setup(self, stage: str) -> None:
        """Open the stores."""
        config = self.config
        train, val = (
            open_stores(paths, key) for paths, key in ((config.train, "data.train"), (config.val, "data.val"))
        )
        world = self.trainer.world_size if self.trainer else 1
        faces = _first(config.overfit, train)
        if faces // world < 2:
            key = "data.train" if config.overfit is None else "data.overfit"
            raise UserError(f"{key} has {faces} faces: each process needs at least 2")
        if faces // world < config.batch_size:
            raise UserError(
                f"data.batch_size={config.batch_size} is above the {faces // world} training faces per process; "
                f"use data.batch_size={faces // world}, or add faces"
            )
        if len(val) < world:
            raise UserError(f"data.val has {len(val)} faces: each of the {world} processes needs at least 1")
        if self._place()[0] == 0:
            warn_of_small_margin(config.misalignment, min(train.margin, val.margin))
        camera = ranges_of(config.degradation, config.camera)
        if config.overfit is not None:
            # One data set for both, without mirroring and augmentation, always misaligned the same way.
            self.train_faces = self.val_faces = FaceDataset(
                train, config.misalignment, VALIDATION_SEED, surroundings=False, camera=camera, own_size=config.own_size
            )
            return
        self.train_faces = FaceDataset(
            train,
            config.misalignment,
            self.seed,
            config.mirror,
            config.photometric,
            surroundings=False,
            camera=camera,
            own_size=config.own_size,
            black_share=config.black_share,
            upright_share=config.upright_share,
            blend_share=config.blend_share,
            stretch=config.stretch,
        )
        self.val_faces = FaceDataset(
            val, config.misalignment, VALIDATION_SEED, surroundings=False, camera=camera, own_size=config.own_size
        )

    def train_dataloader(self) -> DataLoader[FaceBatch]:
        """Shuffled by (seed, epoch), pose-balanced if asked for; an incomplete last batch is left out."""
        assert self.train_faces is not None
        sampler = self._train_sampler(self.train_faces.stores)
        if self.position is not None:
            epoch, batches = self.position
            sampler.go_on_at(epoch, batches * self.config.batch_size)
        return self._loader(self.train_faces, sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[FaceBatch]:
        """Every validation face once, always misaligned the same way."""
        assert self.val_faces is not None
        return self._loader(
            self.val_faces,
            FixedSampler(_first(self.config.overfit, self.val_faces), VALIDATION_EPOCH, *self._place()),
            drop_last=False,
        )

    def state_dict(self) -> dict[str, int]:
        """The epoch and its finished batches: Lightning counts them, but does not move the sampler there."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        batches: Any = loop.epoch_loop.batch_progress.current
        begun, over = loop.epoch_progress.current.ready, loop.epoch_progress.current.completed
        done = batches.processed  # `ready` counts one more at a batch's start, `completed` one less at its end
        if begun == over and done == self.trainer.num_training_batches:
            begun, done = begun + 1, 0  # between two epochs
        return {"epoch": max(0, begun - 1), "batches": done, "processes": self.trainer.world_size}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Resume there, or at the start of the epoch if the number of processes has changed."""
        epoch, batches = state_dict["epoch"], state_dict["batches"]
        _, world = self._place()
        if state_dict.get("processes", world) != world and batches:
            log.warning("the number of processes has changed: epoch %d starts again", epoch + 1)
            batches = 0
        self.position = epoch, batches

    def on_before_batch_transfer(self, batch: FaceBatch, dataloader_idx: int) -> FaceBatch:
        """Note when the loader delivered the batch."""
        self.arrived = time.perf_counter()
        return batch

    def on_after_batch_transfer(self, batch: FaceBatch, dataloader_idx: int) -> Pairs:
        """Make pairs and heatmaps on the training device."""
        config = self.config
        return make_batch(batch, config.heatmaps, self.heatmap_side, config.misalignment.fill, config.lr_side)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _train_sampler(self, stores: FaceStores) -> EpochSampler:
        """The order of training faces; pose-balanced if asked for and if the stores hold faces of both kinds."""
        rank, world = self._place()
        if self.config.overfit is not None:
            return OverfitSampler(_first(self.config.overfit, stores), self.seed, rank, world)
        as_they_come = EpochSampler(len(stores), self.seed, rank, world)
        balance, batch_size = self.config.balance, self.config.batch_size
        if not balance.enabled:
            return as_they_come
        large = large_poses(stores, balance.yaw)
        count, of_batch = int(large.sum()), balance.of_batch(batch_size)
        if count in (0, len(large)):
            if rank == 0:
                log.warning(
                    "data.balance: none of the %s training faces has |yaw| %s %g degrees, so batches are not "
                    "balanced; add stores to data.train, change data.balance.yaw or set data.balance.enabled=false",
                    f"{len(large):,}",
                    "below" if count else ">=",
                    balance.yaw,
                )
            return as_they_come
        if rank == 0:
            log.info(
                "%s of %s training faces have |yaw| >= %g degrees: each batch of %d holds %d of them",
                f"{count:,}",
                f"{len(large):,}",
                balance.yaw,
                batch_size,
                of_batch,
            )
        return BalancedSampler(large, of_batch, batch_size, self.seed, rank, world)

    def _loader(self, faces: FaceDataset, sampler: Sampler[FaceKey], drop_last: bool) -> DataLoader[FaceBatch]:
        workers = self.config.workers
        return DataLoader(
            faces,
            self.config.batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=keep,
            drop_last=drop_last,
            pin_memory=self.trainer is not None and self.trainer.strategy.root_device.type == "cuda",
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
            # The loader draws an unused seed for its workers; not from the random state that a resumed run restores.
            generator=torch.Generator().manual_seed(self.seed),
        )


def _first(overfit: int | None, faces: FaceDataset | FaceStores) -> int:
    return len(faces) if overfit is None else min(overfit, len(faces))


def start_worker(_: int) -> None:
    """Set up a loader's process: one thread, inherited memory that it does not need given back, signals ignored.

    torch gives a worker one thread; OpenCV would start one for each core in every worker, and they would wait for
    each other.
    """
    import cv2  # here: the main process needs it only for what the workers do

    cv2.setNumThreads(0)
    give_back()
    leave_signals()


def leave_signals() -> None:
    """Leave signals that reach all processes of a run to the main process, which ends the batch and saves.

    Ctrl-C, and the signal of a cluster at the end of a job's time, also reach the loader's workers; without workers
    the main process would fail. A worker ends only on a SIGTERM from its parent.
    """
    # SIGTERM is ignored too: it is blocked below and still waited for, but a thread that lets it through would run
    # torch's handler, which ends the worker.
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    parent = os.getppid()

    def wait() -> None:
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def open_stores(paths: tuple[str, ...], key: str) -> FaceStores:
    """The stores that a key names; UserError if it names none."""
    if not paths:
        raise UserError(f"{key} is empty: name at least one store, as in {key}='[data/lfw/train]'")
    return FaceStores(paths)
