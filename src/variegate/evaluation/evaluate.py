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
from ..core.files import write_text
from ..core.interfaces import Generator
from ..core.launch import first
from ..core.processes import together
from ..embedding import Embedding
from ..model.model import Model
from ..runs.folder import RunFolder
from ..runs.saved_model import load_weights
from .measuring.drawn import WhichCodes
from .measuring.measure import Evaluation, Extra, measure
from .measuring.subject import Subject, open_subject
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

    Those of a model alone, such as user/name on the hub, are written to `evaluation/user-name`. For PixelCNNs, also
    writes `likelihood.csv`, the bits per dimension of each image. Under torchrun, processes share the drawing of
    samples and the features of images; the first one writes.

    Args:
        data: data to use instead of the run's, read in the same way; a model alone needs them.
        protocol: a name, see `variegate protocols`.
        perceptual: include the metrics that need network weights.
        brought: see `Brought`.

    Returns:
        {"protocol": {metric: everything needed to reproduce it}, "metrics": {metric: {"value", "ci", ...}},
        "warnings": [...], "skipped": [what could not be measured, why, and the remedy]}. The file is first written
        before the slow metrics start.

    Raises:
        VariegateError: the run or its data cannot be read, results cannot be written, or a model alone has no data.
    """
    check_keywords(brought, Brought.__annotations__, "evaluate")
    embedding = brought.get("embedding")
    if isinstance(embedding, str | Path) and Path(embedding).is_dir():
        embedding = Embedding.load(embedding)
    at_hand = networks(brought.get("detector"), embedding, brought.get("normals"), brought.get("segmenter"))
    subject = open_subject(run, data, brought.get("sampler"))
    model, held, folder = subject.model, subject.held, subject.run
    for line in subject.warnings:
        logger.warning(line)
    levels = isinstance(model.generator, HasLevels)
    raw = raw_generator(model, folder) if levels and folder is not None else None
    content: dict[str, Any] = {}

    def keep(found: Evaluation) -> None:
        content.update(found.results.to_dict() | {"warnings": subject.warnings, "skipped": found.skipped})
        if first():
            write_text(subject.out / "metrics.json", json.dumps(content, indent=2))

    which = brought.get("codes", "both")
    network = brought.get("extractor", "auto")
    settings = Extra(
        perceptual=perceptual, networks=at_hand, codes=which, raw=raw, keep=keep, extractor=network, costs=True
    )
    found = measure(model.generator, held, subject.real, protocol, seed, **settings)
    keep(found)
    if first():
        write_pages(subject, found)
    return content


def write_pages(subject: Subject, found: Evaluation) -> None:
    """Write the report and, for PixelCNNs, the table of likelihoods."""
    model, held, folder = subject.model, subject.held, subject.run
    if found.likelihood is not None:
        write_text(subject.out / "likelihood.csv", found.likelihood.table(held))
    predictor = None if folder is None or folder.predictor is None else Model.load(folder.predictor)
    training = None if folder is None else subject.real
    sections = sections_of(model, held, found, folder, predictor, training)
    title = f"{model.name} on {model.record.data}"
    write_report(subject.out / "report.html", Report(title, model.record.method["summary"], sections))


def raw_generator(model: Model, run: RunFolder) -> Generator | None:
    """A model's network with the raw weights (not the EMA) of the same step; None if no checkpoint contains them."""
    weights = run.checkpoints.raw_weights(model.record.step)
    if weights is None:
        return None
    generator = copy.deepcopy(model.generator)
    load_weights(generator, weights, run.path / "checkpoints", "remove that folder, or train again")
    return generator
