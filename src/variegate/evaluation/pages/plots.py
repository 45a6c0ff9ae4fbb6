"""Report sections with plots: error against the number of samples, and diversity against accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...runs.measured import Measured, Results
from ..measuring.side_by_side import unlike
from ..metrics.aggregate import OF_FEWER, curves
from ..metrics.calibration import Calibration
from .page import Curve, Numbers, Section, plain
from .scatter import Scatter

DIVERSITY = ("diversity_score", "lpips", "diversity_pixel")  # use the first that all models have, measured identically
ACCURACY = ("landmark_error_best", "ssim_best", "rmse_best")
MORE = (
    "With more samples, the best one gets closer to the single real image, if the samples differ in what matters. "
    "Each point is the expected best of n samples."
)
BOTH = (
    "Samples that differ more may be farther from the real image; a good model is good at both. Compare only models "
    "evaluated with the same number of samples."
)


def is_of_curve(name: str) -> bool:
    """Whether a metric is a point of a curve."""
    return OF_FEWER in name


def more_samples_section(results: Results) -> Section | None:
    """A curve for each best-of-n metric, and its points with their protocols; None if there are none."""
    found = list(curves(results.measured))
    if not found:
        return None
    drawn = [
        Curve(
            f"{plain(measure)} of the best of n samples",
            f"{points[0][1].unit}, {points[0][1].better} is better.",
            {plain(measure): [(n, one.value) for n, one in points]},
            across="n",
            doubling=True,
        )
        for measure, points in found
    ]
    listed = {name: one for name, one in results.measured.items() if is_of_curve(name)}
    told = "Points between the mean (n = 1) and the best of all samples, both of which are among the metrics above."
    return Section("More samples", MORE, [*drawn, Numbers("Points", told, listed)])


def calibration_section(found: Calibration) -> Section:
    """The ranks of real values among samples, above those that are expected, and what they mean."""
    count = found.samples
    shares = [(float(rank), float(share)) for rank, share in enumerate(found.ranks)]
    curve = Curve(
        "Ranks of real values among samples",
        f"How many of {count} samples are darker than the real value at the same place: each of the {count + 1} "
        "answers should be as frequent. High ends: samples are too much alike; a hill: they differ too much; a slope: "
        "they are too dark or too bright.",
        {"found": shares, "calibrated": [(rank, 1 / (count + 1)) for rank, _ in shares]},
        across="samples that are darker",
    )
    return Section("Calibration", found.words(), [curve])


def tradeoff_section(rows: Mapping[str, Results]) -> Section | None:
    """Diversity against accuracy, one dot per model; None if models share no pair of identically measured metrics."""
    across, up = (first_shared(rows, names) for names in (DIVERSITY, ACCURACY))
    if across is None or up is None:
        return None
    pairs = {name: (results.measured[across], results.measured[up]) for name, results in rows.items()}
    first = next(iter(pairs.values()))
    said = {name: f"{plain(name)}, {one.unit} ({one.better} is better)" for name, one in zip((across, up), first)}
    image = Scatter(
        {name: (x.value, y.value) for name, (x, y) in pairs.items()},
        caption="Each dot is a model. If the intervals of two models overlap, their difference may be due to chance.",
        across=said[across],
        up=said[up],
        protocols={plain(name): one.protocol for name, one in zip((across, up), first)},
    )
    return Section("Diversity and accuracy", BOTH, [image])


def first_shared(rows: Mapping[str, Results], names: Sequence[str]) -> str | None:
    """The first of the metrics that all models have, measured alike; None for a single model."""
    for name in names:
        found: list[Measured] = [one.measured[name] for one in rows.values() if name in one.measured]
        if len(found) == len(rows) > 1 and unlike(name, dict(zip(rows, found))) is None:
            return name
    return None
