"""The configuration of training and validation data; `conf/data` mirrors it."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from src.data.augment import PhotometricConfig
from src.data.batch import HeatmapConfig
from src.data.camera import CameraConfig, Degradation
from src.data.own_size import OwnSizes, check_own_size
from src.data.pairs import MisalignmentConfig
from src.data.stretch import MOST_STRETCH
from src.image.sides import LR_SIDE


def as_list(value: Any) -> Any:
    """A single word as a list of one, so that a command line can leave out the brackets."""
    return [value] if isinstance(value, str) else value


Stores = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""Folders of stores; a single one needs no brackets."""


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
    """Put a fixed number of large poses into every batch; otherwise each face comes once an epoch."""
    share: float = 0.5
    """Share of large poses in every batch, above 0 and below 1, rounded to whole faces."""
    yaw: float = 30.0
    """A face with at least this |yaw| in degrees is a large pose; above 0 and below 90."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share must be above 0 and below 1, not {self.share:g}")
        if not 0 < self.yaw < 90:
            raise ValueError(f"yaw must be above 0 and below 90 degrees, not {self.yaw:g}")

    def of_batch(self, batch_size: int) -> int:
        """The number of large poses in a batch of this size."""
        return round(self.share * batch_size)


@dataclass(frozen=True)
class DataConfig:
    """Stores, batches, balance of poses, misalignment, heatmaps and augmentation."""

    train: Stores
    """Stores of the training faces."""
    val: Stores
    """Stores of the validation faces."""
    batch_size: int = 16
    """Faces per batch and process, at least 2 (batch normalisation sees 1x1 features)."""
    workers: int = 2
    """Loader processes; 0 reads in the main process."""
    mirror: bool = True
    """Mirror half of the training faces."""
    synthetic: SyntheticDataConfig | None = None
    """Draw these faces if data.train or data.val name their stores and they do not exist yet; null: never."""
    overfit: int | None = None
    """Train and validate on the first N training faces, with fixed draws; N at least batch_size; null: off."""
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    misalignment: MisalignmentConfig = field(default_factory=MisalignmentConfig)
    black_share: float = 0.0
    """Share of the training faces that lie on black, as in the published inputs, 0-1; for `fill=context`."""
    upright_share: float = 0.0
    """Share of the training faces that are upright already, as those of the protocol `aligned`, 0-1. Misalignments are
    drawn from a range, so without it an upright face hardly ever occurs in training."""
    blend_share: float = 0.0
    """Share of the training faces, upright or not, that are averaged with another face of their batch (mixup), 0-1: HR
    face and landmarks too. Against faces learnt by heart: most of the faces for an aligner that learns alone, fewer for
    the whole network."""
    stretch: float = 0.0
    """1 + stretch is the most by which a training face's width is multiplied or divided for its height, 0-0.5; the face
    then lies in the upright frame of its new shape, and is resampled. Against faces learnt by heart, likewise."""
    degradation: Degradation = "bicubic"
    """How LR faces get small: anti-aliased bicubic (as published), or as a camera makes them."""
    camera: CameraConfig = field(default_factory=CameraConfig)
    own_size: OwnSizes | None = None
    """Smallest and largest side of a face in its photograph, 8-64 pixels; a camera acts on the face at that size, which
    is then resampled to `lr_side`. null: every face has `lr_side`."""
    lr_side: int = LR_SIDE
    """Side of the LR faces that the network takes: 16, or 32 with the face's own size beside it."""
    heatmaps: HeatmapConfig = field(default_factory=HeatmapConfig)
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)

    def __post_init__(self) -> None:
        check_own_size(self.own_size, self.lr_side)
        if self.batch_size < 2:
            raise ValueError("batch_size must be at least 2: batch normalisation sees 1x1 features")
        if self.overfit is not None and self.overfit < self.batch_size:
            raise ValueError(f"overfit={self.overfit} is below batch_size={self.batch_size}: an epoch needs a batch")
        if self.workers < 0:
            raise ValueError("workers must be 0 or more")
        for name in ("black_share", "upright_share", "blend_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0-1, not {getattr(self, name):g}")
        if not 0 <= self.stretch <= MOST_STRETCH:
            raise ValueError(f"stretch must be 0-{MOST_STRETCH:g}, not {self.stretch:g}")
        if self.black_share and self.misalignment.fill != "context":
            raise ValueError(
                f"black_share={self.black_share:g} is for misalignment.fill=context; with {self.misalignment.fill} "
                "no face sees its surroundings"
            )
        if self.stretch and self.misalignment.fill != "context":
            raise ValueError(
                f"stretch={self.stretch:g} is for misalignment.fill=context: without surroundings, a narrower face "
                "would lie between smeared border pixels"
            )
        large = self.balance.of_batch(self.batch_size)
        if self.balance.enabled and not 0 < large < self.batch_size:
            raise ValueError(
                f"balance.share={self.balance.share:g} is {large} of the {self.batch_size} faces of a batch: "
                "bring it nearer to 0.5, or set balance.enabled=false"
            )
