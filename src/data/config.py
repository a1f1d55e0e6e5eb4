"""What a run trains and validates on; `conf/data` mirrors this file."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from src.data.augment import PhotometricConfig
from src.data.batch import HeatmapConfig
from src.data.pairs import MisalignmentConfig


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Stores = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
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
class DataConfig:
    """Stores, batches, misalignment, heatmaps and augmentation."""

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
    misalignment: MisalignmentConfig = field(default_factory=MisalignmentConfig)
    heatmaps: HeatmapConfig = field(default_factory=HeatmapConfig)
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError("batch_size must be at least 2: batch normalisation sees 1x1 features")
        if self.workers < 0:
            raise ValueError("workers must be 0 or more")
