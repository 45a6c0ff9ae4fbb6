"""The embedding network: strided convolutions, the mean over all positions, a vector of length 1."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.blocks import init_kaiming


def halving(in_channels: int, out_channels: int) -> nn.Sequential:
    """A convolution that halves the size, and another one."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class EmbeddingNetwork(nn.Module):
    """Images (B, 3, H, W) in [-1, 1] to vectors (B, length) of Euclidean length 1; H and W at least 16.

    Van den Oord et al. (2016) do not describe theirs; this is a small one that trains on a CPU in minutes.
    """

    def __init__(self, length: int = 128, width: int = 32) -> None:
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 4 * width]
        self.blocks = nn.Sequential(*map(halving, widths[:-1], widths[1:]))
        self.last = nn.Linear(widths[-1], length)
        init_kaiming(self)

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.last(self.blocks(images).mean(dim=(2, 3))), dim=1)
