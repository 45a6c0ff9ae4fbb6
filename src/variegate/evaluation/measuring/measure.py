"""Evaluate a model: diversity, closeness to the data, distances of sets, likelihood, and on streets the modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypedDict, Unpack

import torch

from ...core.capabilities import HasSampler
from ...core.errors import check_keywords
from ...core.interfaces import Generator, Size
from ...data.conditions.image import ImageCondition
from ...data.conditions.labels import Labels
from ...data.conditions.landmarks import Landmarks, points_of
from ...data.dataset.pairs import Pairs
from ...data.dataset.sampling import sample_raw
from ...data.derived.derived import SuperRes
from ...runs.health import code_sensitivity
from ...runs.measured import Measured, Protocol, Results, libraries
from ..metrics.calibration import Calibration, calibration, calibration_metrics
from ..metrics.code_use import code_use, is_vector
from ..metrics.diversity import LPIPS, Distance, Pixel, diversity
from ..metrics.extractors import ExtractorName
from ..metrics.fidelity import WINDOW, fidelity, measures_for
from ..metrics.landmark_error import landmark_error
from ..metrics.likelihood import Likelihood, likelihood, only_likelihood
from ..metrics.low_resolution import against_low_resolution
from ..metrics.normal_consistency import normal_consistency
from ..metrics.plugged import Networks
from ..metrics.segmentation import segmentation
from ..metrics.spread import Levels, centre_distances, feature_spread
from ..protocols import NamedProtocol, named_protocol
from .cost import drawing_costs
from .drawn import Drawn, WhichCodes, draw_samples, words_of
from .gathering import Gathered
from .sets import set_metrics
from .streets import MODE_LAYOUTS, mode_results

INSIDE = "pixels inside the hole only, except for FSIM"
MAP_INSIDE = "mean over the pixels inside the hole of the map that lpips gives with spatial=True"
PANEL = 8  # conditions used to find out whether the code matters


@dataclass(frozen=True)
class Evaluation:
    """Metrics with protocols.

    Attributes:
        counts: samples per mode, summed over layouts.
        skipped: what is missing, and why.
        drawn: whether samples were drawn; false for likelihoods alone.
        calibration: the ranks of real values among samples, and more; None without pairs.
    """

    results: Results
    counts: dict[tuple[str, ...], int] | None = None
    likelihood: Likelihood | None = None
    skipped: list[str] = field(default_factory=list)
    drawn: bool = True
    calibration: Calibration | None = None


class Extra(TypedDict, total=False):
    """Further options of `measure`."""

    perceptual: bool  # include the metrics that need network weights; default: True
    networks: Networks | None  # the user's networks
    raw: Generator | None  # the same generator with raw weights (not the EMA); its likelihood is also measured
    codes: WhichCodes  # of networks with fixed codes; default: both
    costs: bool  # also what drawing costs here; default: False
    extractor: ExtractorName  # of features for the metrics of sets; default: auto
    layouts: int  # streets: of how many layouts the modes are counted; default: MODE_LAYOUTS
    keep: Callable[[Evaluation], None]  # called with the results so far before the slow metrics start


def measure(
    generator: Generator,
    pairs: Pairs,
    real: Pairs,
    protocol: str = "default",
    seed: int = 0,
    **extra: Unpack[Extra],
) -> Evaluation:
    """Evaluate on held-out `pairs`; `real` are the training images for distances of sets.

    Args:
        protocol: its name (`variegate protocols`), which sets the number of inputs, samples and pairs; that of
            "pixelcnn" samples nothing and measures only the likelihood, of all images.
        extra: see `Extra`. Metrics that cannot be measured, for example for lack of weights, are skipped with a reason.
    """
    check_keywords(extra, Extra.__annotations__, "measure")
    networks, raw = extra.get("networks") or Networks(), extra.get("raw")
    preset = named_protocol(protocol)
    if not preset.samples:
        alone = only_likelihood(generator, pairs, networks, raw)
        return Evaluation(alone.results, likelihood=alone, drawn=False)
    networks.check_data(pairs)
    which = extra.get("codes", "both")
    drawn = draw_samples(generator, pairs, preset.inputs or len(pairs), preset.samples, seed, which)
    gathered = Gathered()
    quick_metrics(gathered, generator, pairs, drawn, preset)
    certainty = None if pairs.unpaired else calibrated(gathered, drawn, pairs.size)
    found = gathered.attempt("bits per dimension", lambda: likelihood(generator, pairs, preset.inputs, raw))
    gathered.results.add(found.results.measured if found else {})
    with_networks(gathered, drawn, pairs, networks, preset)
    if (keep := extra.get("keep")) is not None:
        keep(Evaluation(gathered.results, None, found, gathered.skipped))
    network = extra.get("extractor", "auto")
    levels = perceptual_metrics(gathered, drawn, real, preset, network) if extra.get("perceptual", True) else None
    gathered.add("diversity score", lambda: feature_spread(drawn.conditions(), levels, networks.embedding))
    counts = None
    if pairs.name == "streets" and pairs.layout(0) is not None:  # a user's folder may have that name
        measured, counts = mode_results(generator, pairs, seed, which, extra.get("layouts", MODE_LAYOUTS))
        gathered.results.add(measured)
    if extra.get("costs"):
        gathered.add("what drawing costs", lambda: drawing_costs(generator, pairs, seed))
    if isinstance(generator, HasSampler):
        gathered.results.record("drawn", generator.drawn_how)
    if generator.agree is not None:
        gathered.results.record("drawn", "samples were made to agree with what their condition tells (--consistent)")
    if (limited := words_of(generator, which)) is not None:
        gathered.results.record("drawn", limited)
    return Evaluation(gathered.results, counts, found, gathered.skipped, calibration=certainty)


def quick_metrics(gathered: Gathered, generator: Generator, pairs: Pairs, drawn: Drawn, preset: NamedProtocol) -> None:
    """Measure the metrics that need no network weights."""
    measures = image_metrics(gathered, drawn, preset, None if pairs.unpaired else pairs.size)
    if conditions_differ(pairs):  # code sensitivity is relative to the effect of conditions
        matters = sensitivity(generator, pairs)
        gathered.results.add({"code_sensitivity": matters} if matters else {})
        if matters is None:
            gathered.skip("code sensitivity: conditions do not change this model's samples")
    if is_vector(generator):
        gathered.add("use of a code's numbers", lambda: code_use(generator, pairs, drawn.seed))
    if measures and isinstance(pairs.derived, SuperRes):
        each = (pairs.condition.piece(ImageCondition, pairs.raw(i)[0]) for i in range(len(drawn.samples)))
        factor, raws = pairs.derived.factor, [raw for raw in each if raw is not None]
        gathered.add("low resolution", lambda: against_low_resolution(drawn.with_truth(), raws, factor, measures))
    if drawn.fills_holes:
        gathered.results.remark(INSIDE, size=pairs.size)


def image_metrics(gathered: Gathered, drawn: Drawn, preset: NamedProtocol, size: Size | None) -> tuple[str, ...]:
    """Measure the diversity of pixels and, unless `size` is None, the closeness to the real images of that size, of
    which the measures are returned."""

    def pixel() -> dict[str, Measured]:
        return {"diversity_pixel": diversity(drawn.conditions(), Pixel(), preset, drawn.seed, drawn.holes)}

    gathered.add("pixel diversity", pixel)
    gathered.add("distance to the mean image", lambda: centre_distances(drawn.inside()))
    if size is None:
        return ()
    measures = measures_for(size)
    for name in measures:
        gathered.add(
            f"closeness to the real image, {name.upper()}",
            partial(fidelity, drawn.with_truth(), (name,), preset.chosen, drawn.holes),
        )
    if "ssim" not in measures:
        height, width = size
        gathered.skip(f"SSIM: its window needs {WINDOW}x{WINDOW} pixels, but images have only {width}x{height}")
    return measures


def calibrated(gathered: Gathered, drawn: Drawn, size: Size) -> Calibration | None:
    """Measure the calibration; returns more of it than its values."""
    found = gathered.attempt("calibration", lambda: calibration(drawn.with_truth(), drawn.holes))
    if found is not None:
        gathered.results.add(calibration_metrics(found, size))
    return found


def perceptual_metrics(
    gathered: Gathered, drawn: Drawn, real: Pairs, preset: NamedProtocol, network: ExtractorName
) -> Levels | None:
    """Measure the metrics that need network weights; returns the diversity score's network if it fits the images."""

    def lpips() -> dict[str, Measured]:
        metric: Distance = LPIPS(preset.net, preset.version)
        found = Results({metric.name: diversity(drawn.conditions("LPIPS"), metric, preset, drawn.seed, drawn.holes)})
        if drawn.fills_holes:
            found.remark(MAP_INSIDE)
        return found.measured

    def levels() -> Levels:
        found = Levels(preset.net)
        found.maps.check_size(real.size)
        return found

    gathered.add("LPIPS", lpips)
    set_metrics(gathered, drawn, real, preset.in_sets, network)
    return gathered.attempt("deviations of features", levels)


