"""LPIPS (Zhang et al. 2018) with torchmetrics' network and linear heads, on ImageNet weights that are present."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from src.image.pixels import quantise
from src.loss.backbone import load_network
from src.metric.config import LPIPSNet
from src.metric.metric import Judged, Metric
from src.system.errors import UserError

BACKBONES: Final[dict[LPIPSNet, str]] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
"""The torchvision model of each network."""
LEAST: Final = 32
"""Smallest side in pixels that every network takes."""


class LPIPS:
    """The perceptual distance of an image to its HR image; 0 for identical ones.

    Args:
        net: which network.
        weights: of its convolutions: a file, "imagenet" (torchvision's download) or None: torch hub's cache alone.
        device: where it computes.

    Raises:
        UserError: there are no such weights, or they are of another network.
    """

    def __init__(self, net: LPIPSNet, weights: str | None, device: torch.device) -> None:
        from torchmetrics.functional.image.lpips import _LPIPS  # the heads' weights are part of torchmetrics

        self.net = net
        backbone = load_network(BACKBONES[net], weights or _cached(net), "metrics.lpips_weights")
        self.network = _LPIPS(net=net, pnet_rand=True)  # no download
        _copy_features(backbone, self.network.net)
        self.network.to(device)

    def __call__(self, sr: Tensor, hr: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] twice -> (B,)."""
        device_type = sr.device.type
        with torch.inference_mode(), torch.autocast(device_type, enabled=False):
            distance: Tensor = self.network(sr.float(), hr.float())
        return distance.flatten()

    def metric(self) -> Metric:
        """The metric of evaluations."""
        return Metric(
            f"lpips_{self.net}",
            f"LPIPS {self.net}",
            "",
            4,
            f"LPIPS: Zhang et al. 2018, version 0.1, {BACKBONES[self.net]}, on 8-bit RGB in [-1, 1], no resizing.",
            self._measure,
            higher_is_better=False,
            place=21,
        )

    def _measure(self, judged: Judged) -> Tensor:
        sr, hr = judged.output.image, judged.pairs.hr
        if min(sr.shape[-2:]) < LEAST:
            return torch.full((len(sr),), torch.nan)
        return self(quantise(sr.float()), hr)


def _cached(net: LPIPSNet) -> str:
    """Weights of torchvision in torch hub's cache."""
    from torchvision.models import get_model_weights

    url = next(iter(get_model_weights(BACKBONES[net]))).url  # the first entry is the original training
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not path.is_file():
        raise UserError(
            f"metrics.lpips={net} needs {BACKBONES[net]}'s weights, which are not in torch hub's cache: give "
            f"metrics.lpips_weights=FILE, or metrics.lpips_weights=imagenet to download them"
        )
    return str(path)


def _copy_features(backbone: nn.Module, sliced: nn.Module) -> None:
    """Copy `features` of a torchvision model into torchmetrics' slices, whose layers keep their numbers as names."""
    features = backbone.get_submodule("features")
    for part in sliced.modules():
        if isinstance(part, nn.Sequential):
            for number, layer in part.named_children():
                layer.load_state_dict(features.get_submodule(number).state_dict())
