"""SVG scatter plot of diversity against accuracy: one dot per model, with its name in a free place nearby."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import ClassVar, NamedTuple

from PIL import ImageFont

from ...runs.measured import Protocol
from .axes import Axis, number, round_values

SIZE = (420, 300)  # width and height of the drawing area, without axis labels
LEFT, TOP, RIGHT, BOTTOM = 56, 26, 16, 46  # margins
FONT, LINE, DOT = 11, 14, 4.5  # pixels: font size, height of a label, radius of a dot
COLOURS = ("#a8452c", "#2f6f8f", "#6f7f2b", "#7a4f93", "#b0851c", "#4d4d4d")
INK, SOFT, RULE = "#1d1c1a", "#67635c", "#e3dfd6"
TURNS = (0, 180, 270, 90, *(turn for turn in range(15, 360, 15) if turn % 90))  # angles to try for names, best first
FARTHEST = 160  # maximum distance of a name from its dot, in pixels


class Box(NamedTuple):
    """A rectangle of the drawing area; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, x: float, y: float) -> bool:
        return self.left < x < self.right and self.top < y < self.bottom

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the box nearest to (x, y)."""
        return min(max(x, self.left), self.right), min(max(y, self.top), self.bottom)


class Label(NamedTuple):
    """The position of a name, and whether a line must connect it to its dot."""

    name: str
    dot: tuple[float, float]
    box: Box
    joined: bool

    def line(self) -> Iterator[tuple[float, float]]:
        """Points along the line from the dot to the name."""
        end = self.box.nearest(*self.dot)
        for step in range(25):
            share = step / 24
            yield self.dot[0] + share * (end[0] - self.dot[0]), self.dot[1] + share * (end[1] - self.dot[1])


@dataclass(frozen=True)
class Scatter:
    """Points (diversity, accuracy) by name; points that are not finite are left out.

    `across` and `up` label the axes and say which end is better; `protocols` say how they were measured.
    """

    points: Mapping[str, tuple[float, float]]
    title: str = "Diversity and accuracy"
    caption: str = ""
    across: str = "diversity"
    up: str = "accuracy"
    protocols: Mapping[str, Protocol] | None = None
    kind: ClassVar[str] = "scatter"

    @cached_property
    def finite(self) -> dict[str, tuple[float, float]]:
        return {name: point for name, point in self.points.items() if all(map(math.isfinite, point))}

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """x and y, with round values at both ends."""
        columns = zip(*self.finite.values()) if self.finite else ((0.0, 1.0), (0.0, 1.0))
        ticks = [round_values(min(values), max(values)) for values in columns]
        across, up = (Axis(one[0], one[-1], length, one) for one, length in zip(ticks, SIZE))
        return across, up

    @cached_property
    def labels(self) -> list[Label]:
        """A place for each name that overlaps no other name, dot or line; if there is none, next to the plot."""
        across, up = self.axes
        dots = {name: (across.at(x), SIZE[1] - up.at(y)) for name, (x, y) in self.finite.items()}
        reach = DOT + 1
        taken = [Box(x - reach, y - reach, x + reach, y + reach) for x, y in dots.values()]
        placed: list[Label] = []
        for name, dot in dots.items():
            value = ", ".join(map(number, self.finite[name]))
            placed.append(place(name, dot, value, taken, placed))
        return placed

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole image, including names next to the drawing area."""
        right = max([SIZE[0], *(label.box.right for label in self.labels)])
        low = max([SIZE[1] + BOTTOM, *(label.box.bottom for label in self.labels)])
        return math.ceil(LEFT + right + RIGHT), math.ceil(TOP + low)

    @property
    def alt(self) -> str:
        """A text description of the image."""
        parts = [f"{name} at {number(x)}, {number(y)}" for name, (x, y) in self.finite.items()]
        return f"{self.title}. {self.across} and {self.up}: {'; '.join(parts) or 'no point'}."

    @property
    def svg(self) -> str:
        """The image as standalone SVG; in a report, it takes the page's colours."""
        width, height = self.size
        lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-LEFT} {-TOP} {width} {height}" role="img" ']
        lines[0] += f'font-family="sans-serif" font-size="{FONT}" aria-label="{escape(self.alt)}">'
        for x, y, anchor, text in self.words():
            lines.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{SOFT}">{escape(text)}</text>')
        for x1, y1, x2, y2 in self.rules():
            ends = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
            lines.append(f'<line class="rule" {ends} stroke="{RULE}"/>')
        for index, label in enumerate(self.labels):
            colour = f"var(--c{index % len(COLOURS)}, {COLOURS[index % len(COLOURS)]})"
            x, y = label.dot
            if label.joined:
                end = label.box.nearest(x, y)
                ends = f'x1="{x}" y1="{y}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
                lines.append(f'<line {ends} style="stroke: {colour}"/>')
            lines.append(f'<circle cx="{x}" cy="{y}" r="{DOT}" style="fill: {colour}"/>')
            ink = f'style="fill: var(--ink, {INK})"'
            left, base = f"{label.box.left + 2:.1f}", f"{label.box.bottom - 3.5:.1f}"
            lines.append(f'<text x="{left}" y="{base}" {ink}>{escape(label.name)}</text>')
        return "\n".join([*lines, "</svg>"])

    def words(self) -> Iterator[tuple[float, float, str, str]]:
        """x, y, anchor and text of the axis labels."""
        across, up = self.axes
        for value in across.ticks:
            yield across.at(value), SIZE[1] + 18, "middle", f"{value:,.10g}"
        for value in up.ticks:
            yield -8, SIZE[1] - up.at(value) + 4, "end", f"{value:,.10g}"
        yield SIZE[0], SIZE[1] + 38, "end", self.across
        yield -LEFT + 4, -14, "start", self.up

    def rules(self) -> Iterator[tuple[float, float, float, float]]:
        """End points of the grid lines."""
        across, up = self.axes
        for value in across.ticks:
            yield across.at(value), 0, across.at(value), SIZE[1]
        for value in up.ticks:
            yield 0, SIZE[1] - up.at(value), SIZE[0], SIZE[1] - up.at(value)


