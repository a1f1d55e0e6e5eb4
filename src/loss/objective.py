"""The generator's objective LT, Eq. 7.6, from the terms and their weights."""

from torch import Tensor, nn

from src.data.batch import Pairs
from src.image.warp import corner_distances
from src.loss.backbone import Backbone
from src.loss.config import LossConfig, weight_in_epoch
from src.loss.terms import (
    adversarial_loss,
    alignment_loss,
    component_weights,
    coordinate_loss,
    feature_loss,
    pixel_loss,
    structure_loss,
    structure_loss_mean,
)
from src.model.output import Upscaled


class Objective(nn.Module):
    """LT = pixel Lp + a Lf + b LU + structure Lh + coordinates Lc + alignment La.

    Terms of weight 0, except Lp, are neither built nor computed. Only this module holds the frozen feature network, so
    that a checkpoint of the networks need not contain it.
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        feature = config.feature
        self.backbone = Backbone(feature.backbone, feature.layer, feature.weights) if feature.weight > 0 else None

    def forward(
        self,
        output: Upscaled,
        pairs: Pairs,
        fake_logits: Tensor | None,
        epoch: int = 0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and every term without its weight.

        Args:
            output: the generator's output.
            pairs: the batch that it was made from.
            fake_logits: (B,) D's logits of the output; None leaves the adversarial term out.
            epoch: epoch from 0, for the weights that decay.

        Returns:
            LT, a scalar, and the terms by name, scalars.
        """
        config = self.config
        of_pixels = None
        if config.component > 0:
            of_pixels = component_weights(pairs.landmarks, pairs.visible, config.component, pairs.hr.shape[-1])
        error = pixel_loss(output.image, pairs.hr, of_pixels, log=config.pixel_error == "log")
        terms, weights = {"pixel": error}, {"pixel": config.pixel}
        if self.backbone is not None:
            features = self.backbone(output.image), self.backbone(pairs.hr)
            terms["feature"] = feature_loss(*features, config.feature.relative)
            weights["feature"] = config.feature.weight
        if fake_logits is not None and config.adversarial.weight > 0:
            terms["adversarial"] = adversarial_loss(fake_logits)
            weights["adversarial"] = weight_in_epoch(config.adversarial, epoch)
        if output.heatmaps and config.structure.weight > 0:
            assert pairs.heatmaps is not None
            assert pairs.kernels is not None
            terms["structure"] = (
                structure_loss(output.heatmaps, pairs.heatmaps, pairs.kernels)
                if config.structure.normalise == "kernels"
                else structure_loss_mean(output.heatmaps, pairs.heatmaps)
            )
            weights["structure"] = weight_in_epoch(config.structure, epoch)
        if output.heatmaps and config.coordinates > 0:
            assert pairs.heatmaps is not None
            terms["coordinates"] = coordinate_loss(output.heatmaps[-1], pairs.heatmaps)
            weights["coordinates"] = config.coordinates
        if output.matrix is not None and config.alignment > 0:
            terms["alignment"] = self.alignment(output.matrix, pairs)
            weights["alignment"] = config.alignment
        total = sum((weights[name] * term for name, term in terms.items()), pairs.hr.new_zeros(()))
        return total, terms

    def alignment(self, matrix: Tensor, pairs: Pairs) -> Tensor:
        """La of an estimated transform (B, 2, 3), a scalar without its weight."""
        if self.config.alignment_error == "matrix":
            return alignment_loss(matrix, pairs.matrix)
        return corner_distances(matrix, pairs.matrix).mean()
