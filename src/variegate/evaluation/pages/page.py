"""The elements of a report (images, tables, metrics, curves), and rendering it as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...core.files import write_text
from ...runs.measured import Measured, Protocol
from .axes import PLOT, Axis, number, round_values
from .contact_sheets import GAP
from .embedded import embed
from .moving import Steps, Wipe
from .scatter import Scatter


@dataclass(frozen=True)
class Figure:
    """An image, or a contact sheet of `rows` x `columns` cells with a label on each row and column."""

    title: str
    caption: str
    image: Tensor  # uint8 (3, H, W)
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    kind: ClassVar[str] = "figure"

    @property
    def cell(self) -> tuple[int, int]:
        """The (H, W) of one cell."""
        height, width = self.image.shape[-2:]
        down, across = max(1, len(self.rows)), max(1, len(self.columns))
        return (height + GAP) // down - GAP, (width + GAP) // across - GAP

    @property
    def width(self) -> int:
        """Maximum width in CSS pixels: small cells are enlarged by a whole factor, more so if there are few columns."""
        target = 128 if len(self.columns) > 5 else 200
        return max(1, round(target / self.cell[1])) * self.image.shape[-1]

    @property
    def alt(self) -> str:
        """A text alternative for the image."""
        rows = len(self.rows) or 1
        grid = f" {rows} x {len(self.columns)} images." if self.columns else ""
        return f"{self.title}.{grid} {self.caption}".strip()

    @property
    def uri(self) -> str:
        """A base64 PNG; the gaps between cells are transparent, so that they show the page's colour."""
        cells = [torch.arange(side) % (cell + GAP) < cell for side, cell in zip(self.image.shape[1:], self.cell)]
        opaque = (cells[0][:, None] & cells[1]).to(torch.uint8) * 255
        whole = bool(opaque.all())
        return embed(self.image if whole else torch.cat([self.image.cpu(), opaque[None]]))


@dataclass(frozen=True)
class Cell:
    """One entry of a table."""

    text: str
    note: str = ""
    shade: float | None = None  # 0 .. 1, opacity of the cell's fill
    strong: bool = False
    missed: bool = False
    value: float | None = None  # by which a column is sorted


@dataclass(frozen=True)
class Table:
    """Rows of text or cells; a table of metrics includes their protocols."""

    title: str
    caption: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str | Cell]]
    protocols: Mapping[str, Protocol] | None = None
    sortable: bool = False
    kind: ClassVar[str] = "table"

    @property
    def look(self) -> str:
        """The style of the table: facts without a header, shaded counts, or columns of figures."""
        shaded = any(cell.shade is not None for row in self.cells for cell in row)
        return "facts" if not self.header else "counts" if shaded else "figures"

    @property
    def cells(self) -> list[list[Cell]]:
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Numbers:
    """Metrics, each with its interval and its protocol."""

    title: str
    caption: str
    measured: Mapping[str, Measured]
    kind: ClassVar[str] = "numbers"


@dataclass(frozen=True)
class Curve:
    """Lines over a common x-axis, as SVG; points that are not finite are left out.

    `across` labels the x-axis; `doubling` makes it logarithmic.
    """

    title: str
    caption: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    across: str = "step"
    doubling: bool = False
    kind: ClassVar[str] = "curve"
    size: ClassVar[tuple[int, int]] = PLOT

    @property
    def lines(self) -> dict[str, list[tuple[float, float]]]:
        lines = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in self.series.items()}
        return {name: points for name, points in lines.items() if points}

    @property
    def axes(self) -> tuple[Axis, Axis] | None:
        """The x- and y-axis; None if there are no points."""
        points = list(itertools.chain.from_iterable(self.lines.values()))
        if not points:
            return None
        xs, ys = zip(*points)
        up = round_values(min(ys), max(ys))
        span = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 0.5, max(xs) + 0.5)
        if self.doubling:  # the last value always has a label; a close value before it has none
            ticks = tuple(value for value in sorted(set(xs)) if value == span[1] or value <= 0.85 * span[1])
        else:
            ticks = tuple(value for value in round_values(min(xs), max(xs)) if span[0] <= value <= span[1])
        return Axis(*span, PLOT[0], ticks, self.doubling), Axis(up[0], up[-1], PLOT[1], up)

    @property
    def alt(self) -> str:
        """A text description of every line."""
        parts = [f"{name} from {number(line[0][1])} to {number(line[-1][1])}" for name, line in self.lines.items()]
        return f"{self.title}: {', '.join(parts)}"

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """The `points` of an SVG polyline; a single point is drawn as a dot."""
        if self.axes is None:
            return ""
        across, up = self.axes
        places = [f"{across.at(x)},{round(PLOT[1] - up.at(y), 1)}" for x, y in points]
        return " ".join(places * 2 if len(places) == 1 else places)


Item = Figure | Table | Numbers | Curve | Scatter | Steps | Wipe


@dataclass(frozen=True)
class Section:
    title: str
    text: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Report:
    title: str
    lead: str
    sections: Sequence[Section]


def write_report(path: str | Path, report: Report) -> Path:
    """Write one self-contained HTML file, which appears under its name only when complete."""
    write_text(Path(path), render(report))
    return Path(path)


def render(report: Report) -> str:
    """The report as HTML."""
    import jinja2

    engine = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    engine.filters |= {"number": number, "interval": interval, "words": words, "plain": plain}
    template = engine.from_string(part("report.html"))
    script = part("report.js") if any(moves(item) for section in report.sections for item in section.items) else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # the page runs nothing else
    return template.render(
        report=report, fields=Protocol.model_fields, version=version("variegate"), script=script, digest=digest
    )


def part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def moves(item: Item) -> bool:
    """Whether readers can move or sort it."""
    return isinstance(item, Steps | Wipe) or (isinstance(item, Table) and item.sortable)


def interval(measured: Measured) -> str:
    """The 95 % interval, with as many decimals as the value; empty if there is none."""
    if measured.ci is None:
        return ""
    return f"{number(measured.ci[0], measured.value)} – {number(measured.ci[1], measured.value)}"


def words(value: Any) -> str:
    """The value of a protocol field as text."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {entry}" for key, entry in value.items()) or "none"
    if isinstance(value, tuple) and value and all(isinstance(entry, int) for entry in value):
        return " × ".join(map(str, value))
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "none"
    return str(value)


def plain(name: str) -> str:
    """The name of a metric or field with spaces."""
    return name.replace("_", " ")
