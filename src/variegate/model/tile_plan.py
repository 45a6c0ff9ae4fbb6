"""How an image is cut into windows that a network computes one by one.

Where a pixel depends only on those around it, as far as the network reaches, windows that overlap by twice the reach
give the image that the whole network gives. Normalisation by the whole image does not stand in the way, nor do codes
that are fields over the image. Tiles of networks that see the whole image at once are blended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import lcm
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ..core import tiles
from ..core.errors import ConfigError
from ..core.interfaces import Generator, Size
from ..core.tiles import Span, Tile
from ..core.windows import AsWhole
from ..generators.flow import Flow
from ..generators.moment_predictor import MomentPredictor
from ..randomness.element_dropout import ElementDropoutLayer
from ..randomness.noise_input import NoiseInput
from ..randomness.noise_maps import NoiseMapLayer

if TYPE_CHECKING:
    from .generator import LoadedGenerator

logger = logging.getLogger(__name__)

MOST = 0.75  # share of a tile that overlaps by default at most
LONGEST = 2048  # strip on which the reach is sought
COSTLY = 4.0  # times that every pixel is computed


class Field(NamedTuple):
    """A part of the code that is a field over the image, repeated where the image is larger.

    Attributes:
        shape: (C, h, w).
        step: pixels of the image for each of its values.
    """

    part: slice
    shape: tuple[int, ...]
    step: int


class Plan(NamedTuple):
    """How an image is cut into windows.

    Attributes:
        whole: H, W that the network pads the image to.
        exact: the result is what the network gives without windows.
        local: pixels depend only on those around them, and on moments of the whole image.
    """

    windows: list[Tile]
    whole: Size
    exact: bool
    local: bool
    fields: list[Field]


def plan_for(model: LoadedGenerator, size: Size, tile: int, overlap: int | None) -> Plan:
    """Cut images of a size into windows.

    Raises:
        ConfigError: windows are too small for the network or the overlap.
    """
    generator, channels = model.generator, model.condition.channels
    network = generator.backbone if isinstance(generator, MomentPredictor) else generator
    stride = int(getattr(network, "stride", 1))
    flows = isinstance(generator, Flow)
    fields = [] if flows else list(fields_of(model))
    if not flows and tile not in model.reaches:
        model.reaches[tile] = reach_of(network, channels, tile)
    reach = model.reaches.get(tile)
    align = lcm(*(field.step for field in fields), stride if flows or reach is not None else 1)
    needed = None if reach is None else 2 * align * -(-reach // align)
    side, smallest = align * (tile // align), getattr(network, "smallest", 1)
    if overlap is None:
        overlap = needed if needed is not None and needed <= MOST * tile else tile // (4 if flows else 2)
    overlap = align * -(-overlap // align)
    if side - overlap < align or side - align < smallest:
        raise ConfigError(
            f"tiles of {tile} pixels are too small for this {model.name} model with an overlap of {overlap}; give "
            f"tile {max(overlap + align, smallest + align)} or more{', or less overlap' if overlap else ''}"
        )
    whole = padded(size, stride, smallest) if flows or reach is not None else size
    exact = needed is not None and overlap >= needed
    windows = tiles.tiles(whole, side, overlap, align, fades=not exact)
    tell(model.name, needed, overlap, side, tiles.passes(windows, size))
    return Plan(windows, whole, exact, reach is not None, fields)


def padded(size: Size, stride: int, smallest: int) -> Size:
    height, width = (max(smallest, -(-side // stride) * stride) for side in size)
    return height, width


def tell(name: str, needed: int | None, overlap: int, tile: int, passes: float) -> None:
    """Say whether images are those without tiles, and what they cost."""
    if needed is None:
        logger.warning(
            "this %s model sees more of the image at once than a tile of %d pixels; tiles are blended, and images "
            "differ from those without tiles",
            name,
            tile,
        )
    elif overlap < needed:
        logger.warning(
            "tiles that overlap by %d pixels differ from the image without tiles near their borders, and are blended; "
            "this %s model needs an overlap of %d for the same images",
            overlap,
            name,
            needed,
        )
    elif passes > COSTLY:
        logger.warning(
            "tiles of %d that overlap by %d compute every pixel %.1f times; a larger tile is faster, less overlap "
            "changes images",
            tile,
            overlap,
            passes,
        )


@torch.no_grad()
def reach_of(generator: Generator, channels: int, tile: int) -> int | None:
    """How many pixels away a pixel of the condition can change the image; None: too far to be told by a tile's pixels.

    NaN in one half of a strip spread exactly as far as the network reaches, whatever its weights are.
    """
    stride, smallest = int(getattr(generator, "stride", 1)), int(getattr(generator, "smallest", 1))
    narrow = padded((2 * stride, 2 * stride), stride, max(smallest, 16))[0]
    length = stride * (min(LONGEST, max(tile, tile**2 // narrow)) // stride)  # no more pixels than in a tile
    middle = stride * (length // stride // 2)
    if length < 4 * stride or not channels:
        return None
    parameter = next(generator.parameters())
    code = generator.draw([(0, 0)]).to(parameter.device)
    reached = 0
    for size in ((narrow, length), (length, narrow)):
        sides = Tile(Span(0, size[0], 0, size[0]), Span(0, size[1], 0, size[1]))
        for half in (slice(middle), slice(middle, None)):
            condition = torch.ones(1, channels, *size, device=parameter.device)
            (condition if size[1] == length else condition.mT)[..., half] = torch.nan
            with AsWhole(sides, size, None), torch.backends.cudnn.flags(enabled=False):
                image = generator.decode(generator.encode(condition), code)
            lost = image.isnan().any(dim=1)[0].any(dim=0 if size[1] == length else 1)
            if lost.all():
                return None
            places = lost.nonzero()
            reached = max(reached, int(places.max()) + 1 - middle if half.start is None else middle - int(places.min()))
    return reached


def fields_of(model: LoadedGenerator) -> Iterator[Field]:
    """The fields in the codes of a model, whose steps a run at the training size shows."""
    generator = model.generator
    if isinstance(generator, MomentPredictor):
        yield Field(slice(0, generator.code_size), generator.shape, 1)
        return
    randomness = generator.randomness
    if isinstance(randomness, NoiseInput) and randomness.mapping is None and randomness.shape[1:] != (1, 1):
        yield Field(slice(0, randomness.size), randomness.shape, 1)
    layers = [layer for layer in generator.modules() if isinstance(layer, NoiseMapLayer | ElementDropoutLayer)]
    found: dict[nn.Module, int] = {}

    def look(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        found[layer] = (out if isinstance(layer, ElementDropoutLayer) else given[0]).shape[-2]

    handles = [layer.register_forward_hook(look) for layer in layers]
    if layers:
        condition = torch.ones(1, model.condition.channels, *model.size, device=model.device)
        with torch.no_grad():
            features = generator.encode(condition)
            generator.decode(features, generator.draw([(0, 0)]).to(model.device))
        for layer in layers:
            yield Field(layer.part, layer.shape, features.condition.shape[-2] // found[layer])
    for handle in handles:
        handle.remove()


def shifted(codes: Tensor, fields: list[Field], tile: Tile) -> Tensor:
    """Codes (n, D) whose fields, repeated over a window, are those of the image in that window."""
    moved = codes.clone() if fields else codes
    for part, shape, step in fields:
        shifts = (-tile.rows.start // step, -tile.columns.start // step)
        moved[:, part] = codes[:, part].unflatten(1, shape).roll(shifts, dims=(2, 3)).flatten(1)
    return moved
