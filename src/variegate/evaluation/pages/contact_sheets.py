"""Contact sheets of a model: samples next to the ground truth, a path between two codes, one style on many layouts, and
where the samples of one condition differ. All are uint8 (3, H, W) with `GAP` white pixels between cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.codes import path as code_path
from ...core.images import heat, sheet, unit_to_uint8
from ...core.sampling import Moments
from ...data.dataset.pairs import Pairs
from ...model.model import Model

GAP = 2  # pixels between the cells of a sheet
LARGEST = 192  # pixels of the longer side of a cell; a page with ten columns has no room for more


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
        cells = [model.condition.to_image(raw), truth]
        for one in sources:
            cells += [unit_to_uint8(one.mean), heat(one.deviation, top)]
        rows.append(cells)
    return page(rows)


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


def shrink(cell: Tensor) -> Tensor:
    """Reduce an image so that its longer side is at most `LARGEST` pixels."""
    height, width = cell.shape[-2:]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return cell
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    smaller = F.interpolate(cell.unsqueeze(0).float(), size, mode="bilinear", antialias=True)
    return smaller[0].round().clamp(0, 255).to(torch.uint8)