def width_of(name: str) -> float:
    """The width of a name in pixels, with a margin because fonts differ between viewers."""
    return 1.12 * float(ImageFont.load_default(FONT).getlength(name)) + 4


def place(name: str, dot: tuple[float, float], value: str, taken: list[Box], placed: list[Label]) -> Label:
    """The free place for a name nearest to its dot; if there is none, next to the drawing area, with its value."""
    width = width_of(name)
    for distance in range(0, FARTHEST, 6):
        for turn in TURNS:
            label = Label(name, dot, beside(dot, width, distance + DOT + 2, turn), distance > 6)
            if inside(label.box) and free(label, taken, placed):
                return label
    rows = sum(label.box.left > SIZE[0] for label in placed)
    text, left, top = f"{name} ({value})", SIZE[0] + 12, rows * LINE
    return Label(text, dot, Box(left, top, left + width_of(text), top + LINE), False)


def beside(dot: tuple[float, float], width: float, distance: float, turn: int) -> Box:
    """The box of a label at a distance from a dot, `turn` degrees clockwise from the right."""
    right, down = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    left = dot[0] + right * (distance + width / 2) - width / 2
    top = dot[1] + down * (distance + LINE / 2) - LINE / 2
    return Box(left, top, left + width, top + LINE)


def inside(box: Box) -> bool:
    return box.left >= 0 and box.top >= 0 and box.right <= SIZE[0] and box.bottom <= SIZE[1]


def free(label: Label, taken: list[Box], placed: list[Label]) -> bool:
    """Whether a label and its line overlap no dot (`taken`), no other label, and no other label's line."""
    if any(label.box.meets(one) for one in taken):
        return False
    own = [at for at in label.line() if label.joined]
    if any(one.holds(*at) and not one.holds(*label.dot) for at in own for one in taken):
        return False
    for other in placed:
        if label.box.meets(other.box) or (other.joined and any(label.box.holds(*at) for at in other.line())):
            return False
        if any(other.box.holds(*at) for at in own):
            return False
    return True
