"""The terms of the objective: Eqs. 7.1-7.5, alignment and coordinates, each a small function.

Squared Euclidean norms are averaged over all elements of a batch (our choice, as in the published code: the weights
0.01 of Eq. 7.6 only make sense with a mean). Every term is computed in float32.
"""

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from src.face.heatmaps import component_heatmaps

COMPONENT_STD: Final = 4.0
"""Our choice: standard deviation of a component's kernels in the weights of pixels, in pixels of the HR image."""
TEMPERATURE: Final = 0.08
"""Of the soft-argmax over heatmaps of peak 1. Our choice: at 0.1 and more, the empty places of a map pull the place of
a single kernel to the middle; at 0.05 and less it sticks to the nearest pixel."""
SMALLEST_ERROR: Final = 1e-4
"""Added to each face's mean squared error before its logarithm: that of pixels in [-1, 1] at a PSNR of 46 dB."""
LOG_SCALE: Final = 0.0115
"""Of the logarithmic pixel loss: its gradient is as long as that of the squared error where this is 0.0115, at 25.4 dB,
so that both have the same weight. Below 25.4 dB it is shorter, above it longer."""
PRESENT: Final = 0.25
"""A true map with a lower peak has its kernels outside of the picture, so it has no place."""


def pixel_loss(sr: Tensor, hr: Tensor, weights: Tensor | None = None, log: bool = False) -> Tensor:
    """Eq. 7.1: Lp = E ||U(l) - h||^2. Both (B, 3, H, W) in [-1, 1]; a scalar.

    Args:
        sr: the output.
        hr: the ground truth.
        weights: (B, 1, H, W) of mean 1; None: all pixels count the same.
        log: the logarithm of each face's mean squared error, which is its PSNR but for a factor (our choice, as in
            NAFNet, Chen et al. 2022): `LOG_SCALE` log(1 + error / `SMALLEST_ERROR`), 0 for a perfect face. A face with
            a small error counts as much as one with a large error.
    """
    if weights is None and not log:
        return F.mse_loss(sr.float(), hr.float())
    errors = F.mse_loss(sr.float(), hr.float(), reduction="none")
    if weights is not None:
        errors = errors * weights
    if not log:
        return errors.mean()
    return LOG_SCALE * (errors.mean((1, 2, 3)) / SMALLEST_ERROR).log1p().mean()


