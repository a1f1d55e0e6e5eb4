"""Batch normalisation over the batches of all processes on CPUs; torch's own layer for that needs GPUs."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Mean(torch.autograd.Function):
    """The mean of a tensor over the processes; its gradient is the mean of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004 - torch passes it
        mean = values.detach().contiguous() / dist.get_world_size()
        dist.all_reduce(mean)
        return mean

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        mean = gradient.contiguous() / dist.get_world_size()
        dist.all_reduce(mean)
        return mean


class SyncBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` with the mean and variance over all processes, whose batches must have the same size.

    In evaluation, or with one process, it acts as `BatchNorm2d`; the state dict is the same.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same, every channel normalised over the B faces of all processes."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(features)
        shape = (1, -1, 1, 1)
        full = features.float()
        mean: Tensor = _Mean.apply(full.mean((0, 2, 3)))
        # The second moment around the common mean: a difference of squares would lose digits.
        centred = full - mean.view(shape)
        variance: Tensor = _Mean.apply(centred.square().mean((0, 2, 3)))
        if self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            count = full.numel() // full.shape[1] * dist.get_world_size()
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        out = centred * (self.weight * torch.rsqrt(variance + self.eps)).view(shape) + self.bias.view(shape)
        return out.to(features.dtype)


def synchronise(network: nn.Module, on: bool = True) -> None:
    """Let every `BatchNorm2d` of a network normalise over all processes, or no longer; its tensors stay the same."""
    before, after = (nn.BatchNorm2d, SyncBatchNorm2d) if on else (SyncBatchNorm2d, nn.BatchNorm2d)
    for module in network.modules():
        if type(module) is before:
            module.__class__ = after
