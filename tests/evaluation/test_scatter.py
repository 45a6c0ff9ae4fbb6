"""Names in a scatter overlap neither each other nor a dot; it is the same as SVG and as pixels, and says how."""

from __future__ import annotations

import itertools
import math
import random
import xml.etree.ElementTree as ElementTree

import pytest

from variegate.evaluation.pages.page import Curve, Numbers, Report, render
from variegate.evaluation.pages.plots import more_samples_section, tradeoff_section
from variegate.evaluation.pages.scatter import DOT, LEFT, SIZE, TOP, Box, Scatter
from variegate.runs.measured import Measured, Protocol, Results

pytestmark = pytest.mark.core

NAME = "{http://www.w3.org/2000/svg}"
RECORD = Protocol(name="lpips", metric="LPIPS", libraries={}, value_range="[-1, 1]", samples=10)


def crowd(count: int, spread: float, seed: int = 0) -> dict[str, tuple[float, float]]:
    rng = random.Random(seed)
    return {f"method number {i}": (rng.gauss(0.3, spread), rng.gauss(0.6, spread)) for i in range(count)}


def measured(value: float, better: str, samples: int = 10) -> Measured:
    protocol = RECORD.model_copy(update={"samples": samples})
    return Measured(value=value, n=8, unit="u", better=better, protocol=protocol)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "spread"), [(2, 0.0), (6, 0.1), (12, 0.02), (20, 0.05)])
def test_no_name_meets_another_or_a_dot(count: int, spread: float) -> None:
    plot = Scatter(crowd(count, spread) | {"far away": (3.0, 0.1)})
    boxes = [label.box for label in plot.labels]
    assert len(boxes) == count + 1
    assert not any(a.meets(b) for a, b in itertools.combinations(boxes, 2))
    dots = [Box(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in (label.dot for label in plot.labels)]
    assert not any(box.meets(dot) for box in boxes for dot in dots)
    width, height = plot.size
    assert all(box.left > -LEFT and box.right < width - LEFT and box.top > -TOP for box in boxes)
    assert all(box.bottom <= height - TOP for box in boxes)


def test_dots_lie_where_the_values_are() -> None:
    plot = Scatter({"a": (0.0, 10.0), "b": (1.0, 20.0), "lost": (math.nan, 1.0)})
    assert [label.name for label in plot.labels] == ["a", "b"]
    assert [label.dot for label in plot.labels] == [(0, SIZE[1]), (SIZE[0], 0)], "larger is right and up"
    root = ElementTree.fromstring(plot.svg)
    assert [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in root.iter(f"{NAME}circle")] == [
        (0, SIZE[1]),
        (SIZE[0], 0),
    ]


def test_names_are_text_and_an_empty_plot_is_a_plot() -> None:
    evil = '<script>"&'
    root = ElementTree.fromstring(Scatter({evil: (1, 2)}, title=evil, across=evil, up=evil).svg)
    assert [one.text for one in root.iter(f"{NAME}text")].count(evil) == 3
    assert "no point" in Scatter({}).alt
    ElementTree.fromstring(Scatter({}).svg)


def test_models_are_placed_by_what_all_have_measured_alike() -> None:
    both = {"lpips": measured(0.2, "higher"), "rmse_best": measured(40, "lower"), "ssim_best": measured(0.5, "higher")}
    other = {"lpips": measured(0.4, "higher"), "rmse_best": measured(30, "lower")}
    section = tradeoff_section({"cimle": Results(both), "pix2pix": Results(other)})
    assert section is not None
    (plot,) = section.items
    assert isinstance(plot, Scatter)
    assert plot.points == {"cimle": (0.2, 40), "pix2pix": (0.4, 30)}
    assert (plot.across, plot.up) == ("lpips, u (higher is better)", "rmse best, u (lower is better)")
    page = render(Report("", "", [section]))
    assert page.count("<circle") == 2
    assert page.count("was measured</summary>") == 2
    assert tradeoff_section({"cimle": Results(both)}) is None
    elsewhere = Results({**other, "lpips": measured(0.4, "higher", samples=2)})
    assert tradeoff_section({"cimle": Results(both), "pix2pix": elsewhere}) is None


def test_curves_of_a_report_have_every_point_and_its_protocol() -> None:
    values = {"rmse_best": 1.0, "rmse_mean": 4.0, "rmse_best_of_2": 3.0, "rmse_best_of_8": 2.0, "lpips": 0.3}
    section = more_samples_section(Results({name: measured(value, "lower") for name, value in values.items()}))
    assert section is not None
    curve, numbers = section.items
    assert isinstance(curve, Curve)
    assert isinstance(numbers, Numbers)
    assert curve.series == {"rmse": [(1, 4.0), (2, 3.0), (8, 2.0), (10, 1.0)]}
    assert list(numbers.measured) == ["rmse_best_of_2", "rmse_best_of_8"]
    assert curve.axes is not None
    assert [curve.axes[0].at(n) for n in (1, 2, 8, 10)] == pytest.approx(
        [400 * math.log10(n) for n in (1, 2, 8, 10)], abs=0.1
    )
    page = render(Report("", "", [section]))
    assert ">n</text>" in page
    assert more_samples_section(Results({"lpips": measured(0.3, "lower")})) is None
