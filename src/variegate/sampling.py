"""Seeds to codes to images, in chunks, and contact sheets of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from .interfaces import Generator


@torch.no_grad()
def decode_in_chunks(generator: Generator, condition: Tensor, codes: Tensor, chunk: int = 16) -> Tensor:
    """Encode each condition once, then decode `chunk` codes at a time.

    condition (B, K, H, W), codes (B, S, D) or (S, D) for the same codes on every condition -> (B, S, C, H, W) on the
    CPU, in [-1, 1].
    """
    if codes.ndim == 2:
        codes = codes.expand(len(condition), -1, -1)
    images = []
    for row, row_codes in zip(condition.split(1), codes):
        features = generator.encode(row)
        parts = [
            generator.decode(features.repeat(len(part)), part.to(condition.device)) for part in row_codes.split(chunk)
        ]
        images.append(torch.cat(parts).clamp(-1, 1).float().cpu())
    return torch.stack(images)


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
