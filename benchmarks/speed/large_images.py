"""Large images on one machine: memory and time against size, number and tiles, and what checkpointing saves.

Every point is a process of its own. After an image of 64x64, which loads and allocates what libraries need, `megabytes`
is how far the resident set of that process grows at its peak, and `predicted` what it should be:

    size        that of 256x256 times the pixels, since every map of these networks grows with the image
    n images    that of 17, of which the first was drawn alone and the others together, and the further images
    tiles       that of one image as large as the tile, and the whole image and label map; of flows also the encoded
                condition and the fields that the solver carries
    training    that of the same step without checkpoints

`ratio` is measured over predicted; `seconds` are those of one processor. Networks are small and untrained, of published
families.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from resource import RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from variegate.core import tiles
from variegate.core.interfaces import Shapes, Size
from variegate.core.memory import keep_freed_memory
from variegate.data.conditions import Labels
from variegate.generators.flow import Flow
from variegate.methods import method
from variegate.model.model import Model
from variegate.model.tile_plan import plan_for
from variegate.networks.checkpointing import checkpoint_activations
from variegate.runs.saved_model import ModelRecord

from .measure import processor_seconds
from .results import Row, Settings, row

CLASSES, SMALL = 8, (64, 64)
BASE, MANY_AT, SIZES = (256, 256), (160, 160), ((128, 128), (512, 512), (512, 1024))
TILE, FEW, MANY, STEP = 256, 17, 65, 4
SIZE_LIMIT, NUMBER_LIMIT, TILE_LIMIT, TRAINING_LIMIT = 1.25, 1.25, 1.5, 0.8
LEAST = 0.1  # megabytes that are told from nothing
REPEATS = 3  # of points whose difference is small beside the holes in the heap
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "crn (cimle)": (
        "cimle",
        {
            "generator.widths": [32, 24, 16, 8],
            "randomness.vector": 8,
            "randomness.channels": 8,
            "randomness.hidden": 16,
        },
    ),
    "u-net (pix2pix)": ("pix2pix", {"width": 16, "generator.depth": 6}),
    "resnet (basisgan)": ("basisgan", {"width": 16, "blocks": 6}),
    "flow": (
        "flow",
        {"generator.widths": [16, 24, 32], "generator.sampler.steps": 2, "generator.sampler.kind": "euler"},
    ),
}


class Point(NamedTuple):
    """What one process does: draw n images, or with `training` (without and with checkpoints) take a step."""

    family: str
    size: Size
    n: int = 1
    tile: int | None = None
    training: bool | None = None


class Taken(NamedTuple):
    seconds: float
    megabytes: float


def rows(settings: Settings) -> list[Row]:
    base, tile = ((32, 32), 64) if settings.quick else (BASE, TILE)
    sizes = ((64, 96),) if settings.quick else SIZES
    many_at, few, many = (base, 3, 9) if settings.quick else (MANY_AT, FEW, MANY)
    found = []
    for family in list(FAMILIES)[: 2 if settings.quick else None]:
        first = measure(Point(family, base))
        found.append(row(f"{family}, {words(base)}", None, None, n=1, **first._asdict()))
        for size in sizes:
            area = size[0] * size[1] / (base[0] * base[1])
            predicted = Taken(*(value * area for value in first))
            limit = SIZE_LIMIT if area > 1 else None  # in small ones the size of libraries' buffers shows
            found.append(compared(Point(family, size), predicted, limit))
        found.append(
            compared(Point(family, sizes[-1], tile=tile), in_tiles(family, sizes[-1], tile, first), TILE_LIMIT)
        )
        found.append(checkpointed(family, base))
    for family in ("u-net (pix2pix)",) if settings.quick else ("u-net (pix2pix)", "resnet (basisgan)"):
        some = least(Point(family, many_at, few))
        found.append(row(f"{family}, {words(many_at)}", None, None, n=few, **some._asdict()))
        predicted = Taken(some.seconds * many / few, some.megabytes + images_in(many_at) * (many - few))
        found.append(compared(Point(family, many_at, many), predicted, NUMBER_LIMIT))
    return found


def compared(point: Point, predicted: Taken, limit: float | None) -> Row:
    taken = least(point) if point.n > 1 or point.tile else measure(point)
    told = f", tiles of {point.tile}" if point.tile else ""
    return row(
        f"{point.family}, {words(point.size)}{told}",
        taken.megabytes / max(predicted.megabytes, LEAST),
        limit,
        n=point.n,
        **taken._asdict(),
        predicted=predicted.megabytes,
        seconds_predicted=predicted.seconds,
    )


def checkpointed(family: str, size: Size) -> Row:
    """A training step with checkpoints, beside the same without.

    Where the finest stage has most of the maps, which are all there when its own gradients are computed, less is saved.
    """
    plain, saving = (measure(Point(family, size, STEP, training=again)) for again in (False, True))
    return row(
        f"{family}, training at {words(size)}, checkpoints",
        saving.megabytes / max(plain.megabytes, LEAST),
        TRAINING_LIMIT if family in ("resnet (basisgan)", "flow") else None,
        n=STEP,
        **saving._asdict(),
        predicted=plain.megabytes,
        seconds_predicted=plain.seconds,
    )


def words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def images_in(size: Size) -> float:
    """Megabytes of one image of floats."""
    return 3 * 4 * size[0] * size[1] / 1e6


def measure(point: Point) -> Taken:
    """Do it in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(taken, point).result()


