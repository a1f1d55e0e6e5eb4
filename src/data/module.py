"""The LightningDataModule: opens the stores, deals out batches, makes pairs and heatmaps on the training device."""

import logging
from pathlib import Path

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler

from src.data.balance import large_poses
from src.data.batch import Pairs, make_batch
from src.data.config import DataConfig
from src.data.dataset import FaceBatch, FaceDataset, keep
from src.data.pairs import VALIDATION_EPOCH, VALIDATION_SEED
from src.data.sampler import BalancedSampler, EpochSampler, FaceKey, FixedSampler
from src.data.store import FaceStores
from src.errors import UserError

log = logging.getLogger(__name__)


class FaceData(LightningDataModule):
    """Training and validation faces of a run.

    Args:
        config: stores, batches, misalignment, heatmaps, augmentation.
        resolution: R, the side of the heatmaps that the generator estimates.
        seed: of the order and the draws.

    Raises:
        UserError: in `setup`: a store that is missing or broken, an empty data set, a batch larger than it.
    """

    def __init__(self, config: DataConfig, resolution: int, seed: int) -> None:
        super().__init__()
        self.config, self.resolution, self.seed = config, resolution, seed
        self.train_faces: FaceDataset | None = None
        self.val_faces: FaceDataset | None = None
        self.position: tuple[int, int] | None = None
        self.prepared = False

    def prepare_data(self) -> None:
        """Draw the synthetic faces that the run asks for and that are not there yet (one process a machine)."""
        synthetic = self.config.synthetic
        if synthetic is None or self.prepared:
            return
        self.prepared = True
        asked = [Path(path) for path in (*self.config.train, *self.config.val)]
        if any(Path(synthetic.out) in path.parents for path in asked):
            from src.data.preparation import run_preparation
            from src.data.prepare_config import PrepareConfig
            from src.data.sources.config import SyntheticSource

            source = SyntheticSource(name="synthetic", train=synthetic.train, val=synthetic.val, seed=synthetic.seed)
            try:
                run_preparation(PrepareConfig(source=source, out=synthetic.out), log.info)
            except UserError as error:
                raise UserError(
                    f"data.synthetic: {error}. From a training: data.synthetic.out=ANOTHER_FOLDER, "
                    f"or delete {synthetic.out}"
                ) from None

    def setup(self, stage: str) -> None:
        """Open the stores."""
        config = self.config
        train, val = (_open(paths, key) for paths, key in ((config.train, "data.train"), (config.val, "data.val")))
        world = self.trainer.world_size if self.trainer else 1
        if len(train) // world < 2:
            raise UserError(f"data.train has {len(train)} faces: at least 2 a process are needed")
        if len(train) // world < config.batch_size:
            raise UserError(
                f"data.batch_size={config.batch_size} is above the {len(train) // world} training faces a process; "
                f"use data.batch_size={len(train) // world} or more faces"
            )
        self.train_faces = FaceDataset(train, config.misalignment, self.seed, config.mirror, config.photometric)
        self.val_faces = FaceDataset(val, config.misalignment, VALIDATION_SEED)

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
            self.val_faces, FixedSampler(len(self.val_faces), VALIDATION_EPOCH, *self._place()), drop_last=False
        )

    def state_dict(self) -> dict[str, int]:
        """The epoch and the batches of it that are done: Lightning counts them but does not move the sampler there."""
        assert self.trainer is not None
        loop = self.trainer.fit_loop
        return {"epoch": self.trainer.current_epoch, "batches": loop.epoch_loop.batch_progress.current.ready}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on there."""
        self.position = state_dict["epoch"], state_dict["batches"]

    def on_after_batch_transfer(self, batch: FaceBatch, dataloader_idx: int) -> Pairs:
        """Pairs and heatmaps, on the device that trains."""
        return make_batch(batch, self.config.heatmaps, self.resolution)

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _train_sampler(self, stores: FaceStores) -> EpochSampler:
        """Faces as they come, or pose-balanced batches if asked for and if the stores hold faces of both kinds."""
        rank, world = self._place()
        as_they_come = EpochSampler(len(stores), self.seed, rank, world)
        balance, batch_size = self.config.balance, self.config.batch_size
        if not balance.enabled:
            return as_they_come
        large = large_poses(stores, balance.yaw)
        count, of_batch = int(large.sum()), balance.of_batch(batch_size)
        if count in (0, len(large)):
            if rank == 0:
                log.warning(
                    "data.balance: none of the %s training faces has |yaw| %s %g degrees, so faces are drawn as they "
                    "come; add stores to data.train, change data.balance.yaw or set data.balance.enabled=false",
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
            pin_memory=torch.cuda.is_available(),
            persistent_workers=workers > 0,
            # The loader draws a seed for its workers, which use none; not from the numbers that a resumed run restores.
            generator=torch.Generator().manual_seed(self.seed),
        )


def _open(paths: tuple[str, ...], key: str) -> FaceStores:
    if not paths:
        raise UserError(f"{key} is empty: name at least one store, as in {key}='[data/lfw/train]'")
    return FaceStores(paths)
