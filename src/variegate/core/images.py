"""Images as tensors: value ranges, contact sheets, heat maps. Ranges are converted only here.

uint8           0 .. 255    files
network         -1 .. 1     what networks read and generate
unit            0 .. 1      what users get
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

HEAT = ((13, 8, 42), (84, 15, 109), (187, 55, 84), (249, 142, 9), (252, 250, 176))  # dark to bright, even steps


def to_float(images: Tensor) -> Tensor:
    """0..255 to [-1, 1], any shape; float32 unless already floating-point."""
    return (images if images.is_floating_point() else images.float()) / 127.5 - 1


def to_unit(images: Tensor) -> Tensor:
    """[-1, 1] to [0, 1], any shape."""
    return (images + 1) / 2


def uint8_to_unit(images: Tensor) -> Tensor:
    """0..255 to [0, 1], any shape."""
    return images.float() / 255


def unit_to_uint8(images: Tensor) -> Tensor:
    """[0, 1] to 0..255, any shape."""
    return (images * 255).round().to(torch.uint8)


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] to 0..255, any shape."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def enlarge(blocks: Tensor, factor: int) -> Tensor:
    """The bicubic enlargement (B, C, H, W) of a low resolution whose pixels are repeated factor x factor."""
    return F.interpolate(blocks[..., ::factor, ::factor], scale_factor=factor, mode="bicubic")


def with_known(x: Tensor, condition: Tensor) -> Tensor:
    """x (B, C, H, W) inside holes, where the last channel of a condition is above 0; around them its first channels."""
    return torch.where(condition[:, -1:] > 0, x, condition[:, : x.shape[1]].to(x.dtype))


def is_constant(planes: Tensor) -> bool:
    """Whether planes (..., H, W) are a view of one pixel, which takes no memory, or are one pixel."""
    return planes.stride()[-2:] == (0, 0) or planes.shape[-2:] == (1, 1)


def to_pil(image: Tensor) -> Image.Image:
    """uint8 (3, H, W) or (1, H, W)."""
    array = image.cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def sheet(rows: Sequence[Sequence[Tensor]], gap: int = 2, background: int = 255) -> Tensor:
    """A contact sheet: rows of equally large uint8 images (3, H, W) become one image."""
    height, width = rows[0][0].shape[-2:]
    columns = max(len(row) for row in rows)
    page = torch.full(
        (3, len(rows) * (height + gap) - gap, columns * (width + gap) - gap), background, dtype=torch.uint8
    )
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            page[:, top : top + height, left : left + width] = image.expand(3, -1, -1)
    return page


def titled(page: Tensor, titles: Sequence[str], width: int) -> Tensor:
    """A sheet uint8 (3, H, W) below a title of up to two lines for each of its columns, which are `width` apart."""
    head = Image.new("RGB", (page.shape[-1], 30), "white")
    pen, letters = ImageDraw.Draw(head), ImageFont.load_default(11)
    for i, title in enumerate(titles):
        pen.multiline_text((i * width + 1, 27), title, "black", letters, "ld", 2)
    return torch.cat([torch.from_numpy(np.array(head)).permute(2, 0, 1), page], dim=1)


def heat(values: Tensor, top: float) -> Tensor:
    """Non-negative values (H, W) as colours from dark (0) to bright (`top`): uint8 (3, H, W)."""
    colours = torch.tensor(HEAT, dtype=torch.float32)
    place = (values / max(top, 1e-6)).clamp(max=1) * (len(HEAT) - 1)
    below = place.floor().long().clamp(0, len(HEAT) - 2)
    share = (place - below).unsqueeze(-1)
    mixed = colours[below] * (1 - share) + colours[below + 1] * share
    return mixed.round().to(torch.uint8).permute(2, 0, 1).contiguous()


def heat_scale(top: float, size: tuple[int, int] = (36, 160)) -> Tensor:
    """The colours of `heat` from 0 to `top`, with both numbers below: uint8 (3, H, W)."""
    height, width = size
    bar = heat(torch.linspace(0, 1, width).expand(height // 2, -1), 1)
    page = Image.new("RGB", (width, height), "white")
    page.paste(to_pil(bar))
    pen, letters = ImageDraw.Draw(page), ImageFont.load_default(11)
    pen.text((2, height), "0", "black", letters, "ld")
    pen.text((width - 2, height), f"{top:.3g}", "black", letters, "rd")
    return torch.from_numpy(np.array(page)).permute(2, 0, 1).contiguous()
