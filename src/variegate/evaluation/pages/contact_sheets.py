"""Contact sheets of a model: samples next to the ground truth, a path between two codes, one style on many layouts, and
where the samples of one condition differ. All are uint8 (3, H, W) with `GAP` white pixels between cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.codes import path as code_path
from ...core.images import heat, heat_scale, sheet, titled, unit_to_uint8
from ...core.interfaces import Size
from ...core.sampling import Moments
from ...data.dataset.pairs import Pairs
from ...model.model import Model

GAP = 2  # pixels between the cells of a sheet
LARGEST = 192  # pixels of the longer side of a cell; a page with ten columns has no room for more
NARROWEST = 80  # pixels, for a title above a cell
SCALE = 36  # height of the scale below heat maps


def sample(model: Model, pairs: Pairs, items: Sequence[int], codes: Tensor) -> Tensor:
    """Sample the conditions of several pairs with the same codes (S, D): uint8 (B, S, 3, H, W)."""
    images = [model.decode(pairs.raw(item)[0], codes) for item in items]
    return unit_to_uint8(torch.stack(images))


def samples_sheet(model: Model, pairs: Pairs, items: Sequence[int], images: Tensor) -> Tensor:
    """A row for each item: its condition, the real image, then its samples from images (B, S, 3, H, W)."""
    rows = []
    for item, row in zip(items, images):
        raw, truth = pairs.raw(item)
        rows.append([model.condition.to_image(raw), truth, *row])
    return page(rows)


def styles(model: Model, pairs: Pairs, items: Sequence[int], codes: Tensor) -> Tensor:
    """A row for each item, its condition first, and a column for each code: down a column only the layout changes."""
    images = sample(model, pairs, items, codes)
    return page([[model.condition.to_image(pairs.raw(item)[0]), *row] for item, row in zip(items, images)])


def condition_and_truth(model: Model, pairs: Pairs, item: int) -> Tensor:
    """One row: the condition of an item and its real image."""
    raw, truth = pairs.raw(item)
    return page([[model.condition.to_image(raw), truth]])


def interpolation(model: Model, pairs: Pairs, item: int, ends: tuple[int, int], frames: int = 9) -> Tensor:
    """One row: the path from code `ends[0]` of seed 0 to code `ends[1]`, ends included."""
    start, end = (model.codes(1, first=index)[0] for index in ends)
    way = code_path(start, end, frames, model.generator.prior)
    return page([list(unit_to_uint8(model.decode(pairs.raw(item)[0], way)))])


def moments_sheet(model: Model, pairs: Pairs, found: Sequence[tuple[int, Sequence[Moments]]], top: float) -> Tensor:
    """A row for each item: condition, real image, then a mean image and a heat map with maximum `top` per source."""
    rows = []
    for item, sources in found:
        raw, truth = pairs.raw(item)
        rows.append([model.condition.to_image(raw), truth, *moments_cells(sources, top)])
    return page(rows)


def moments_cells(sources: Sequence[Moments], top: float) -> list[Tensor]:
    """A mean image and a heat map with maximum `top` per source: uint8 (3 or 1, H, W)."""
    return [cell for one in sources for cell in (unit_to_uint8(one.mean), heat(one.deviation, top))]


class Ambiguity(NamedTuple):
    """What is known of the images of one condition, all of them (H, W).

    Attributes:
        condition: uint8 (3, H, W); None: there is none.
        real: uint8 (3 or 1, H, W), the image that belongs to it; None if unknown.
        moments: by whose they are, such as predicted and of samples.
        samples: each uint8 (3 or 1, H, W).
    """

    condition: Tensor | None
    real: Tensor | None
    moments: Mapping[str, Moments]
    samples: Sequence[Tensor]


def panel(found: Sequence[Ambiguity]) -> Tensor:
    """MR-GAN's figure with titles (Lee, Ha, Kim, ICLR 2019): a row for each condition, with the condition, its real
    image, means and deviations by source, and samples. All deviations have one scale, which is shown below them.

    Columns that are empty in every row are left out. Smaller images are centred in the cells of the largest, and small
    ones are enlarged.
    """
    top = max(float(one.deviation.max()) for row in found for one in row.moments.values())
    names = list(dict.fromkeys(name for row in found for name in row.moments))
    most = max(len(row.samples) for row in found)
    titles = ["condition", "real image", *(f"{name}\n{of}" for name in names for of in ("mean", "deviation"))]
    titles += [f"sample {i}" for i in range(most)]
    rows: list[list[Tensor | None]] = []
    for row in found:
        drawn = [*row.samples, *[None] * (most - len(row.samples))]
        rows.append([row.condition, row.real, *moments_cells([row.moments[name] for name in names], top), *drawn])
    kept = [i for i in range(len(titles)) if any(row[i] is not None for row in rows)]
    cells = [[None if (cell := row[i]) is None else enlarged(shrink(cell)) for i in kept] for row in rows]
    size = [max(cell.shape[side] for row in cells for cell in row if cell is not None) for side in (1, 2)]
    below = [heat_scale(top, (SCALE, size[1])) if titles[i].endswith("deviation") else None for i in kept]
    grid = sheet([[centred(cell, (size[0], size[1])) for cell in row] for row in cells], GAP)
    foot = sheet([[centred(cell, (SCALE, size[1])) for cell in below]], GAP)
    blank = torch.full((3, GAP, grid.shape[-1]), 255, dtype=torch.uint8)
    return titled(torch.cat([grid, blank, foot], dim=1), [titles[i] for i in kept], size[1] + GAP)


def films(conditions: Sequence[Tensor], each: Sequence[Tensor], most: int = 9) -> Tensor:
    """A column for each frame: its condition, uint8 (3, H, W), then for each film (T, 3, H, W) in [0, 1] the frame and
    the mean absolute difference from the frame before, on a scale that all films share. At most `most` are shown.
    """
    changes = [torch.cat([torch.zeros(1, *film.shape[-2:]), film.diff(dim=0).abs().mean(dim=1)]) for film in each]
    top = max(float(one.max()) for one in changes)
    shown = torch.linspace(0, len(conditions) - 1, min(most, len(conditions))).round().int().tolist()
    rows = [[conditions[t] for t in shown]]
    for film, change in zip(each, changes):
        rows += [[unit_to_uint8(film[t]) for t in shown], [heat(change[t], top) for t in shown]]
    return page(rows)


def most_different(images: Tensor, count: int) -> list[int]:
    """Indices of the most different images of (S, 3, H, W): the farthest pair, then greedily the next farthest."""
    values = images.flatten(1).float()
    distances = torch.cdist(values, values, p=1)
    distances.fill_diagonal_(-1)
    chosen = list(divmod(int(distances.argmax()), len(images)))
    while len(chosen) < min(count, len(images)):
        nearest = distances[chosen].min(dim=0).values
        nearest[chosen] = -2
        chosen.append(int(nearest.argmax()))
    return chosen[:count]


def page(rows: Sequence[Sequence[Tensor]]) -> Tensor:
    """A contact sheet whose cells are reduced to at most `LARGEST` pixels."""
    return sheet([[shrink(cell) for cell in row] for row in rows], gap=GAP)


def enlarged(cell: Tensor) -> Tensor:
    """An image of 1 or 3 colours as 3, with repeated pixels if it is too narrow for a title above it."""
    factor = -(-NARROWEST // cell.shape[-1])
    return cell.expand(3, -1, -1).repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)


def centred(cell: Tensor | None, size: Size) -> Tensor:
    """An image uint8 (3, h, w) in the middle of white (3, H, W), or nothing there."""
    space = torch.full((3, *size), 255, dtype=torch.uint8)
    if cell is not None:
        (height, width), (top, left) = cell.shape[1:], ((size[i] - cell.shape[i + 1]) // 2 for i in (0, 1))
        space[:, top : top + height, left : left + width] = cell
    return space


def shrink(cell: Tensor) -> Tensor:
    """Reduce an image so that its longer side is at most `LARGEST` pixels."""
    height, width = cell.shape[-2:]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return cell
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    smaller = F.interpolate(cell.unsqueeze(0).float(), size, mode="bilinear", antialias=True)
    return smaller[0].round().clamp(0, 255).to(torch.uint8)