def with_networks(gathered: Gathered, drawn: Drawn, pairs: Pairs, networks: Networks, preset: NamedProtocol) -> None:
    """Measure the metrics of a landmark detector, a normal estimator and a segmenter, if given."""
    detector, normals, segmenter = networks.detector, networks.normals, networks.segmenter
    if detector is not None:
        planes = (pairs.condition.piece(Landmarks, pairs.raw(i)[0]) for i in range(len(drawn.samples)))
        both = zip(drawn.conditions(), (points_of(one) for one in planes if one is not None))
        gathered.add("landmark error", lambda: landmark_error(both, detector, preset.chosen))
    elif pairs.condition.part(Landmarks) is not None:
        gathered.skip("landmark error: needs a network that detects the landmarks; give --detector FILE.onnx")
    if normals is not None:
        gathered.add("normals", lambda: normal_consistency(drawn.with_truth(), normals, preset.chosen))
    if segmenter is not None and (labels := pairs.condition.part(Labels)) is not None:
        maps = (pairs.condition.piece(Labels, pairs.raw(i)[0]) for i in range(len(drawn.samples)))
        paired = zip(drawn.with_truth(), maps)
        shown = ((images[0], real[0], one[0]) for (images, real), one in paired if one is not None)
        gathered.add("segmentation", lambda: segmentation(shown, labels, segmenter, preset.chosen))


