"""The configuration of `python -m src.prepare`: `conf/prepare.yaml` and `conf/source/`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Discriminator


@dataclass(frozen=True)
class FolderSource:
    """Pictures in a folder with their landmarks: `conf/source/folder.yaml`."""

    name: Literal["folder"]
    root: str

    def __post_init__(self) -> None:
        if not self.root:
            raise ValueError("source.root is empty: give the folder that holds the pictures")


@dataclass(frozen=True)
class SyntheticSource:
    """Drawn faces: `conf/source/synthetic.yaml`. Either `count`, or the splits' counts; none: 2,000 and 200."""

    name: Literal["synthetic"]
    count: int | None = None
    train: int | None = None
    val: int | None = None
    test: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for split, count in self.counts.items():
            if not 1 <= count <= 10_000_000:
                raise ValueError(f"source.{split or 'count'}={count} is not in 1..10,000,000")
        if self.seed < 0:
            raise ValueError(f"source.seed={self.seed} is negative: give 0 or more")
        if "" in self.counts and len(self.counts) > 1:
            raise ValueError("give source.count=N for one store, or source.train=N source.val=N for one store a split")

    @property
    def counts(self) -> dict[str, int]:
        """Faces by split; "" is the store without splits."""
        given = {"": self.count, "train": self.train, "val": self.val, "test": self.test}
        return {split: count for split, count in given.items() if count is not None} or {"train": 2000, "val": 200}


@dataclass(frozen=True)
class PrepareConfig:
    """What `conf/prepare.yaml` composes to.

    Attributes:
        source: where faces come from.
        out: the store's folder; with splits, the folder of the stores `train`, `val`, `test`.
        workers: processes that decode and crop beside this one; 0 does all in this one. The bytes are the same.
        strict: end in an error, without a store, when anything was rejected.
        overwrite: replace stores that were made with other settings, or are damaged.
    """

    source: Annotated[FolderSource | SyntheticSource, Discriminator("name")]
    out: str
    workers: int = 0
    strict: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 256:
            raise ValueError(f"workers={self.workers} is not in 0..256")
        if not self.out:
            raise ValueError("out is empty: give the folder to write to")
