"""Sampled convolution filters: their bases, and how few dimensions the filters of many codes span.

Wang, Cheng, Sapiro, Qiu (2019), section 4: filters of N codes as rows of a matrix F of N L L x C' C have a low
effective rank, so that a few bases suffice.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..core.errors import ConfigError
from ..model.model import Model
from ..randomness.basis_filters import BasisConv, SampledConv

STACKED = 100  # codes whose filters are stacked
SHOWN_CODES, SHOWN_BASES, SHOWN_SHARES = 6, 7, 16
CELL, GAP, CHART = 8, 4, 160  # pixels: a value of a basis, between tiles, the spectrum
INK, BAR, PAPER = (29, 28, 26), (47, 111, 143), (255, 255, 255)
NEGATIVE, POSITIVE = np.array([47, 111, 143.0]), np.array([168, 69, 44.0])


class Filters(NamedTuple):
    """The filters of one layer for several codes."""

    name: str
    bases: Tensor  # (S, K, L, L): bases, or the K strongest spatial patterns of whole filters
    shares: Tensor  # of the squared singular values of F, largest first, sum 1

    @property
    def rank(self) -> float:
        return effective_rank(self.shares)


@torch.no_grad()
def sampled_filters(model: Model, seed: int = 0) -> list[Filters]:
    """The sampled filters of every layer.

    Raises:
        ConfigError: the model has none.
    """
    layers = {name: layer for name, layer in model.generator.named_modules() if isinstance(layer, SampledConv)}
    if not layers:
        raise ConfigError(f"this {model.name} model has no sampled filters; give a run of basisgan or filtergan")
    codes = model.codes(STACKED, seed).to(next(model.generator.parameters()).device)
    return [
        Filters(name, patterns(layer, codes[:SHOWN_CODES]), spectrum(layer, codes)) for name, layer in layers.items()
    ]


def patterns(layer: SampledConv, codes: Tensor) -> Tensor:
    """What filters are composed of, for each code: (S, K, L, L)."""
    if isinstance(layer, BasisConv):
        return layer.psi(codes).unflatten(2, (layer.kernel, layer.kernel)).cpu()
    rows = layer.filters(codes).flatten(3).flatten(1, 2).transpose(1, 2)  # (S, L L, C' C)
    left, values, _ = torch.linalg.svd(rows, full_matrices=False)
    strongest = (left * values[:, None])[..., :SHOWN_BASES].transpose(1, 2)
    return strongest.unflatten(2, (layer.kernel, layer.kernel)).cpu()


def spectrum(layer: SampledConv, codes: Tensor) -> Tensor:
    """Shares of the squared singular values of F, the filters of all codes as (N L L, C' C)."""
    stack = layer.filters(codes).flatten(3).permute(0, 3, 1, 2).flatten(2).flatten(0, 1).double()
    gram = stack @ stack.T if len(stack) < stack.shape[1] else stack.T @ stack
    squares = torch.linalg.eigvalsh(gram).clamp(min=0).flip(0).cpu()
    return squares / squares.sum().clamp(min=1e-300)


def effective_rank(shares: Tensor) -> float:
    """Exp of the entropy of a spectrum's shares."""
    return float((-(shares * shares.clamp(min=1e-30).log()).sum()).exp())


def save_filters(found: list[Filters], folder: Path) -> None:
    """Write `filters.png` and `filters.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    page_of(found).save(folder / "filters.png")
    numbers = {one.name: {"effective_rank": round(one.rank, 3), "shares": one.shares[:64].tolist()} for one in found}
    (folder / "filters.json").write_text(json.dumps({"codes": STACKED, "layers": numbers}, indent=1))


def page_of(found: list[Filters]) -> Image.Image:
    """A band for each layer: its name and rank, a row of bases for each code, and the spectrum."""
    bands = [band_of(one) for one in found]
    page = Image.new("RGB", (max(band.width for band in bands), sum(band.height for band in bands)), PAPER)
    top = 0
    for band in bands:
        page.paste(band, (0, top))
        top += band.height
    return page


def band_of(one: Filters) -> Image.Image:
    codes, count, side = len(one.bases), min(SHOWN_BASES, one.bases.shape[1]), one.bases.shape[-1] * CELL
    letters = ImageFont.load_default(11)
    words = (one.name, f"effective rank {one.rank:.1f}", f"rows: bases of {codes} codes", "bars: shares of spectrum")
    names = 3 * GAP + max(round(letters.getlength(word)) for word in words)
    height, width = codes * (side + GAP) + 2 * GAP, names + count * (side + GAP) + 4 * GAP
    band = Image.new("RGB", (width + CHART, height), PAPER)
    pen = ImageDraw.Draw(band)
    pen.text((GAP, GAP), "\n".join(words), INK, letters)
    largest = float(one.bases.abs().amax().clamp(min=1e-12))
    for row, bases in enumerate(one.bases):
        for column, basis in enumerate(bases[:count]):
            tile = Image.fromarray(coloured(basis.numpy() / largest)).resize((side, side), Image.Resampling.NEAREST)
            band.paste(tile, (names + column * (side + GAP), GAP + row * (side + GAP)))
    foot, step = height - 2 * GAP, (CHART - 2 * GAP) // SHOWN_SHARES
    for i, share in enumerate(one.shares[:SHOWN_SHARES].tolist()):
        left = width + i * step
        pen.rectangle((left, foot - round(share * (foot - GAP)), left + step - 2, foot), fill=BAR)
    return band


def coloured(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [-1, 1] (H, W) as uint8 (H, W, 3): white at zero, blue below, red above."""
    strength = np.abs(values)[..., None]
    end = np.where(values[..., None] < 0, NEGATIVE, POSITIVE)
    found: NDArray[np.uint8] = (255 + strength * (end - 255)).round().astype(np.uint8)
    return found