def least(point: Point) -> Taken:
    """The least memory of several processes; of quick mode's tiny images, of one."""
    return min((measure(point) for _ in range(REPEATS if max(point.size) > 128 else 1)), key=lambda one: one.megabytes)


def in_tiles(family: str, size: Size, tile: int, first: Taken) -> Taken:
    """What an image in tiles should take, if one as large as a tile takes `first`.

    Windows are run half as far, on average, for each normalisation by the whole image. Flows hold the encoded
    condition and three fields as large as the image: noise, velocity, and what it leads to.
    """
    model = model_of(family)
    plan = plan_for(model, size, tile, None)
    runs = tiles.passes(plan.windows, size) * size[0] * size[1] / tile**2
    norms = [module for module in model.generator.modules() if isinstance(module, nn.GroupNorm | nn.InstanceNorm2d)]
    if plan.local:
        runs *= 1 + len(norms) / 2
    planes = CLASSES / 3 + 3 if isinstance(model.generator, Flow) else 0
    kept = images_in(size) * (1 + 1 / 12 + planes)  # a byte of labels for 3 floats of colours
    return Taken(first.seconds * runs, first.megabytes + kept)


def taken(point: Point) -> Taken:
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command line does
    model = model_of(point.family)
    make = drawing if point.training is None else training
    make(model, point._replace(size=SMALL, n=1, tile=None))()
    task = make(model, point)
    before, start = getrusage(RUSAGE_SELF).ru_maxrss, processor_seconds()
    kept = task()
    seconds = processor_seconds() - start
    del kept
    return Taken(seconds, (getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6)


def model_of(family: str) -> Model:
    """An untrained model that reads label maps."""
    name, options = FAMILIES[family]
    preset = method(name, options)
    labels = Labels(names=tuple("abcdefgh"), palette=((0, 0, 0),) * CLASSES)
    torch.manual_seed(0)
    record = ModelRecord(
        method=preset.model_dump(mode="json"),
        condition=labels.model_dump(mode="json"),
        condition_channels=CLASSES,
        image_channels=3,
        size=SMALL,
        data="none",
        step=0,
        seed=0,
        versions={},
    )
    generator = preset.build_generator(Shapes(CLASSES, 3, SMALL)).eval()
    return Model(generator, labels, record)


def drawing(model: Model, point: Point) -> Callable[[], object]:
    model.generator.requires_grad_(False)
    height, width = point.size
    layout = torch.randint(CLASSES, (1, height // 8, width // 8), dtype=torch.uint8)
    layout = layout.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return lambda: model.sample(layout, n=point.n, tile=point.tile)


def training(model: Model, point: Point) -> Callable[[], object]:
    """A step of regression with Adam, whose state is made before."""
    generator = model.generator.train()
    if point.training:
        checkpoint_activations(generator)
    condition = F.one_hot(torch.randint(CLASSES, (1, *point.size)), CLASSES).permute(0, 3, 1, 2).float()
    codes = generator.draw([(0, i) for i in range(point.n)])[None]
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4)

    def step() -> None:
        generator(condition, codes).square().mean().backward()
        optimizer.step()

    return step
