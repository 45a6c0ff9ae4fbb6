"""GLCIC's discriminator (Iizuka et al. 2017) as MR-GAN uses it (Lee, Ha, Kim, ICLR 2019): one verdict per image.

It sees the whole image and, separately, a box around the hole; of the condition it uses only the hole's location.
"""

from __future__ import annotations

from math import ceil, log2

import torch
from torch import Tensor, nn

from ...core.interfaces import Size
from .patch import Judgement


class Branch(nn.Module):
    """Strided 5x5 convolutions until the shorter side is 2 (or 1), then a fully connected layer without activation.

    Args:
        size: H, W of its input; the fully connected layer accepts no other.
    """

    def __init__(self, image_channels: int, size: Size, width: int, features: int) -> None:
        super().__init__()
        layers = max(1, ceil(log2(min(size))) - 1)
        self.blocks = nn.ModuleList()
        channels = image_channels
        for k in range(layers):
            outputs = width * min(2**k, 8)
            conv = nn.Conv2d(channels, outputs, 5, stride=2, padding=2)
            self.blocks.append(nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU()))
            channels = outputs
        height, across = (-(-side // 2**layers) for side in size)  # every layer halves and rounds up
        self.linear = nn.Linear(channels * height * across, features)

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps of every convolution of x (B, C, H, W), then the features (B, F)."""
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return [*outputs, self.linear(x.flatten(1))]


class GlobalLocal(nn.Module):
    """A branch for the image, one for the box around its hole, and a layer that joins them.

    Weights have PyTorch's default initialisation, as in MR-GAN's code.

    Args:
        size: H, W of the images; it accepts no other. The box has half the height and width.
    """

    def __init__(self, image_channels: int, size: Size, width: int = 64) -> None:
        super().__init__()
        self.box = box_of(size)
        features = 16 * width
        self.whole = Branch(image_channels, size, width, features)
        self.local = Branch(image_channels, self.box, width, features)
        self.verdict = nn.Linear(2 * features, 1)

    def forward(self, condition: Tensor, image: Tensor) -> Judgement:
        """The maps of both branches for images (B, C, H, W) in [-1, 1], then the logits (B, 1, 1, 1).

        Args:
            condition: its last channel is the mask, 1 inside the hole and -1 outside; the rest is ignored.
        """
        *whole, far = self.whole(image)
        *local, near = self.local(crop(image, *corner(condition[:, -1], self.box), self.box))
        logits = self.verdict(torch.cat([far, near], dim=1))
        return [[*whole, *local, logits[..., None, None]]]


class Local(nn.Module):
    """The local half alone: a branch for the box around the hole, whose only feature is the logit.

    Outside the hole, real and generated images are the same; this sees less of that than `GlobalLocal`.

    Args:
        size: H, W of the images; it accepts no other. The box has half the height and width; of a larger hole, it sees
            the middle.
    """

    def __init__(self, image_channels: int, size: Size, width: int = 64) -> None:
        super().__init__()
        self.box = box_of(size)
        self.local = Branch(image_channels, self.box, width, features=1)

    def forward(self, condition: Tensor, image: Tensor) -> Judgement:
        """The branch's maps for images (B, C, H, W) in [-1, 1], then the logits (B, 1, 1, 1).

        Args:
            condition: its last channel is the mask, 1 inside the hole and -1 outside; the rest is ignored.
        """
        *maps, logits = self.local(crop(image, *corner(condition[:, -1], self.box), self.box))
        return [[*maps, logits[..., None, None]]]


def box_of(size: Size) -> Size:
    """Half of the height and width, at least one pixel."""
    return max(1, size[0] // 2), max(1, size[1] // 2)


def corner(mask: Tensor, box: Size) -> tuple[Tensor, Tensor]:
    """First row and column, each (B,), of boxes inside the images, centred on their holes where possible.

    A hole no larger than the box lies entirely inside it. Without a hole the box is in the middle.

    Args:
        mask: (B, H, W), positive inside the hole.
    """
    inside = mask > 0
    return first_of(inside.any(dim=2), box[0]), first_of(inside.any(dim=1), box[1])


def first_of(inside: Tensor, length: int) -> Tensor:
    """Start, along one axis, of an interval of that length centred on all that is inside: (B, N) bool to (B,)."""
    side = inside.shape[1]
    places = torch.arange(side, device=inside.device)
    start = torch.where(inside, places, side).amin(dim=1)
    end = torch.where(inside, places, -1).amax(dim=1) + 1
    return ((start + end - length) // 2).clamp(0, side - length)


def crop(image: Tensor, top: Tensor, left: Tensor, box: Size) -> Tensor:
    """Crop one box from each image (B, C, H, W): (B, C, h, w). Indices stay on the device, so the host never waits."""
    rows = top[:, None] + torch.arange(box[0], device=image.device)
    columns = left[:, None] + torch.arange(box[1], device=image.device)
    batch, channels, _, across = image.shape
    image = image.gather(2, rows[:, None, :, None].expand(batch, channels, -1, across))
    return image.gather(3, columns[:, None, None, :].expand(batch, channels, box[0], -1))
