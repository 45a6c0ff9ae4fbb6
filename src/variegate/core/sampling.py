"""Seeds to codes to images, in chunks, and contact sheets of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from .errors import ConfigError
from .interfaces import Generator, HasMoments

HEAT = ((13, 8, 42), (84, 15, 109), (187, 55, 84), (249, 142, 9), (252, 250, 176))  # dark to bright, even steps


@torch.no_grad()
def decode_in_chunks(generator: Generator, condition: Tensor, codes: Tensor, chunk: int = 16) -> Tensor:
    """Encode each condition once, then decode `chunk` codes at a time.

    condition (B, K, H, W), codes (B, S, D) or (S, D) for the same codes on every condition -> (B, S, C, H, W) on the
    CPU, in [-1, 1].

    Raises:
        ConfigError: `chunk` is none.
    """
    if chunk < 1:
        raise ConfigError(f"chunk = {chunk}: no image is decoded at a time; give 1 or more")
    if codes.ndim == 2:
        codes = codes.expand(len(condition), -1, -1)
    images = []
    for row, row_codes in zip(condition.split(1), codes):
        features = generator.encode(row)
        parts = [generator.decode_all(features, part[None].to(condition.device))[0] for part in row_codes.split(chunk)]
        images.append(torch.cat(parts).clamp(-1, 1).float().cpu())
    return torch.stack(images)


class Moments(NamedTuple):
    """What is known of p(image | condition) pixel by pixel, in units of [0, 1]."""

    mean: Tensor  # (C, H, W); the median where a Laplace predictor says so
    deviation: Tensor  # (H, W): standard deviation, root of the mean square over colours

    def save(self, folder: str | Path, name: str = "", top: float | None = None) -> None:
        """Write `NAMEmean.png` and `NAMEdeviation.png`, a heat map up to `top` (its largest value unless given)."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        to_pil(to_uint8(self.mean * 2 - 1)).save(Path(folder) / f"{name}mean.png")
        shown = heat(self.deviation, float(self.deviation.max()) if top is None else top)
        to_pil(shown).save(Path(folder) / f"{name}deviation.png")


@torch.no_grad()
def image_moments(generator: Generator, condition: Tensor, codes: Tensor) -> Moments:
    """Of one condition (1, K, H, W): as a predictor says, or else those of the images of codes (n, D)."""
    if isinstance(generator, HasMoments):
        mean, deviation = generator.moments(condition)[0][0].clamp(-1, 1).cpu(), generator.deviation(condition)[0].cpu()
    else:
        deviation, mean = torch.std_mean(decode_in_chunks(generator, condition, codes)[0], dim=0)
    return Moments((mean + 1) / 2, deviation.square().mean(dim=0).sqrt() / 2)


def adjacent_difference(images: Tensor) -> Tensor:
    """Mean absolute difference of each image from the one before: (T, C, H, W) to (T - 1,), in the images' units."""
    return (images[1:].float() - images[:-1].float()).abs().flatten(1).mean(dim=1)


def changed_share(layouts: Tensor) -> Tensor:
    """Share of pixels whose class is not that of the layout before: (T, c, H, W), ids first, to (T - 1,) in [0, 1]."""
    return (layouts[1:, 0] != layouts[:-1, 0]).float().flatten(1).mean(dim=1)


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] to 0..255, any shape."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_pil(image: Tensor) -> Image.Image:
    """uint8 (3, H, W) or (1, H, W)."""
    array = image.cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def sheet(rows: Sequence[Sequence[Tensor]], gap: int = 2, background: int = 255) -> Tensor:
    """A contact sheet: rows of uint8 pictures (3, H, W) of one size become one picture."""
    height, width = rows[0][0].shape[-2:]
    columns = max(len(row) for row in rows)
    page = torch.full(
        (3, len(rows) * (height + gap) - gap, columns * (width + gap) - gap), background, dtype=torch.uint8
    )
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            page[:, top : top + height, left : left + width] = picture.expand(3, -1, -1)
    return page


def heat(values: Tensor, top: float) -> Tensor:
    """(H, W) of values from 0 as colours from dark (0) to bright (`top`): uint8 (3, H, W)."""
    colours = torch.tensor(HEAT, dtype=torch.float32)
    place = (values / max(top, 1e-6)).clamp(max=1) * (len(HEAT) - 1)
    below = place.floor().long().clamp(0, len(HEAT) - 2)
    share = (place - below).unsqueeze(-1)
    mixed = colours[below] * (1 - share) + colours[below + 1] * share
    return mixed.round().to(torch.uint8).permute(2, 0, 1).contiguous()
