"""The two halves of a training step, and the arithmetic of an update around them."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from src.data.batch import Pairs
from src.data.not_faces import not_faces
from src.data.own_frame import in_own_frame
from src.image.pixels import downsample
from src.loss.objective import Objective
from src.loss.terms import discriminator_loss, multi_class_loss, pixel_loss, real_logits
from src.model.output import Upscaled
from src.model.stage import Half


def laid_out(pairs: Pairs, layout: torch.memory_format) -> Pairs:
    """The same pairs, with images in the memory layout of the networks' weights."""
    return pairs._replace(lr=pairs.lr.contiguous(memory_format=layout), hr=pairs.hr.contiguous(memory_format=layout))


def discriminator_half(discriminator: nn.Module, pairs: Pairs, fakes: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """D's half of a step: -LD of Eq. 7.3, to be minimised, and its accuracies.

    Args:
        discriminator: D; one with the class `not_a_face` also learns from crops of the same pictures.
        pairs: the batch, whose `hr` (B, 3, 128, 128) are the reals.
        fakes: (B, 3, 128, 128), the generator's images, detached from it, in any precision.

    Returns:
        The loss, a scalar; and the shares of reals and of fakes that D classifies correctly, by their names in the log.
    """
    images = [pairs.hr, fakes.to(pairs.hr.dtype)]
    if getattr(discriminator, "not_a_face", False):
        images.append(not_faces(pairs))
    if any(isinstance(module, _BatchNorm) for module in discriminator.modules()):
        of_class = [discriminator(some) for some in images]  # each normalised by itself, as fakes are in U's half
    else:
        # One pass over reals and fakes: without batch normalisation it equals two.
        of_class = list(discriminator(torch.cat(images)).chunk(len(images)))
    real, fake = (real_logits(logits) for logits in of_class[:2])
    accuracies = {
        "gan/accuracy_real": (real > 0).float().mean(),
        "gan/accuracy_fake": (fake < 0).float().mean(),
    }
    return multi_class_loss(of_class) if len(of_class) > 2 else discriminator_loss(real, fake), accuracies


def generator_half(
    objective: Objective,
    discriminator: nn.Module | None,
    output: Upscaled,
    pairs: Pairs,
    epoch: int,
    kernel_std: float = 3.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """U's half of a step: LT of Eq. 7.6 through a fixed D.

    Args:
        objective: LT.
        discriminator: the updated D, whose weights take no gradients; None without the adversarial term.
        output: the generator's output, with its graph.
        pairs: the batch of that output.
        epoch: epoch from 0, for the weights that decay.
        kernel_std: of the heatmaps' targets in pixels of the HR image, for `loss.frame=own`.

    Returns:
        LT, a scalar, and its terms before their weights.
    """
    pairs = _in_chosen_frame(objective, output, pairs, kernel_std)
    fake_logits = None if discriminator is None else real_logits(discriminator(output.image))
    total, terms = objective(output, pairs, fake_logits, epoch)
    return total, terms


def alignment_half(objective: Objective, matrix: Tensor, pairs: Pairs) -> tuple[Tensor, dict[str, Tensor]]:
    """The whole step while the STN learns alone, from its transform (B, 2, 3); D and the rest of U wait.

    Returns:
        The weighted alignment term, a scalar, and the term before its weight by its name.
    """
    loss = objective.alignment(matrix, pairs)
    return objective.config.alignment * loss, {"alignment": loss}


def aligned_lr_half(
    objective: Objective, output: Upscaled, pairs: Pairs, kernel_std: float = 3.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """The whole step while a part of U learns to give the upright, clean LR face; D and the rest of U wait.

    Args:
        objective: says in which frame the targets lie.
        output: with an image of the LR face's size.
        pairs: the batch of that output.
        kernel_std: as in `generator_half`.

    Returns:
        The pixel loss of the LR face, a scalar, twice: as the total and by its name.
    """
    pairs = _in_chosen_frame(objective, output, pairs, kernel_std)
    loss = pixel_loss(output.image, downsample(pairs.hr, output.image.shape[-1]))
    return loss, {"aligned_lr": loss}


def stage_half(
    half: Half,
    objective: Objective,
    discriminator: nn.Module | None,
    output: Upscaled | Tensor,
    pairs: Pairs,
    epoch: int,
    kernel_std: float = 3.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """U's half of a step by the loss of the run's stage; the arguments are those of `generator_half`.

    Returns:
        The loss, a scalar, and its terms before their weights.
    """
    if half == "alignment":
        assert isinstance(output, Tensor)
        return alignment_half(objective, output, pairs)
    assert isinstance(output, Upscaled)
    if half == "aligned_lr":
        return aligned_lr_half(objective, output, pairs, kernel_std)
    return generator_half(objective, discriminator, output, pairs, epoch, kernel_std)


def _in_chosen_frame(objective: Objective, output: Upscaled, pairs: Pairs, kernel_std: float) -> Pairs:
    """The pairs with their targets in the frame that `loss.frame` names."""
    if objective.config.frame == "own" and output.matrix is not None and pairs.surroundings is not None:
        return in_own_frame(pairs, output.matrix, kernel_std)
    return pairs


def gradient_norm(network: nn.Module) -> Tensor:
    """The Euclidean norm of all gradients of a network, a scalar on its device."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if gradients:
        return torch.nn.utils.get_total_norm(gradients)
    return torch.zeros((), device=next(network.parameters()).device)


def group_size(batch: int, batches: int, accumulate: int) -> int:
    """The number of batches from this one to the end of its group, which the end of the epoch may cut short.

    Args:
        batch: index of this batch in its epoch, from 0.
        batches: batches per epoch.
        accumulate: batches per full group.
    """
    return max(1, min(accumulate - batch % accumulate, batches - batch))


def updates_done(batches: int, of_epoch: int, accumulate: int) -> int:
    """Updates of each network in the first `batches` of a run, skipped ones included.

    Args:
        batches: batches done so far, over all epochs.
        of_epoch: batches per epoch; its last group may be incomplete.
        accumulate: batches per full group.
    """
    if accumulate == 1:
        return batches
    epochs, rest = divmod(batches, of_epoch)
    return epochs * -(-of_epoch // accumulate) + rest // accumulate


class Statistics:
    """Copies the buffers of a network, such as the running statistics of batch normalisation, and restores them.

    A non-finite batch would leave NaN in a running mean for good: no later batch removes it.

    Args:
        network: the network, already on its device.
    """

    def __init__(self, network: nn.Module) -> None:
        buffers = list(network.buffers())
        self._kinds = [
            [buffer for buffer in buffers if buffer.dtype == kind]
            for kind in dict.fromkeys(buffer.dtype for buffer in buffers)
        ]
        self._copies = [[buffer.clone() for buffer in kind] for kind in self._kinds]

    def keep(self) -> None:
        """Copy the buffers."""
        self._move(self._copies, self._kinds)

    def put_back(self) -> None:
        """Restore the buffers of the last `keep`."""
        self._move(self._kinds, self._copies)

    @torch.no_grad()
    def _move(self, to: list[list[Tensor]], source: list[list[Tensor]]) -> None:
        for targets, values in zip(to, source, strict=True):
            torch._foreach_copy_(targets, values)  # one launch per dtype; a loop would take hundreds
