"""Evaluate a run: the public `variegate.evaluate`."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from torch import Tensor

from ..core.capabilities import HasLevels
from ..core.errors import check_keywords
from ..core.files import check_writable, write_text
from ..core.interfaces import Generator
from ..core.processes import together
from ..core.progress import first
from ..data.dataset.pairs import Pairs
from ..embedding import Embedding
from ..model.model import Model
from ..runs.folder import RunFolder, run_folder
from ..runs.saved_model import load_weights
from .measuring.drawn import WhichCodes
from .measuring.measure import Evaluation, Extra, measure
from .metrics.extractors import ExtractorName
from .metrics.plugged import networks
from .pages.page import Report, write_report
from .pages.report import sections_of

logger = logging.getLogger(__name__)

Network = str | Path | Callable[[Tensor], Tensor]


class Brought(TypedDict, total=False):
    """How samples are drawn, and the user's networks to measure with: ONNX files, or callables that take images
    (B, 3, H, W) in [-1, 1]. Each network adds its metrics."""

    sampler: Mapping[str, Any] | None  # how samples are drawn, as for `variegate.load`
    extractor: ExtractorName  # whose features the metrics of sets compare; default: auto
    codes: WhichCodes  # of methods with fixed codes: those of training first, only those, or new ones; default: both

    detector: Network | None  # returns landmarks (B, P, 2) in pixels
    embedding: Network | None  # returns an embedding (B, D); or the path of a run of `variegate embed train`
    normals: Network | None  # returns unit normals (B, 3, H, W)
    segmenter: Network | None  # returns scores (B, classes, H, W)


@together()
def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    protocol: str = "default",
    seed: int = 0,
    perceptual: bool = True,
    **brought: Unpack[Brought],
) -> dict[str, Any]:
    """Evaluate a run on held-out pairs; writes `metrics.json` and `report.html` into it and returns the metrics.

    For PixelCNNs, also writes `likelihood.csv`, the bits per dimension of each image. Under torchrun, processes share
    the drawing of samples and the features of images; the first one writes.

    Args:
        data: data to use instead of the run's, read in the same way.
        protocol: a name, see `variegate protocols`.
        perceptual: include the metrics that need network weights.
        brought: see `Brought`.

    Returns:
        {"protocol": {metric: everything needed to reproduce it}, "metrics": {metric: {"value", "ci", ...}},
        "warnings": [...], "skipped": [what could not be measured, why, and the remedy]}. The file is first written
        before the slow metrics start.

    Raises:
        VariegateError: the run or its data cannot be read, or its folder cannot be written to.
    """
    check_keywords(brought, Brought.__annotations__, "evaluate")
    folder, embedding = run_folder(run), brought.get("embedding")
    if isinstance(embedding, str | Path) and Path(embedding).is_dir():
        embedding = Embedding.load(embedding)
    at_hand = networks(brought.get("detector"), embedding, brought.get("normals"), brought.get("segmenter"))
    check_writable(folder.path)
    model = Model.load(folder.path, sampler=brought.get("sampler"))
    held, real = folder.pairs("held", data), folder.pairs("train")
    warnings = unseen_or_not(held, data)
    for line in warnings:
        logger.warning(line)
    raw = raw_generator(model, folder) if isinstance(model.generator, HasLevels) else None
    content: dict[str, Any] = {}

    def keep(found: Evaluation) -> None:
        content.update(found.results.to_dict() | {"warnings": warnings, "skipped": found.skipped})
        if first():
            write_text(folder.path / "metrics.json", json.dumps(content, indent=2))

    which = brought.get("codes", "both")
    network = brought.get("extractor", "auto")
    settings = Extra(
        perceptual=perceptual, networks=at_hand, codes=which, raw=raw, keep=keep, extractor=network, costs=True
    )
    found = measure(model.generator, held, real, protocol, seed, **settings)
    keep(found)
    if first():
        write_pages(model, folder, held, real, found)
    return content


def write_pages(model: Model, folder: RunFolder, held: Pairs, real: Pairs, found: Evaluation) -> None:
    """Write the report of a run and, for PixelCNNs, the table of likelihoods."""
    if found.likelihood is not None:
        write_text(folder.path / "likelihood.csv", found.likelihood.table(held))
    predictor = None if folder.predictor is None else Model.load(folder.predictor)
    sections = sections_of(model, held, found, folder, predictor, real)
    title = f"{model.name} on {model.record.data}"
    write_report(folder.path / "report.html", Report(title, model.record.method["summary"], sections))


def unseen_or_not(held: Pairs, data: str | Path | None) -> list[str]:
    """A warning if the model was trained on the pairs to be measured."""
    if held.split != "train" or data is not None:
        return []
    return [
        f"nothing is held out: {held.source.name} has no val or test split, so all metrics are measured on training "
        "images; add a split, or give other data with --data"
    ]


def raw_generator(model: Model, run: RunFolder) -> Generator | None:
    """A model's network with the raw weights (not the EMA) of the same step; None if no checkpoint contains them."""
    weights = run.checkpoints.raw_weights(model.record.step)
    if weights is None:
        return None
    generator = copy.deepcopy(model.generator)
    load_weights(generator, weights, run.path / "checkpoints", "remove that folder, or train again")
    return generator
