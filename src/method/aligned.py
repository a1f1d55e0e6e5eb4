"""An aligner in front of a method: the upright LR face is sampled from the unaligned one, then restored."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from src.image.warp import align_small, compose
from src.method.method import OF_UNALIGNED, Facts, Method
from src.model.checkpoint import Weights
from src.model.output import Upscaled
from src.model.release import load_generator
from src.model.stn0 import STN0, STN0Config
from src.system.errors import UserError

Align = Literal["none", "stn0", "known"]
"""What aligns a method's inputs: nothing, the network STN0, or the known transform, which no real system has."""
ALIGN: Final[tuple[Align, ...]] = ("none", "stn0", "known")


class LoadedAligner:
    """The network STN0 of a checkpoint, on a device.

    Args:
        path: a checkpoint or a release of `experiment=stn0`.
        device: where it computes.
        weights: which of the checkpoint's weights.

    Raises:
        UserError: the file is no checkpoint, or one of a generator.
    """

    def __init__(self, path: Path, device: torch.device, weights: Weights = "auto") -> None:
        checkpoint = load_generator(path, weights)
        if not isinstance(checkpoint.config, STN0Config):
            raise UserError(
                f"aligner={path} is a generator ({checkpoint.config.title}), not an aligner: give a checkpoint of "
                "experiment=stn0"
            )
        self.path = path
        with checkpoint.path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        network = checkpoint.generator.to(device)
        assert isinstance(network, STN0)
        self._network = network

    def __call__(self, lr: Tensor) -> Tensor:
        """(B, 3, 16, 16) in [-1, 1], unaligned -> (B, 2, 3): upright output to unaligned input coordinates."""
        matrix: Tensor = self._network.stn(lr)
        return matrix


class BehindAligner:
    """A method whose inputs STN0 aligns.

    Args:
        method: the method; one that aligns by itself does so on top.
        aligner: gives the transforms.
    """

    def __init__(self, method: Method, aligner: LoadedAligner) -> None:
        self._method, self._aligner = method, aligner
        self.name = f"{method.name}_stn0"
        self.title = f"{method.title.removesuffix(OF_UNALIGNED)} after STN0"

    @property
    def facts(self) -> Facts:
        """Those of the method, and the aligner."""
        return replace(
            self._method.facts, align="stn0", aligner=str(self._aligner.path), aligner_sha256=self._aligner.sha256
        )

    def __call__(self, lr: Tensor) -> Upscaled:
        """See `Method`; the matrix is that of the aligner, after the method's own if it has one."""
        return restored(self._method, lr, self._aligner(lr))


class BehindKnown:
    """A method whose inputs the known transform aligns; a `ToldTransform`.

    Args:
        method: the method; it is not told the transform.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self.name = f"{method.name}_known"
        self.title = f"{method.title.removesuffix(OF_UNALIGNED)} after the known transform"

    @property
    def facts(self) -> Facts:
        """Those of the method, and what aligns."""
        return replace(self._method.facts, align="known")

    def __call__(self, lr: Tensor) -> Upscaled:
        """Not possible: see `upright`."""
        raise NotImplementedError(f"{self.title} needs the known transform: call upright")

    def upright(self, lr: Tensor, matrix: Tensor) -> Upscaled:
        """See `ToldTransform`."""
        return restored(self._method, lr, matrix)


def restored(method: Method, lr: Tensor, matrix: Tensor) -> Upscaled:
    """A method's output for faces that a transform has aligned.

    Args:
        method: the method.
        lr: (B, 3, 16, 16) in [-1, 1], unaligned.
        matrix: (B, 2, 3), upright output to unaligned input coordinates.

    Returns:
        Its output, whose matrix maps to the coordinates of `lr`.
    """
    output = method(align_small(lr, matrix))
    return output._replace(matrix=matrix if output.matrix is None else compose(matrix, output.matrix))
