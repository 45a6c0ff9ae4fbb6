"""The generators of the pix2pix and BicycleGAN repositories, small: written from their published descriptions, with the
tensor names of the public ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 2


def normalisation(kind: str, channels: int) -> list[nn.Module]:
    """pix2pix has a stand-in where there is no normalisation, BicycleGAN has nothing."""
    if kind == "legacy":
        return [nn.InstanceNorm2d(channels, affine=False, track_running_stats=True)]
    made = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "identity": lambda _: nn.Identity()}
    return [made[kind](channels)] if kind in made else []


class Level(nn.Module):
    """One level of pix2pix's U-Net, `model` in file names: down, everything below, up.

    `bicycle` has a bias everywhere and joins its result before its input, not after.
    """

    def __init__(
        self, k: int, depth: int, inputs: int, images: int, norm: str, bicycle: bool = False, dropout: bool = False
    ) -> None:
        super().__init__()
        self.outermost, self.bicycle = k == 1, bicycle
        below, out = width_of(k), images if k == 1 else width_of(k - 1)
        bias = bicycle or norm in ("instance", "legacy")
        entries: list[nn.Module] = [] if k == 1 else [nn.LeakyReLU(0.2)]
        entries.append(nn.Conv2d(inputs, below, 4, 2, 1, bias=bias))
        if k < depth:
            entries += normalisation(norm, below) if k > 1 else []
            entries.append(Level(k + 1, depth, below, images, norm, bicycle, dropout))
        joined = below if k == depth else 2 * below
        entries += [nn.ReLU(), nn.ConvTranspose2d(joined, out, 4, 2, 1, bias=bias or k == 1)]
        entries += [nn.Tanh()] if k == 1 else normalisation(norm, out)
        if dropout and 5 <= k < depth:
            entries.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*entries)

    def forward(self, x: Tensor) -> Tensor:
        out = self.model(x)
        if self.outermost:
            return out
        return torch.cat([out, x] if self.bicycle else [x, out], dim=1)


def width_of(k: int) -> int:
    return WIDTH * min(2 ** (k - 1), 8)


class PublicUNet(nn.Module):
    """`code` more input channels make it BicycleGAN's G_Unet_add_input."""

    def __init__(
        self, depth: int, norm: str = "batch", channels: int = 3, code: int | None = None, dropout: bool = False
    ) -> None:
        super().__init__()
        bicycle = code is not None
        self.model = Level(1, depth, channels + (code or 0), 3, norm, bicycle, dropout)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        return self.model(x if code is None else joined_with(x, code))


def joined_with(x: Tensor, code: Tensor) -> Tensor:
    return torch.cat([x, code[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)


class CodedLevel(nn.Module):
    """One level of G_Unet_add_all: the code is joined before the activation."""

    def __init__(self, k: int, depth: int, inputs: int, code: int, norm: str) -> None:
        super().__init__()
        self.k = k
        below, out = width_of(k), 3 if k == 1 else width_of(k - 1)
        conv = nn.Conv2d(inputs + code, below, 4, 2, 1)
        self.down = nn.Sequential(conv) if k == 1 else nn.Sequential(nn.LeakyReLU(0.2), conv)
        if 1 < k < depth:
            self.down.extend(normalisation(norm, below))
        self.submodule = CodedLevel(k + 1, depth, below, code, norm) if k < depth else None
        self.up = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(below * (1 + (k < depth)), out, 4, 2, 1))
        self.up.extend([nn.Tanh()] if k == 1 else normalisation(norm, out))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        inner = self.down(joined_with(x, code))
        if self.submodule is not None:
            inner = self.submodule(inner, code)
        return self.up(inner) if self.k == 1 else torch.cat([self.up(inner), x], dim=1)


class PublicAddAll(nn.Module):
    def __init__(self, depth: int, channels: int = 3, code: int = 8, norm: str = "instance") -> None:
        super().__init__()
        self.model = CodedLevel(1, depth, channels, code, norm)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return self.model(x, code)


class PublicBlock(nn.Module):
    def __init__(self, channels: int, norm: str, bias: bool, dropout: bool, zeros: bool) -> None:
        super().__init__()
        half = [] if zeros else [nn.ReflectionPad2d(1)]
        first, second = (nn.Conv2d(channels, channels, 3, padding=int(zeros), bias=bias) for _ in range(2))
        entries = [*half, first, *normalisation(norm, channels), nn.ReLU(), *([nn.Dropout(0.5)] if dropout else [])]
        self.conv_block = nn.Sequential(*entries, *half, second, *normalisation(norm, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class PublicResNet(nn.Module):
    def __init__(
        self,
        blocks: int,
        norm: str = "batch",
        channels: int = 3,
        dropout: bool = False,
        zeros: bool = False,
        resizing: bool = False,
    ) -> None:
        super().__init__()
        w, bias = WIDTH, norm in ("instance", "legacy")
        entries = [nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7, bias=bias), *normalisation(norm, w), nn.ReLU()]
        for c in (w, 2 * w):
            entries += [nn.Conv2d(c, 2 * c, 3, 2, 1, bias=bias), *normalisation(norm, 2 * c), nn.ReLU()]
        entries += [PublicBlock(4 * w, norm, bias, dropout, zeros) for _ in range(blocks)]
        for c in (4 * w, 2 * w):
            if resizing:
                entries += [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(c, c // 2, 3)]
            else:
                entries += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1, bias=bias)]
            entries += [*normalisation(norm, c // 2), nn.ReLU()]
        self.model = nn.Sequential(*entries, nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)
