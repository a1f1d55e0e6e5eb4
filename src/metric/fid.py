"""FID (Heusel et al. 2017): one figure for a set of faces, by torch-fidelity's Inception network."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from src.image.pixels import to_bytes
from src.system.errors import UserError

Features = Callable[[Tensor], Tensor]
"""(B, 3, H, W) uint8 -> (B, D)."""
WORDS = (
    "FID: Frechet distance of Inception features (torch-fidelity) between the SR and the HR faces of this set. It "
    "depends on the number of faces, and below some ten thousand it is far too high: compare it only between methods "
    "of one table."
)


def inception(weights: str, device: torch.device) -> Features:
    """The 2048 features of torch-fidelity's network.

    Raises:
        UserError: the package or the file is missing, or the file is of something else.
    """
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"metrics.fid={weights}: no such file; give torch-fidelity's pt_inception-*.pth")
    try:
        # It is in no extra and not in the lock, so it is imported by name.
        package = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except ModuleNotFoundError:
        raise UserError("torch-fidelity is not installed: pip install torch-fidelity") from None
    try:
        network: Any = package.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path)).to(device).eval()
    except Exception as error:
        raise UserError(f"{path} does not fit torch-fidelity's Inception: {str(error).splitlines()[0][:120]}") from None
    return lambda images: network(images)[0]


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Between Gaussians fitted to two sets of features, (N, D) and (M, D), at least two each."""
    mean, other = first.double().mean(0), second.double().mean(0)
    covariance, other_covariance = first.double().T.cov(), second.double().T.cov()
    root = torch.linalg.eigvals(covariance @ other_covariance).sqrt().real.sum()
    return float((mean - other).square().sum() + covariance.trace() + other_covariance.trace() - 2 * root)


class FID:
    """Collects the features of the HR faces and of each method's.

    Args:
        features: the network.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._hr: list[Tensor] = []
        self._sr: dict[str, list[Tensor]] = {}

    def clear(self) -> None:
        """Forget all faces."""
        self._hr.clear()
        self._sr.clear()

    def add(self, hr: Tensor, images: dict[str, Tensor]) -> None:
        """A batch: HR (B, 3, H, W), about [-1, 1], and the same of each method."""
        self._hr.append(self._of(hr))
        for name, image in images.items():
            self._sr.setdefault(name, []).append(self._of(image))

    def distances(self) -> dict[str, float]:
        """FID of each method; empty below two faces."""
        hr = torch.cat(self._hr) if self._hr else torch.empty(0, 0)
        if len(hr) < 2:
            return {}
        return {name: frechet_distance(torch.cat(parts), hr) for name, parts in self._sr.items()}

    def _of(self, images: Tensor) -> Tensor:
        return self._features(to_bytes(images.detach()).permute(0, 3, 1, 2)).detach().double().cpu()
