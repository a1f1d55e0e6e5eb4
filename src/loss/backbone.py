"""The frozen ImageNet network psi whose features Eq. 7.2 compares."""

import gc
import logging
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, list_models
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from src.model.recompute import recompute
from src.system.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

log = logging.getLogger(__name__)


def vgg_layer(name: str, features: nn.Sequential) -> str | None:
    """The module path of a VGG layer in the literature's words: relu3_2 -> features.13 in VGG-19.

    None if `name` is not of that form or the network has no such layer.
    """
    block, position = 1, 0
    for index, layer in enumerate(features):
        if isinstance(layer, nn.Conv2d):
            position += 1
        kind = {nn.Conv2d: "conv", nn.ReLU: "relu"}.get(type(layer))
        if kind is not None and name == f"{kind}{block}_{position}":
            return f"features.{index}"
        if isinstance(layer, nn.MaxPool2d):
            block, position = block + 1, 0
    return None


class Backbone(nn.Module):
    """A torchvision network up to one layer: frozen, in eval mode, with ImageNet normalisation in front.

    Args:
        name: any torchvision classification model, "vgg19" in the source text.
        layer: a VGG layer in the literature's words ("relu3_2") or a module path ("features.7").
        weights: "imagenet" (torchvision's download), a local .pth or .safetensors file, or "random".

    Attributes:
        checkpoint_activations: less memory for more computation in training, see `recompute`.

    Raises:
        UserError: no such model, layer or file; weights of another network; or a failed download of "imagenet".
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "vgg19", layer: str = "relu3_2", weights: str = "imagenet") -> None:
        super().__init__()
        if name not in list_models():
            raise UserError(f"loss.feature.backbone={name}: torchvision has no such model (vgg19, squeezenet1_0, ...)")
        network = load_network(name, weights)
        features = getattr(network, "features", None)
        path = vgg_layer(layer, features) if isinstance(features, nn.Sequential) else None
        nodes = get_graph_node_names(network)[1]
        path = path or layer
        if not any(node == path or node.startswith(f"{path}.") for node in nodes):
            raise UserError(f"loss.feature.layer={layer}: {name} has no such layer; its last ones are {nodes[-6:]}")
        self.extractor = create_feature_extractor(network.eval(), {path: "features"})
        del network, features
        gc.collect()  # tracing leaves cycles that would keep everything: half a gigabyte of VGG-19's classifier
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1))
        self.checkpoint_activations = False
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode: a LightningModule calls this on all its children at every epoch."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C, h, w) features."""
        normalised = ((images + 1) / 2 - self.mean) / self.std
        layers: Any = recompute(self.extractor, normalised, enabled=self.checkpoint_activations)
        features: Tensor = layers["features"]
        return features


def load_network(name: str, weights: str, option: str = "loss.feature.weights") -> nn.Module:
    """A torchvision model with weights.

    Args:
        name: of the model.
        weights: "imagenet" (torchvision's download), a local .pth or .safetensors file, or "random".
        option: the key as the user types it, for the error.

    Raises:
        UserError: no such file, weights of another network, or a failed download.
    """
    if weights == "random":
        log.warning("%s=random: %s has RANDOM weights; good for tests, not for results", option, name)
        with torch.random.fork_rng([]):  # the same features in every run; the caller's random state stays
            torch.manual_seed(0)
            network: nn.Module = get_model(name, weights=None)
            return network
    if weights == "imagenet":
        try:
            network = get_model(name, weights=get_model_weights(name).DEFAULT)
        except (URLError, OSError) as error:
            raise UserError(
                f"{option}=imagenet: cannot download {name} ({error}). Connect to the network once, or "
                f"give a file: {option}=/path/to/weights.pth (or .safetensors)"
            ) from None
        return network
    network = get_model(name, weights=None)
    state = _read(Path(weights).expanduser(), option)
    known = network.state_dict()
    for key, tensor in state.items():
        if key in known and known[key].shape != tensor.shape:
            raise UserError(
                f"{weights} is no {name}: its {key} is {tuple(tensor.shape)}, not {tuple(known[key].shape)}"
            )
    result = network.load_state_dict({key: tensor for key, tensor in state.items() if key in known}, strict=False)
    # A file may lack the classifier, which no feature loss reads; it must not lack a convolution.
    lacking = [key for key in result.missing_keys if not key.startswith(("classifier", "fc", "head"))]
    if lacking:
        raise UserError(f"{weights} is no {name}: it lacks {lacking[0]} and {len(lacking) - 1} more tensors")
    return network


def _read(path: Path, option: str) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{option}={path}: no such file; give a .pth or .safetensors, imagenet or random")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state
    except Exception as error:
        raise UserError(f"{path} is not a whole weights file: {str(error).splitlines()[0]}") from None
