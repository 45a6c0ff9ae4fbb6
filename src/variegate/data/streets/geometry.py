"""Streets, part four: the positions of the named points of a drawn street, and the normals of its surfaces.

A survey draws the same shapes as the label map, with the index of each shape in place of its class, so that the shape
seen at each sample, and whether a point is hidden, are known exactly. Normals: x right, y up, z towards the viewer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .scene import (
    CAR,
    OVERSAMPLING,
    PAVEMENT,
    ROAD,
    ROOF,
    TREE,
    WINDOW,
    Canvas,
    Point,
    draw_street,
    draw_traffic,
)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Facing = Callable[[Doubles, Doubles], Sequence[Doubles | float]]  # samples x, y (n,) -> normals x, y, z

HOUSE = ("eaves left", "eaves right", "ground left", "ground right", "roof left", "roof right")
PLANT = ("tree top", "tree foot")
VEHICLE = ("car front", "car back", "front wheel", "back wheel")
FLAT = {ROOF: (0.0, 0.6, 0.8), PAVEMENT: (0.0, 1.0, 0.0), ROAD: (0.0, 1.0, 0.0)}  # all others face the viewer


def survey(size: tuple[int, int], rng: np.random.Generator) -> Survey:
    """Survey the street that `draw_labels` draws with the same random numbers."""
    found = Survey(size)
    draw_traffic(found, draw_street(found, rng), rng)
    return found


def point_names(size: tuple[int, int]) -> list[str]:
    """Names of the points of streets of (H, W), for the maximum number of houses, trees and cars, in drawing order."""
    width = size[1] / size[0]
    most = {HOUSE: max(1, round(4 * width)), PLANT: max(1, round(3 * width)), VEHICLE: 2 * max(1, round(width * 0.7))}
    return [f"{name} {i}" for names, count in most.items() for i in range(count) for name in names]


def point_count(size: tuple[int, int]) -> int:
    """Number of points of streets of (H, W)."""
    return len(point_names(size))


class Survey(Canvas):
    """A canvas that also records the index of the shape seen at every sample, 0 for the sky. Windows are not shapes of
    their own: they have the normals of the shape that contains them."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size
        self.numbers = Canvas(size, "I")
        self.facing: list[Facing] = [lambda x, y: (0.0, 0.0, 0.0)]
        self.marks: dict[str, tuple[int, int, int]] = {}  # name with its number -> sample x, y, shape

    def box(self, left: float, top: float, right: float, bottom: float, label: int) -> None:
        super().box(left, top, right, bottom, label)
        if label != WINDOW:
            self.numbers.box(left, top, right, bottom, len(self.facing))
            trunk = self._round((left + right) / 2, 0, (right - left) / 2, np.inf)
            self.facing.append(trunk if label == TREE else _flat(label))

    def polygon(self, points: Sequence[Point], label: int) -> None:
        super().polygon(points, label)
        if label != WINDOW:
            self.numbers.polygon(points, len(self.facing))
            shape = {TREE: self._cone, CAR: self._coachwork}.get(label)
            self.facing.append(_flat(label) if shape is None else shape(points))

    def disc(self, x: float, y: float, radius_x: float, radius_y: float, label: int) -> None:
        super().disc(x, y, radius_x, radius_y, label)
        if label != WINDOW:
            self.numbers.disc(x, y, radius_x, radius_y, len(self.facing))
            self.facing.append(self._round(x, y, radius_x, radius_y) if label == TREE else _flat(label))

    def mark(self, name: str, x: float, y: float) -> None:
        column, row = math.floor(x * self.scale), math.floor(y * self.scale)
        number = sum(known.rpartition(" ")[0] == name for known in self.marks)
        self.marks[f"{name} {number}"] = column, row, self.shape_at(column, row)

    def shape_at(self, column: int, row: int) -> int:
        """The index of the shape at a sample, -1 outside."""
        inside = 0 <= column < self.image.width and 0 <= row < self.image.height
        return int(self.numbers.image.getpixel((column, row))) if inside else -1  # type: ignore[arg-type]

    def landmarks(self) -> Floats:
        """x, y (P, 2) in pixels of the points in `point_names`; NaN for points that are absent, hidden or outside."""
        names = point_names(self.size)
        points = np.full((len(names), 2), np.nan, np.float32)
        for p, name in enumerate(names):
            column, row, shape = self.marks.get(name, (-1, -1, -1))
            if shape >= 0 and self.shape_at(column, row) == shape:
                points[p] = column, row
        return ((points - OVERSAMPLING // 2) / OVERSAMPLING).astype(np.float32)

    def normals(self) -> Floats:
        """Unit vectors (H, W, 3) at the centre of every pixel, where a layout takes its class; zero in the sky."""
        middle = OVERSAMPLING // 2
        numbers = np.array(self.numbers.image)[middle::OVERSAMPLING, middle::OVERSAMPLING]
        vectors = np.zeros((*numbers.shape, 3))
        for number in np.unique(numbers):
            rows, columns = np.nonzero(numbers == number)
            x, y = (v.astype(np.float64) * OVERSAMPLING + middle for v in (columns, rows))
            for axis, value in enumerate(self.facing[number](x, y)):
                vectors[rows, columns, axis] = value
        length = np.linalg.norm(vectors, axis=2, keepdims=True)
        return (vectors / np.where(length > 0, length, 1)).astype(np.float32)

    def _round(self, x: float, y: float, radius_x: float, radius_y: float) -> Facing:
        """Normals of an ellipsoid; of a cylinder if one radius is infinite."""
        middle_x, middle_y, half_x, half_y = (value * self.scale for value in (x, y, radius_x, radius_y))

        def facing(x: Doubles, y: Doubles) -> Sequence[Doubles]:
            right, down = ((x - middle_x) / half_x).clip(-1, 1), ((y - middle_y) / half_y).clip(-1, 1)
            return right, -down, np.sqrt((1 - right**2 - down**2).clip(0))

        return facing

    def _cone(self, points: Sequence[Point]) -> Facing:
        """Normals of a cone drawn as a triangle: left foot, apex, right foot."""
        (left, base), (apex_x, apex_y), (right, _) = ((x * self.scale, y * self.scale) for x, y in points)
        half, height = (right - left) / 2, base - apex_y
        steep, flat = height / np.hypot(half, height), half / np.hypot(half, height)

        def facing(x: Doubles, y: Doubles) -> Sequence[Doubles | float]:
            side = ((x - apex_x) / (half * (y - apex_y) / height).clip(1e-6)).clip(-1, 1)
            return side * steep, flat, np.sqrt(1 - side**2) * steep

        return facing

    def _coachwork(self, points: Sequence[Point]) -> Facing:
        """Normals of a bulging side: facing up at the roof, down at the sill, and slightly outwards at both ends."""
        xs, ys = ([value * self.scale for value in side] for side in zip(*points))
        middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        half_x, half_y = (max(xs) - min(xs)) / 2, (max(ys) - min(ys)) / 2

        def facing(x: Doubles, y: Doubles) -> Sequence[Doubles]:
            right = 0.6 * ((x - middle_x) / half_x).clip(-1, 1) ** 3
            up = -0.7 * ((y - middle_y) / half_y).clip(-1, 1)
            return right, up, np.sqrt(1 - right**2 - up**2)

        return facing


def _flat(label: int) -> Facing:
    normal = FLAT.get(label, (0.0, 0.0, 1.0))
    return lambda x, y: normal
