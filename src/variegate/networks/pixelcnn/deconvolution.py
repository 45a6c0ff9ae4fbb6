"""From a vector to maps of an image's size: s = m(h) of the conditional PixelCNN (NIPS 2016, eq. 5)."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log2

from torch import Tensor, nn
from torch.nn import functional as F

from ...core.interfaces import Size


class Deconvolution(nn.Module):
    """(B, K, 1, 1) to (B, maps, H, W): a small map of about 4 pixels, doubled with a ReLU in between until it fits.

    The paper says only "a deconvolutional network"; these layers are ours.
    """

    def __init__(self, inputs: int, maps: int, size: Size) -> None:
        super().__init__()
        doublings = max(0, ceil(log2(min(size) / 4)))
        start = [-(-side // 2**doublings) for side in size]
        widths = [maps * 2 ** min(2, doublings - k) for k in range(doublings + 1)]
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, widths[0], (start[0], start[1]))]
        for before, after in pairwise(widths):
            layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        self.layers, self.size = nn.Sequential(*layers), size

    def forward(self, vector: Tensor, size: Size) -> Tensor:
        """Maps at the size it was built for, resized if another is requested."""
        maps: Tensor = self.layers(vector)[..., : self.size[0], : self.size[1]]
        return maps if size == self.size else F.interpolate(maps, size, mode="bilinear")
