"""Batch norm over the whole batch, of which every process has a share.

PyTorch's own synchronised batch norm needs a GPU; on other devices the same is computed here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.processes import gather, several


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose mean and variance in training are those of the images of all processes, equally many in each."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and several()):
            return super().forward(x)
        variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        means, variances = gather(torch.stack([mean, variance])).unbind(dim=1)  # (processes, C)
        mean = means.mean(dim=0)
        variance = variances.mean(dim=0) + (means - mean).square().mean(dim=0)
        self.remember(mean.detach(), variance.detach(), len(means) * x.numel() // x.shape[1])
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (x * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics, from those of `count` values in each channel."""
        if count < 2:
            raise ValueError("expected more than 1 value per channel when training")
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def share_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with batch norm over all processes; its parameters, buffers and their names stay."""
    if not several():
        return module
    if device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return shared
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = SharedBatchNorm
    return module


def has_batch_norm(module: nn.Module) -> bool:
    """Whether an output of the module in training depends on the other images of the batch."""
    return any(isinstance(part, _BatchNorm) for part in module.modules())
