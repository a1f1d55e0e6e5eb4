"""What a run trains and validates on; `conf/data` mirrors this file."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from src.data.augment import PhotometricConfig
from src.data.batch import HeatmapConfig
from src.data.pairs import MisalignmentConfig


def as_list(value: Any) -> Any:
    """One word as a list of one: what stands on a command line without brackets."""
    return [value] if isinstance(value, str) else value


Stores = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""Folders of stores; one alone may go without the list's brackets."""


@dataclass(frozen=True)
class SyntheticDataConfig:
    """Built-in synthetic faces, drawn once into stores when a run asks for them."""

    out: str = "data/synthetic"
    """Folder of the stores out/train and out/val; they are made when data.train or data.val name them."""
    train: int = 1600
    """Training faces, at least 1."""
    val: int = 160
    """Validation faces, at least 1."""
    seed: int = 0
    """Seed of the faces."""


@dataclass(frozen=True)
class BalanceConfig:
    """Pose-balanced training batches; the published training drew half of every batch from large poses."""

    enabled: bool = False
    """Deal a set number of large poses into every batch; else faces come as often as they are in the stores."""
    share: float = 0.5
    """Share of large poses in every batch, above 0 and below 1, rounded to whole faces."""
    yaw: float = 30.0
    """Degrees of |yaw| from which a face is a large pose, above 0 and below 90."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must be above 0 and below 1, not {self.share:g}")
        if not 0 < self.yaw < 90:
            raise ValueError(f"yaw must be above 0 and below 90 degrees, not {self.yaw:g}")

    def of_batch(self, batch_size: int) -> int:
        """Large poses in a batch of this size."""
        return round(self.share * batch_size)


@dataclass(frozen=True)
class DataConfig:
    """Stores, batches, balance of poses, misalignment, heatmaps and augmentation."""

    train: Stores
    """Stores of the training faces."""
    val: Stores
    """Stores of the validation faces."""
    batch_size: int = 16
    """Faces a batch and process, at least 2 (batch normalisation sees 1x1 features)."""
    workers: int = 2
    """Loader processes; 0 reads in the main process."""
    mirror: bool = True
    """Half of the training faces are mirrored."""
    synthetic: SyntheticDataConfig | None = None
    """Make these faces when data.train or data.val point into their folder and they are not there; null: never."""
    overfit: int | None = None
    """Train and validate on the first so many training faces, drawn ever the same, at least batch_size; null: off."""
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    misalignment: MisalignmentConfig = field(default_factory=MisalignmentConfig)
    heatmaps: HeatmapConfig = field(default_factory=HeatmapConfig)
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError("batch_size must be at least 2: batch normalisation sees 1x1 features")
        if self.overfit is not None and self.overfit < self.batch_size:
            raise ValueError(f"overfit={self.overfit} is below batch_size={self.batch_size}: an epoch needs a batch")
        if self.workers < 0:
            raise ValueError("workers must be 0 or more")
        large = self.balance.of_batch(self.batch_size)
        if self.balance.enabled and not 0 < large < self.batch_size:
            raise ValueError(
                f"balance.share={self.balance.share:g} is {large} of the {self.batch_size} faces of a batch: "
                "bring it nearer to 0.5, or set balance.enabled=false"
            )
