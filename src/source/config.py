"""The configuration of the sources of faces: `conf/source/`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Discriminator

from src.image.decode import MAX_PIXELS

LARGEST = 1 << 30
"""Pixels, the most that OpenCV decodes: 3 GiB of RGB."""


def _check_root(root: str) -> None:
    if not root:
        raise ValueError("source.root is empty: give the folder that holds the pictures")


def _check_max_pixels(pixels: int) -> None:
    if not 1 <= pixels <= LARGEST:
        raise ValueError(f"source.max_pixels={pixels} is not in 1..{LARGEST:,}")


@dataclass(frozen=True)
class FolderSource:
    """Pictures in a folder, with or without landmarks beside them: `conf/source/folder.yaml`.

    Attributes:
        name: "folder".
        root: the folder.
        max_pixels: a picture of more is taken for a decompression bomb and rejected.
    """

    name: Literal["folder"]
    root: str
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _check_root(self.root)
        _check_max_pixels(self.max_pixels)


@dataclass(frozen=True)
class IbugSource:
    """Pictures with iBUG `.pts` files of 68 or 39 points (300-W, AFW, HELEN, LFPW, IBUG, Menpo)."""

    name: Literal["ibug"]
    root: str
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _check_root(self.root)
        _check_max_pixels(self.max_pixels)


@dataclass(frozen=True)
class CelebaSource:
    """CelebA as downloaded: `conf/source/celeba.yaml`.

    Attributes:
        name: "celeba".
        root: the folder with the pictures, as a folder or a zip, and the lists.
        images: "aligned": img_align_celeba, 178x218; "in_the_wild": img_celeba.
        drop: leave out images with any of these attributes.
        keep: take only images with all of these attributes.
        splits: which of CelebA's own splits to make.
        identities: only these people: a list of their numbers, "1-500", or a file with one number per line; "none": do
            without the list of identities.
        max_pixels: as of a folder.
    """

    name: Literal["celeba"]
    root: str
    images: Literal["aligned", "in_the_wild"] = "aligned"
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
    identities: tuple[int, ...] | int | str | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _check_root(self.root)
        _check_max_pixels(self.max_pixels)
        both = sorted(set(self.drop) & set(self.keep))
        if both:
            raise ValueError(f"source.drop and source.keep both name {both[0]}: no image is left")
        if not self.splits or len(set(self.splits)) < len(self.splits):
            raise ValueError("source.splits must name at least one split, each at most once: '[train,val,test]'")
        if self.identities in ("", ()):
            raise ValueError("source.identities is empty: give '[1,2,2880]', 1-500 or a file, or null for everybody")
        numbers = (self.identities,) if isinstance(self.identities, int) else self.identities
        if isinstance(numbers, tuple) and not all(1 <= number < 2**24 for number in numbers):
            raise ValueError(f"source.identities={list(numbers)}: a person's number is 1 or more (CelebA: 1 to 10,177)")


@dataclass(frozen=True)
class SyntheticSource:
    """Drawn faces: `conf/source/synthetic.yaml`. Give `count` or counts per split; default: train=2000 val=200."""

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
            raise ValueError("give source.count=N for one store, or source.train=N source.val=N for one per split")

    @property
    def counts(self) -> dict[str, int]:
        """Faces by split; "" is the store without splits."""
        given = {"": self.count, "train": self.train, "val": self.val, "test": self.test}
        return {split: count for split, count in given.items() if count is not None} or {"train": 2000, "val": 200}


Source = Annotated[FolderSource | IbugSource | CelebaSource | SyntheticSource, Discriminator("name")]
