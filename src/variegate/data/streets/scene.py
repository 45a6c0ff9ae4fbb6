"""Streets, part one: eight classes, five hidden factors, and the random geometry of a street.

Lengths are in units of the image height, so a street looks the same at any resolution; y points down and x runs from 0
to the aspect ratio W / H: a wider image shows a longer street.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Bytes = npt.NDArray[np.uint8]
Point = tuple[float, float]

CLASSES = ("sky", "building", "window", "roof", "tree", "pavement", "road", "car")
SKY, BUILDING, WINDOW, ROOF, TREE, PAVEMENT, ROAD, CAR = range(8)
PALETTE = (  # RGB, to display label maps
    (142, 202, 230),
    (232, 184, 140),
    (255, 236, 153),
    (188, 71, 73),
    (106, 153, 78),
    (214, 208, 200),
    (92, 95, 112),
    (111, 66, 193),
)
OVERSAMPLING = 3  # odd, so that a pixel's centre is a sample


class Factor(NamedTuple):
    """One hidden cause of the image: its values, their odds, and the classes whose colour it changes."""

    name: str
    values: tuple[str, ...]
    odds: tuple[float, ...]
    classes: tuple[int, ...]


FACTORS = (
    Factor("time", ("day", "dusk", "night"), (0.50, 0.30, 0.20), tuple(range(8))),
    Factor("paint", ("cream", "brick", "sage", "blue"), (0.40, 0.30, 0.20, 0.10), (BUILDING,)),
    Factor("season", ("summer", "autumn", "winter"), (0.60, 0.25, 0.15), (ROOF, TREE)),
    Factor("car", ("red", "white", "blue", "yellow"), (0.40, 0.30, 0.20, 0.10), (CAR,)),
    Factor("weather", ("clear", "overcast"), (0.70, 0.30), (SKY, ROAD)),
)


class Canvas:
    """A label map at OVERSAMPLING times the resolution of `size` (H, W), drawn back to front."""

    def __init__(self, size: tuple[int, int], mode: str = "L") -> None:
        self.scale = size[0] * OVERSAMPLING
        self.within = 0.5 / self.scale  # half a sample: boxes are rounded, all other shapes are rounded down
        self.width = size[1] / size[0]
        self.image = Image.new(mode, (size[1] * OVERSAMPLING, self.scale), SKY)
        self.pen = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, label: int) -> None:
        x0, y0, x1, y1 = (round(value * self.scale) for value in (left, top, right, bottom))
        self.pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), fill=label)

    def polygon(self, points: Sequence[Point], label: int) -> None:
        self.pen.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=label)

    def disc(self, x: float, y: float, radius_x: float, radius_y: float, label: int) -> None:
        corners = (x - radius_x, y - radius_y, x + radius_x, y + radius_y)
        self.pen.ellipse([value * self.scale for value in corners], fill=label)

    def mark(self, name: str, x: float, y: float) -> None:
        """Record where a named point of the last shapes is; label maps ignore it."""


def draw_labels(size: tuple[int, int], rng: np.random.Generator) -> Bytes:
    """Draw a random street as a label map (H * OVERSAMPLING, W * OVERSAMPLING)."""
    canvas = Canvas(size)
    draw_traffic(canvas, draw_street(canvas, rng), rng)
    return np.asarray(canvas.image)


def draw_passing_car(size: tuple[int, int], progress: float, rng: np.random.Generator) -> Bytes:
    """Draw a random street with one car, half outside on the left at progress 0 and half outside on the right at 1."""
    canvas = Canvas(size)
    kerb, length = draw_street(canvas, rng), rng.uniform(0.33, 0.38)
    draw_car(canvas, progress * canvas.width - length / 2, kerb + (1 - kerb) * 0.7, length, mirrored=True)
    return np.asarray(canvas.image)


def draw_street(canvas: Canvas, rng: np.random.Generator) -> float:
    """Draw everything but cars; returns the y at which the road begins."""
    ground = rng.uniform(0.65, 0.70)
    kerb = ground + rng.uniform(0.08, 0.10)
    count = max(1, round(rng.integers(2, 5) * canvas.width))
    shares = rng.uniform(0.8, 1.25, count)
    edges = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()]) * canvas.width
    for left, right in pairwise(edges):
        draw_house(canvas, left + 0.012, right - 0.012, ground, rng)
    canvas.box(0, ground, canvas.width, kerb, PAVEMENT)
    canvas.box(0, kerb, canvas.width, 1, ROAD)
    trees = max(1, round(rng.integers(1, 4) * canvas.width))
    for position in range(trees):
        x = (position + rng.uniform(0.2, 0.8)) / trees * canvas.width
        draw_tree(canvas, x, ground + rng.uniform(0.02, 0.06), rng)
    return float(kerb)


def draw_house(canvas: Canvas, left: float, right: float, ground: float, rng: np.random.Generator) -> None:
    """Draw a facade with two or three floors of windows and a door or a shop, under one of three roofs."""
    height = rng.uniform(0.38, 0.52)
    eaves = ground - height
    canvas.box(left, eaves, right, ground, BUILDING)
    draw_roof(canvas, left, right, eaves, rng)
    floors = 2 if height < 0.43 else 3
    floor = height / floors
    columns = max(1, round((right - left) / 0.12))
    pitch = (right - left) / columns
    glass_x, glass_y = pitch * rng.uniform(0.36, 0.46), floor * rng.uniform(0.40, 0.50)
    door, shop = rng.integers(columns), rng.random() < 0.35
    for row in range(floors):
        for column in range(columns):
            x = left + (column + 0.5) * pitch
            top = eaves + row * floor + floor * 0.24
            on_ground = row == floors - 1
            bottom = ground if on_ground and column == door else top + glass_y
            if not (on_ground and shop):
                canvas.box(x - glass_x / 2, top, x + glass_x / 2, bottom, WINDOW)
    if shop:
        draw_shop(canvas, left, right, ground - floor, ground, rng)
    for side, x in (("left", left + canvas.within), ("right", right - canvas.within)):
        canvas.mark(f"eaves {side}", x, eaves + canvas.within)
        canvas.mark(f"ground {side}", x, ground - canvas.within)


def draw_shop(canvas: Canvas, left: float, right: float, top: float, ground: float, rng: np.random.Generator) -> None:
    """Draw a shop front of glass with an awning."""
    margin = (right - left) * rng.uniform(0.10, 0.16)
    canvas.box(left + margin, top + 0.05, right - margin, ground - 0.03, WINDOW)
    awning = [(left + margin, top + 0.015), (right - margin, top + 0.015)]
    awning += [(right - margin * 0.5, top + 0.06), (left + margin * 0.5, top + 0.06)]
    canvas.polygon(awning, ROOF)


def draw_roof(canvas: Canvas, left: float, right: float, eaves: float, rng: np.random.Generator) -> None:
    """Draw a flat cornice, a gable or a hipped roof; the last two may have a chimney."""
    kind, chimney = rng.integers(3), rng.random() < 0.6
    rise = min(rng.uniform(0.11, 0.16), (right - left) * 0.7, eaves - 0.03)
    middle = (left + right) / 2
    x = left + (right - left) * 0.72
    if kind == 0:
        canvas.box(left - 0.010, eaves - 0.04, right + 0.010, eaves, ROOF)
        canvas.mark("roof left", left + canvas.within, eaves - 0.04 + canvas.within)
        canvas.mark("roof right", right - canvas.within, eaves - 0.04 + canvas.within)
        return
    if chimney:
        canvas.box(x - 0.018, eaves - rise * 1.05, x + 0.018, eaves, ROOF)
    inset = middle - left if kind == 1 else (right - left) * 0.22
    top = eaves - rise
    overhang = 0.016
    canvas.polygon(
        [(left - overhang, eaves), (left + inset, top), (right - inset, top), (right + overhang, eaves)], ROOF
    )
    if kind == 1:
        canvas.disc(middle, eaves - rise * 0.36, 0.024, 0.024, WINDOW)
    canvas.mark("roof left", left + inset, top)
    canvas.mark("roof right", right - inset, top)


def draw_tree(canvas: Canvas, x: float, foot: float, rng: np.random.Generator) -> None:
    """Draw a round, conical or tall tree, including its trunk."""
    kind, radius, stem = rng.integers(3), rng.uniform(0.075, 0.105), rng.uniform(0.09, 0.13)
    canvas.box(x - 0.012, foot - stem - radius * 0.6, x + 0.012, foot, TREE)
    middle = foot - stem - radius * 0.8
    top = middle - radius * (1.45 if kind == 0 else 2.1)
    if kind == 0:
        canvas.disc(x - radius * 0.45, middle, radius * 0.75, radius * 0.75, TREE)
        canvas.disc(x + radius * 0.45, middle, radius * 0.75, radius * 0.75, TREE)
        canvas.disc(x, middle - radius * 0.65, radius * 0.8, radius * 0.8, TREE)
    elif kind == 1:
        for tier in range(3):
            base, half = foot - stem * 0.7 - tier * radius * 0.75, radius * (1.05 - 0.22 * tier)
            canvas.polygon([(x - half, base), (x, base - radius * 1.35), (x + half, base)], TREE)
        top = base - radius * 1.35
    else:
        canvas.disc(x, middle - radius * 0.5, radius * 0.75, radius * 1.6, TREE)
    canvas.mark("tree top", x, top)
    canvas.mark("tree foot", x, foot - canvas.within)


def draw_traffic(canvas: Canvas, kerb: float, rng: np.random.Generator) -> None:
    """Draw one car, or two in two lanes; more on a longer street."""
    per_lane = max(1, round(canvas.width * 0.7))
    lanes = (0.48, 0.90) if rng.random() < 0.5 else (rng.choice([0.5, 0.7, 0.88]),)
    far_is_left = rng.random() < 0.5
    for number, lane in enumerate(lanes):
        bottom = kerb + (1 - kerb) * lane
        low, high = (0.0, 1.0) if len(lanes) == 1 else (0.0, 0.22) if (number == 0) == far_is_left else (0.78, 1.0)
        for position in range(per_lane):
            length = rng.uniform(0.33, 0.38)
            room = canvas.width / per_lane
            left = position * room + rng.uniform(low, high) * max(0.0, room - length)
            draw_car(canvas, left, bottom, length, bool(rng.random() < 0.5))


HOOD = ((0.0, 0.06), (0.0, 0.20), (0.03, 0.24), (0.20, 0.26), (0.32, 0.42))
BODY = (*HOOD, (0.70, 0.42), (0.84, 0.27), (0.97, 0.23), (1.0, 0.18), (1.0, 0.06))
GLASS = (
    ((0.29, 0.27), (0.36, 0.37), (0.49, 0.37), (0.49, 0.27)),
    ((0.54, 0.27), (0.54, 0.37), (0.67, 0.37), (0.75, 0.27)),
)


def draw_car(canvas: Canvas, left: float, bottom: float, length: float, mirrored: bool) -> None:
    """Draw a side view. The wheels are holes through which the road shows; painting shades them."""

    def place(points: Sequence[Point]) -> list[Point]:
        return [(left + length * (1 - x if mirrored else x), bottom - length * y) for x, y in points]

    canvas.polygon(place(BODY), CAR)
    for pane in GLASS:
        canvas.polygon(place(pane), WINDOW)
    wheels = place(((0.22, 0.11), (0.78, 0.11)))
    for x, y in wheels:
        canvas.disc(x, y, length * 0.085, length * 0.085, ROAD)
    for name, (x, y) in zip(("car front", "car back"), place(((0.01, 0.13), (0.99, 0.13)))):
        canvas.mark(name, x, y)
    for name, (x, y) in zip(("front wheel", "back wheel"), wheels):
        canvas.mark(name, x, y)