def component_weights(landmarks: Tensor, visible: Tensor, strength: float, side: int) -> Tensor:
    """Our choice: weights of pixels in Lp, 1 + strength at a visible landmark and 1 far from all; over their mean.

    The heatmaps are rendered for this at half the image's side, so that neither a generator's heatmaps nor their number
    and side change the weights.

    Args:
        landmarks: (B, 68, 2) x, y in pixels of the HR image.
        visible: (B, 68) bool.
        strength: the extra weight of the components, 0 or more.
        side: the HR image's side in pixels, an even number.

    Returns:
        (B, 1, side, side) float32, whose mean over the batch is 1.
    """
    maps, _ = component_heatmaps(landmarks, visible, 4, side // 2, COMPONENT_STD, side)
    near = F.interpolate(maps.amax(1, keepdim=True), (side, side), mode="bilinear", align_corners=False)
    weights = 1 + strength * near
    return weights / weights.mean()


def feature_loss(sr_features: Tensor, hr_features: Tensor, relative: bool = False) -> Tensor:
    """Eq. 7.2: Lf = E ||psi(U(l)) - psi(h)||^2.

    Args:
        sr_features: (B, C, h, w), the frozen psi of the output.
        hr_features: (B, C, h, w), psi of the ground truth.
        relative: divide by the mean square of `hr_features` (our choice for other networks than VGG-19: the scale of
            features differs between networks and layers, and the weight a with it).

    Returns:
        A scalar.
    """
    error = F.mse_loss(sr_features.float(), hr_features.float())
    return error / hr_features.detach().float().square().mean().clamp(min=1e-12) if relative else error


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Eq. 7.3 with its sign turned, to be minimised: -LD = -E[log D(h)] - E[log(1 - D(U(l)))]. Logits (B,)."""
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


def multi_class_loss(of_class: Sequence[Tensor]) -> Tensor:
    """The discriminator's loss with more classes than real and generated (Xu et al. 2017): cross-entropies, summed.

    Args:
        of_class: the class logits (B, K) of the images of each of the K classes, in the order of the logits.

    Returns:
        A scalar: the mean over the images of each class, summed over the classes. With two classes it is Eq. 7.3.
    """
    entropies = [-logits.float().log_softmax(1)[:, number].mean() for number, logits in enumerate(of_class)]
    return torch.stack(entropies).sum()


def real_logits(logits: Tensor) -> Tensor:
    """The log-odds of being real: (B,) as it is, or class logits (B, K), the first of which is real, as (B,)."""
    if logits.dim() == 1:
        return logits
    logits = logits.float()
    odds: Tensor = logits[:, 0] - logits[:, 1:].logsumexp(1)
    return odds


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Eq. 7.4 with its sign corrected: LU = -E[log D(U(l))], non-saturating. Logits (B,).

    The text prints "minimise E[log D(U(l))]", which would teach U to look fake; the published code has this sign.
    """
    return F.softplus(-fake_logits.float()).mean()


def structure_loss(heatmaps: list[Tensor], target: Tensor, kernels: Tensor) -> Tensor:
    """Eq. 7.5: each component's squared error divided by its number of visible kernels.

    Self-occluded landmarks are in neither the target nor the number; a component without visible landmarks is still
    taught its empty map (divided by 1).

    Args:
        heatmaps: the estimates of every stack, each (B, M, R, R).
        target: (B, M, R, R).
        kernels: (B, M) the number of visible Gaussian kernels in each component.

    Returns:
        A scalar: the mean over components and batch, summed over the stacks.
    """
    count = kernels.clamp(min=1).to(target.dtype)
    errors = [((maps.float() - target).square().sum((2, 3)) / count).mean() for maps in heatmaps]
    return torch.stack(errors).sum()


def structure_loss_mean(heatmaps: list[Tensor], target: Tensor) -> Tensor:
    """The published code's form of Eq. 7.5: the mean squared error of each stack, summed over the stacks."""
    return torch.stack([F.mse_loss(maps.float(), target) for maps in heatmaps]).sum()


def soft_argmax(heatmaps: Tensor) -> Tensor:
    """The place of each component: the mean place over its map, weighted by a softmax with `TEMPERATURE`.

    Args:
        heatmaps: (B, M, R, R), about 0-1.

    Returns:
        (B, M, 2) x, y as shares of the side, 0-1, with gradients; the centre of pixel i is at (i + 0.5) / R.
    """
    side = heatmaps.shape[-1]
    shares = (heatmaps.float() / TEMPERATURE).flatten(2).softmax(-1).unflatten(-1, (side, side))
    centres = (torch.arange(side, device=heatmaps.device, dtype=torch.float32) + 0.5) / side
    # Products and sums, as a matrix product would be in bfloat16 under autocast.
    return torch.stack([(shares.sum(2) * centres).sum(-1), (shares.sum(3) * centres).sum(-1)], -1)


def coordinate_loss(heatmaps: Tensor, target: Tensor) -> Tensor:
    """Our choice: the mean distance between the estimated and the true places of the components, as a share of a side.

    A true place is read from the true map in the same way, so that perfect heatmaps cost nothing. In a map of one
    kernel it is the landmark, to a fifth of a pixel of the map on average; in a map of many, a weighted centre of them.

    Args:
        heatmaps: (B, M, R, R), the estimates of the last stack.
        target: (B, M, R, R).

    Returns:
        A scalar: the mean over the components that the true maps show.
    """
    distances = (soft_argmax(heatmaps) - soft_argmax(target)).norm(dim=-1)  # (B, M)
    present = (target.amax((2, 3)) > PRESENT).float()
    mean: Tensor = (distances * present).sum() / present.sum().clamp(min=1)
    return mean


def alignment_loss(matrix: Tensor, true_matrix: Tensor) -> Tensor:
    """Our choice: the mean squared error between the STN's 2x3 matrix and the true one, normalised coordinates.

    Training pairs are made by a known similarity transform, so the STN's matrix has a free label. Both (B, 2, 3).
    """
    return F.mse_loss(matrix.float(), true_matrix.float())
