"""The configuration of `python -m src.prepare`: `conf/prepare.yaml` and its groups."""

from dataclasses import dataclass, field
from typing import Literal

from src.landmarks.config import FaceAlignmentConfig, LandmarksConfig
from src.preparation.crop_rules import CropConfig, LandmarksCrop
from src.source.config import Source


@dataclass(frozen=True)
class PrepareConfig:
    """The configuration of one preparation.

    Attributes:
        source: where faces come from.
        out: the store's folder; with splits, the folder of the stores `train`, `val`, `test`.
        landmarks: the source of landmarks; auto: the pictures' source if it has them, else face_alignment.
        crop: the rule that cuts a face out of its picture, and the filters on the result.
        visibility: "estimated": where all 68 landmarks are placed, the head's pose decides which it hides;
            "annotated": only landmarks that an annotation leaves out are hidden.
        workers: extra processes that decode and crop; 0: this process does everything. The bytes are the same.
        shards: number of shards that the work is divided into.
        shard: do only this shard, 0 to shards - 1, for several processes or machines; null: do all.
        check: verify the stores in `out` (if there are none and a source is named, make them first).
        strict: end with an error, without a store, if anything was rejected.
        overwrite: replace stores that were made with other settings, or are damaged.
    """

    source: Source
    out: str
    landmarks: LandmarksConfig = field(default_factory=lambda: FaceAlignmentConfig("auto"))
    crop: CropConfig = field(default_factory=lambda: LandmarksCrop("landmarks"))
    visibility: Literal["estimated", "annotated"] = "estimated"
    workers: int = 0
    shards: int = 8
    shard: int | None = None
    check: bool = False
    strict: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 256:
            raise ValueError(f"workers={self.workers} is not in 0..256")
        if not 1 <= self.shards <= 100_000:
            raise ValueError(f"shards={self.shards} is not in 1..100,000")
        if self.shard is not None and not 0 <= self.shard < self.shards:
            raise ValueError(f"shard={self.shard} is not in 0..{self.shards - 1}; for more shards give shards=N")
        if not self.out:
            raise ValueError("out is empty: give the folder to write to")
