"""Images that are computed in overlapping windows, so that memory depends on the window and not on the image.

`tile_plan` says how an image is cut; moments of the whole image, by which networks normalise, are found first.
"""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor

from ..core import tiles
from ..core.chunks import CHUNK, SMALL, Peak, at_once
from ..core.errors import ConfigError
from ..core.interfaces import Size
from ..core.sampling import decode_in_chunks
from ..core.tiles import Tile
from ..core.windows import AsWhole, Book, UnknownMoments
from ..data.conditions.landmarks import Landmarks
from ..generators.flow import Flow
from ..generators.flow_tiles import FlowInTiles
from ..generators.moment_predictor import MomentPredictor
from ..generators.plugged import Plugged
from ..generators.staged import Staged
from .tile_plan import Plan, plan_for, shifted

if TYPE_CHECKING:
    from .generator import LoadedGenerator


class Drawing(TypedDict, total=False):
    """Rarely used options of sampling."""

    first: int  # image i has the code of (seed, first + i); default: 0
    chunk: int | None  # images decoded at a time; default: as many as fit into memory, at most 16
    tile: int | None  # side of the windows that large images are computed in; default: none, all at once
    overlap: int | None  # pixels that neighbouring windows share; default: as many as the network needs


def draw(model: LoadedGenerator, raw: Tensor, codes: Tensor, drawing: Drawing) -> Tensor:
    """Images (n, C, H, W) in [0, 1] of one raw condition (c, H, W), in windows if `drawing` has a `tile`.

    Raises:
        ConfigError: the network cannot be cut into windows, or not into these.
    """
    tile, overlap, chunk = drawing.get("tile"), drawing.get("overlap"), drawing.get("chunk")
    if tile is None and overlap is not None:
        raise ConfigError(f"an overlap of {overlap} is one of tiles; give tile too, such as 256")
    if tile is None or max(raw.shape[-2:]) <= check_tile(tile, overlap):
        return model.decode(raw, codes, chunk)
    refuse(model)
    plan = plan_for(model, (raw.shape[-2], raw.shape[-1]), tile, overlap)
    with torch.no_grad(), model.autocast():
        if isinstance(model.generator, Flow):
            flow = FlowInTiles(model.generator, plan.windows)
            images = decode_in_chunks(flow, model.encode(raw), codes, chunk)[0]
        else:
            images = in_windows(model, raw, codes, plan, chunk or fitting(model, raw, codes, plan))
    return images.add_(1).div_(2)


def check_tile(tile: int, overlap: int | None) -> int:
    """Raise ConfigError unless these are a side and an overlap; returns the side."""
    if tile < 1:
        raise ConfigError(f"tile must be at least 1, got {tile}")
    if overlap is not None and not 0 <= overlap < tile:
        raise ConfigError(f"overlap must be 0 or more, and less than the tile of {tile}, got {overlap}")
    return tile


def refuse(model: LoadedGenerator) -> None:
    """Raise ConfigError if the generator cannot be run on a window, or what runs it cannot."""
    if not isinstance(model.generator, Staged | Flow | Plugged | MomentPredictor):
        raise ConfigError(f"this {model.name} model makes each image as a whole, not in tiles; omit tile")
    if "decode" in vars(model.generator):
        raise ConfigError("compiled networks cannot be run in tiles; give either compile or tile")


def in_windows(model: LoadedGenerator, raw: Tensor, codes: Tensor, plan: Plan, chunk: int) -> Tensor:
    """Images (n, C, H, W) in [-1, 1], on the CPU."""
    generator, size = model.generator, (raw.shape[-2], raw.shape[-1])
    parts = codes.split(chunk)
    books = [Book() for _ in range(1 + len(parts))]
    images = torch.empty(0)
    landmarks = model.condition.part(Landmarks)
    blurred = model.encode(raw) if landmarks is not None and landmarks.heat else None  # blobs reach across windows
    begun = True
    while begun or any([book.turn() for book in books]):
        begun = False
        for tile in plan.windows:
            cut = place_of(tile, size)
            try:
                with context(tile, plan, books[0]):
                    features = generator.encode(model.encode(raw[cut]) if blurred is None else blurred[cut])
            except UnknownMoments:
                continue
            moved = shifted(codes, plan.fields, tile)
            for i, (part, book) in enumerate(zip(moved.split(chunk), books[1:])):
                try:
                    with context(tile, plan, book):
                        made = generator.decode_all(features, part[None].to(model.device))[0]
                except UnknownMoments:
                    continue
                if not len(images):
                    images = torch.zeros(len(codes), made.shape[1], *size)
                tiles.add(images[i * chunk : i * chunk + len(part)], tile, made.clamp(-1, 1).float())
    if generator.agree is not None:
        condition = model.encode(raw)
        for image in images.split(1):
            image.copy_(generator.agree(condition, image.to(model.device)))
    return images


def fitting(model: LoadedGenerator, raw: Tensor, codes: Tensor, plan: Plan) -> int:
    """How many codes are decoded at a time in a window."""
    tile, cut = plan.windows[0], place_of(plan.windows[0], (raw.shape[-2], raw.shape[-1]))
    pixels = (tile.rows.end - tile.rows.start) * (tile.columns.end - tile.columns.start)
    if pixels <= SMALL or len(codes) == 1:
        return CHUNK
    with context(tile, plan, None):
        features = model.generator.encode(model.encode(raw[cut]))
        with Peak() as peak:
            model.generator.decode_all(features, codes[None, :1].to(model.device))
    return at_once(peak, model.generator, model.device)


def context(tile: Tile, plan: Plan, book: Book | None) -> AsWhole | torch.no_grad:
    """What a window is run in."""
    return AsWhole(tile, plan.whole, book) if plan.local else torch.no_grad()


def place_of(tile: Tile, size: Size) -> tuple[EllipsisType, slice, slice]:
    """The index of a window in tensors (..., H, W)."""
    rows, columns = (slice(span.start, min(span.end, side)) for span, side in zip(tile, size))
    return (..., rows, columns)
