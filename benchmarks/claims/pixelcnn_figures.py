"""Figures for PixelCNN's claims, of the first seed: what a pixel sees, reconstructions, samples of each class,
portraits."""

from __future__ import annotations

import torch
from torch import Tensor

from variegate.core.images import heat, to_uint8
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

from .pixelcnn_measures import allowed, sight, unseen, untrained, way
from .pixelcnn_trials import AUTOENCODERS, SMALL_CIFAR, UNSEEN, portraits
from .runs import Settings

SEED = 0


def drawn(model: Model, condition: object, n: int) -> Tensor:
    return to_uint8(model.sample(condition, n=n).images * 2 - 1)  # type: ignore[arg-type]


def reconstructions(name: str, settings: Settings) -> list[list[Tensor]]:
    """Render a real image, its reconstruction by squared error, and six samples of a PixelCNN for the same vector."""
    runs = [trial.run(SEED, settings) for trial in AUTOENCODERS[name]]
    held, (pixels, squares) = RunFolder(runs[0]).pairs("held"), (Model.load(run) for run in runs)
    rows = []
    for i in range(6):
        raw, real = held.raw(i)
        both = torch.cat([squares.decode(raw, squares.codes(1)), pixels.decode(raw, pixels.codes(6))])
        rows.append([real, *to_uint8(both * 2 - 1)])
    return rows


def classes(settings: Settings) -> list[list[Tensor]]:
    """Render ten samples of every class of CIFAR-10, at 16x16."""
    model = Model.load(SMALL_CIFAR["class"].run(SEED, settings))
    return [[*drawn(model, f"class:{name}", 10)] for name in model.condition.names]  # type: ignore[union-attr]


def faces(settings: Settings) -> list[list[Tensor]]:
    """Render four unseen people, with a real image and eight samples of each; then four paths between two of them."""
    run = portraits(settings).run(SEED, settings)
    model, held, vectors = Model.load(run), RunFolder(run).pairs("test"), unseen(run)
    same = [[held.raw(i * (len(held) // UNSEEN))[1], *drawn(model, v.numpy(), 8)] for i, v in enumerate(vectors[:4])]
    between = [[*to_uint8(way(model, vectors[i], vectors[i + 1], 9, i) * 2 - 1)] for i in range(4)]
    return same + between


def blind_spot(size: int = 15, layers: int = 4) -> list[list[Tensor]]:
    """Render what the middle pixel sees, gated and plain: bright is seen, dark is allowed but not seen, grey is not
    allowed."""
    rows = []
    for stacks in ("gated", "plain"):
        generator, place = untrained(stacks, 3, 1, (size, size), layers), (size // 2 + 2, size // 2)
        seen, may = (sight(generator, place, 0) > 0)[0], allowed((1, size, size), place, 0)[0]
        shown = heat(0.25 + 0.6 * seen.float(), 1.0)
        shown[:, ~may] = 225
        shown[:, place[0], place[1]] = torch.tensor([220, 40, 40], dtype=torch.uint8)
        rows.append(shown)
    return [rows]
