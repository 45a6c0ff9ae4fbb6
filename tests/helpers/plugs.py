"""Modules written without codes, plugged in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from variegate.core.interfaces import Shapes
from variegate.generators.plugged import Plugged
from variegate.randomness.basis_filters import BasisFilters, BasisFiltersConfig

SITES = ("classifier.cbr.0", "classifier.*_classifier")


class Hourglass(nn.Module):
    """Every kind of convolution there is, and dropout, in a module that knows nothing of codes."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, 8, 3, padding="same", dilation=2, padding_mode="reflect")
        self.down = nn.Conv2d(8, 12, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.wide = nn.Conv2d(12, 12, 3, padding=3, dilation=3)
        self.drop = nn.Dropout2d(0.5)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.up = nn.ConvTranspose2d(12, 6, 3, stride=2, padding=1, output_padding=1)
        self.outer = nn.Conv2d(6, 3, 1, padding="valid")

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.down(F.relu(self.inner(x)))))
        x = self.drop(x + self.depthwise(self.wide(x)))
        return torch.tanh(self.outer(F.relu(self.up(x))))


ALL = ("inner", "down", "wide", "up", "outer")


def sampled(sites: tuple[str, ...], shared: bool = False) -> BasisFilters:
    return BasisFiltersConfig(sites=sites, bases=3, latent=6, hidden=16, shared=shared).build(Shapes(3, 3, (64, 64)))


def plugged(name: str) -> Plugged:
    torch.manual_seed(1)
    if name == "hourglass":
        return having_seen_data(Plugged(Hourglass(), sampled(ALL), stride=2))
    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
    return having_seen_data(Plugged(network, sampled(SITES), stride=16, tanh=True))


def having_seen_data(generator: Plugged, channels: int = 3) -> Plugged:
    """In eval mode, with running statistics of a batch: at their start they would shrink every signal."""
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    images(generator.train(), torch.randn(2, channels, 64, 64), codes(generator, 2, seed=99))
    for norm in norms:
        norm.momentum = 0.1
    return generator.eval()


def conditions(count: int, height: int = 64, width: int = 64) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(7))


def codes(generator: Plugged, count: int, seed: int = 0) -> Tensor:
    return generator.draw([(seed, i) for i in range(count)])


def images(generator: Plugged, condition: Tensor, code: Tensor) -> Tensor:
    """(B, K, H, W) with codes (S, D) for each: (B, S, C, H, W)."""
    with torch.no_grad():
        return generator(condition, code.expand(len(condition), -1, -1))
