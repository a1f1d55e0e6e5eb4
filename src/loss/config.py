"""The configuration of the objective, Eq. 7.6: its terms and weights."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator


def _as_word(value: Any) -> Any:
    """YAML reads `true` as a boolean; here it is a word."""
    return "true" if value is True else value


Frame = Annotated[Literal["true", "own"], BeforeValidator(_as_word)]


@dataclass(frozen=True)
class FeatureLossConfig:
    """Eq. 7.2: the network, its layer and the weight of the term."""

    weight: float = 0.01
    """a of Eq. 7.6; 0 leaves the term and its network out."""
    backbone: str = "vgg19"
    """Any torchvision classification model."""
    layer: str = "relu3_2"
    """A VGG layer in the literature's words, or a module path (features.7)."""
    relative: bool = False
    """Divide by the mean square of the real faces' features, so that a means the same for every network."""
    weights: str = "imagenet"
    """imagenet (torchvision's download) | a local .pth or .safetensors | random."""


@dataclass(frozen=True)
class AdversarialLossConfig:
    """Eq. 7.4: the generator's adversarial term."""

    weight: float = 0.01
    """b of Eq. 7.6; 0 leaves the discriminator out."""
    decay: float = 1.0
    """Factor on the weight after each epoch, above 0 to 1; the published code has 0.995."""
    floor: float = 0.0
    """The weight never decays below this; the published code has 0.005."""


@dataclass(frozen=True)
class StructureLossConfig:
    """Eq. 7.5: the heatmap term."""

    weight: float = 1.0
    """0 leaves the heatmaps unsupervised."""
    normalise: Literal["kernels", "mean"] = "kernels"
    """kernels: divide by the visible kernels, Eq. 7.5; mean: by the pixels, as the published code."""
    decay: float = 1.0
    """Factor on the weight after each epoch, above 0 to 1; 1: constant, as published."""
    floor: float = 0.0
    """The weight never decays below this."""


def weight_in_epoch(config: AdversarialLossConfig | StructureLossConfig, epoch: int) -> float:
    """The weight of a term in an epoch, counted from 0: it decays to the floor, and a lower weight stays as it is."""
    if config.decay == 1:
        return config.weight
    return max(config.weight * config.decay**epoch, min(config.floor, config.weight))


@dataclass(frozen=True)
class LossConfig:
    """LT = pixel Lp + a Lf + b LU + structure Lh + coordinates Lc + alignment La."""

    pixel: float = 1.0
    pixel_error: Literal["squared", "log"] = "squared"
    """squared: the mean squared error, Eq. 7.1; log: the logarithm of each face's, which is its PSNR but for a factor.
    Scaled so that both have the same weight."""
    feature: FeatureLossConfig = field(default_factory=FeatureLossConfig)
    adversarial: AdversarialLossConfig = field(default_factory=AdversarialLossConfig)
    structure: StructureLossConfig = field(default_factory=StructureLossConfig)
    component: float = 0.0
    """Extra weight of the facial components in Lp: a pixel counts 1 + component at a landmark, less beside it and 1
    elsewhere; divided by the batch's mean, so that Lp keeps its level. 0: all pixels count the same."""
    coordinates: float = 0.0
    """Weight of the distance between the places of the components in the last heatmaps and in the true ones, as a share
    of a side; 0 leaves it out."""
    alignment: float = 0.0
    """Weight of the alignment term; 0 in the method as published; for short trainings about 3, or 1 with corners. With
    `localisation=aligner`, 0 leaves the aligner that `init=` gives as it is: the rest learns from faces where that
    aligner puts them in use."""
    alignment_error: Literal["matrix", "corners"] = "matrix"
    """matrix: mean squared error of its entries; corners: mean distance of the frame's four corners, as a share of half
    a side, which is what the image feels."""
    alignment_first: float = 0.0
    """Share of the run at its start in which the STN alone learns, 0-1; above 0 it needs `localisation=aligner`, and
    1 a generator that is nothing but an STN, or `init=`. Without the alignment term there is no such part."""
    frame: Frame = "true"
    """Where the image and heatmap terms take their targets: in the true frame, or in that of the estimated transform
    (own). Without an STN or without `fill=context` there is only the true one."""

    def __post_init__(self) -> None:
        weights = {
            "pixel": self.pixel,
            "feature.weight": self.feature.weight,
            "adversarial.weight": self.adversarial.weight,
            "structure.weight": self.structure.weight,
            "component": self.component,
            "coordinates": self.coordinates,
            "alignment": self.alignment,
        }
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"{name} must be 0 or more, not {weight:g}")
        if not 0 <= self.alignment_first <= 1:
            raise ValueError(f"alignment_first must be a share of the run, 0-1, not {self.alignment_first:g}")
        for name, decay in {"adversarial": self.adversarial.decay, "structure": self.structure.decay}.items():
            if not 0 < decay <= 1:
                raise ValueError(f"{name}.decay must be in (0, 1], not {decay:g}")
        if self.component > 0 and self.pixel == 0:
            raise ValueError(f"component={self.component:g} weights the pixel term: set pixel above 0")