def conditions_differ(pairs: Pairs) -> bool:
    """Whether the first pairs, which `sensitivity` uses, have at least two different conditions."""
    raw = [pairs.raw(i)[0] for i in range(min(PANEL, len(pairs)))]
    return any(not torch.equal(raw[0], other) for other in raw)


def sensitivity(generator: Generator, pairs: Pairs, conditions: int = PANEL, samples: int = 8) -> Measured | None:
    """Code sensitivity on a small panel; about 0 if the code is ignored, None if conditions change nothing."""
    raw = torch.stack([pairs.raw(i)[0] for i in range(min(conditions, len(pairs)))])
    codes = generator.draw([(0, i) for i in range(samples)])
    images = sample_raw(generator, pairs.condition, raw, codes)
    hole = pairs.condition.hole(raw)
    value = code_sensitivity(images, hole)
    if math.isnan(value):
        return None
    record = Protocol(
        name="code_sensitivity",
        metric="mean L1 distance between codes of one condition / between conditions of one code",
        libraries=libraries("variegate", "torch"),
        value_range="[-1, 1]",
        inputs=len(raw),
        samples=samples,
        pairs="all",
        size=pairs.size,
        notes=() if hole is None else ("of pixels in the hole of each condition, since the others are given",),
    )
    return Measured(value=value, n=len(raw), unit="ratio", better="higher", protocol=record)
