"""The interface of methods: small unaligned faces in, upright faces out."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from torch import Tensor

from src.data.pairs import MisalignmentConfig
from src.model.output import Upscaled

Runtime = Literal["torch", "onnxruntime"]
"""What computes a trained network; an `.onnx` file is always computed by ONNX Runtime."""
OF_UNALIGNED: Final = " of the unaligned input"
"""The end of the title of a method that is nothing without alignment; a title behind an aligner leaves it out."""


@dataclass(frozen=True)
class Facts:
    """What a report says about a method besides its scores; None where it does not apply or is not recorded.

    Attributes:
        checkpoint: the file that it was read from, a checkpoint or a dictionary.
        checkpoint_sha256: hash of that file.
        experiment: name of the training run.
        seed: seed of the training.
        epoch: the epoch that the file was saved in, from 0.
        iterations: training batches seen.
        weights: averaged (the moving average) or raw (the last update).
        parameters: number of the network's parameters.
        faces: number of training faces in a dictionary.
        heatmap_side: R of its heatmaps.
        heatmap_std: standard deviation of the kernels that they estimate, in pixels of the HR image.
        trained_on: the misalignment that it was trained with.
        degradation: how its training faces got small, bicubic or camera.
        lr_side: side of the LR faces that it takes if the protocol has own sizes, 32 with the map of them, see
            `with_own_size`; None: 16. Under other protocols every method gets 16x16.
        own_size: the own sizes in pixels that it was trained with.
        needs_aligned: whether it restores aligned inputs only; see `needs_aligner`.
        align: what stands in front of it and aligns its inputs, stn0 or known.
        aligner: the checkpoint of `align=stn0`.
        aligner_sha256: hash of that file.
        runtime: what computes it, in words; None: torch.
    """

    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    experiment: str | None = None
    seed: int | None = None
    epoch: int | None = None
    iterations: int | None = None
    weights: str | None = None
    parameters: int | None = None
    faces: int | None = None
    heatmap_side: int | None = None
    heatmap_std: float = 3.0
    trained_on: MisalignmentConfig | None = None
    degradation: str | None = None
    lr_side: int | None = None
    own_size: str | None = None
    needs_aligned: bool | None = None
    align: str | None = None
    aligner: str | None = None
    aligner_sha256: str | None = None
    runtime: str | None = None

    @property
    def needs_aligner(self) -> bool:
        """Whether it needs aligned inputs and nothing aligns them."""
        return bool(self.needs_aligned) and self.align is None


class Method(Protocol):
    """A method to compare: it sees the LR faces and nothing else.

    Attributes:
        name: its key in files, one word.
        title: its name in tables.
        facts: what a report says about it.
    """

    name: str
    title: str

    @property
    def facts(self) -> Facts:
        """What a report says about it besides its figures."""

    def __call__(self, lr: Tensor) -> Upscaled:
        """The upright faces.

        Args:
            lr: (B, 3, 16, 16) in [-1, 1], unaligned; (B, 4, 32, 32) for a method whose facts have `lr_side` 32, if the
                faces have sizes of their own.

        Returns:
            The SR images on the device of `lr`; no heatmaps and no matrix where the method has none.
        """


class Network(Protocol):
    """A trained network as photographs and face crops need it, whatever computes it.

    Attributes:
        lr_side: side of the LR faces that it takes, 16, or 32 with the map of their own sizes, see `with_own_size`.
    """

    lr_side: int

    @property
    def own_size(self) -> tuple[int, int] | None:
        """The smallest and the largest own size that it was trained with, in pixels; None without."""

    @property
    def heatmap_side(self) -> int | None:
        """R of its heatmaps; None without."""

    def __call__(self, lr: Tensor) -> Upscaled:
        """The upright faces of (B, 3, 16, 16) in [-1, 1], or of (B, 4, 32, 32) where `lr_side` is 32."""

    def transforms(self, lr: Tensor) -> Tensor | None:
        """The estimated transforms (B, 2, 3) of such faces; None without an STN. It computes no more than it must."""


@runtime_checkable
class ToldTransform(Protocol):
    """A method that is given the known transform, which no real system has; for reference rows."""

    def upright(self, lr: Tensor, matrix: Tensor) -> Upscaled:
        """The upright faces.

        Args:
            lr: (B, 3, 16, 16) in [-1, 1], unaligned.
            matrix: (B, 2, 3), the known transform: upright output to unaligned input coordinates.
        """


def apply(method: Method, lr: Tensor, matrix: Tensor) -> Upscaled:
    """A method's output for LR faces; only a `ToldTransform` gets the known transform."""
    return method.upright(lr, matrix) if isinstance(method, ToldTransform) else method(lr)
