"""The arithmetic of an update: gradients' norm, groups of batches, batch statistics that can be put back."""

import torch
from torch import Tensor, nn


def gradient_norm(network: nn.Module) -> Tensor:
    """The Euclidean norm of all gradients of a network, a scalar on its device."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if gradients:
        return torch.nn.utils.get_total_norm(gradients)
    return torch.zeros((), device=next(network.parameters()).device)


def group_size(batch: int, batches: int, accumulate: int) -> int:
    """How many batches from this one on make one update: the rest of its group, which the epoch's end cuts short.

    Args:
        batch: index in its epoch of the first one.
        batches: of an epoch.
        accumulate: batches to a whole group.
    """
    return max(1, min(accumulate - batch % accumulate, batches - batch))


def updates_done(batches: int, of_epoch: int, accumulate: int) -> int:
    """Updates of either network in the first `batches` of a run.

    Args:
        batches: done so far, over all epochs.
        of_epoch: batches of an epoch; its last group may be incomplete.
        accumulate: batches to a whole group.
    """
    if accumulate == 1:
        return batches
    epochs, rest = divmod(batches, of_epoch)
    return epochs * -(-of_epoch // accumulate) + rest // accumulate


class Statistics:
    """The buffers of a network, its batch normalisation's running statistics among them, to be put back.

    A batch that is not finite leaves NaN in them for good: no later batch heals a running mean.

    Args:
        network: on its device already.
    """

    def __init__(self, network: nn.Module) -> None:
        buffers = list(network.buffers())
        self._kinds = [
            [buffer for buffer in buffers if buffer.dtype == kind]
            for kind in dict.fromkeys(buffer.dtype for buffer in buffers)
        ]
        self._copies = [[buffer.clone() for buffer in kind] for kind in self._kinds]

    def keep(self) -> None:
        """Take note of them as they are."""
        self._move(self._copies, self._kinds)

    def put_back(self) -> None:
        """Make them what they were at the last `keep`."""
        self._move(self._kinds, self._copies)

    @torch.no_grad()
    def _move(self, to: list[list[Tensor]], source: list[list[Tensor]]) -> None:
        for targets, values in zip(to, source, strict=True):
            torch._foreach_copy_(targets, values)  # a launch a kind, where a loop would take hundreds
