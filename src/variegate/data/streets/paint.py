"""Streets, part two: painting, from a label map and factors to an image.

A label map is first refined into materials (leaf in the light, leaf in the shade, trunk, window frame, ...) by
comparing each pixel with its neighbours; then every material has one colour under given factors. Both steps
use only the label map and the factors, so a map painted by hand works as well as a drawn one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .scene import BUILDING, CAR, FACTORS, OVERSAMPLING, PAVEMENT, ROAD, ROOF, SKY, TREE, WINDOW, Bytes

Floats = npt.NDArray[np.float32]

SKY_BANDS = 64
MATERIALS = SKY_BANDS + 21
(
    FACADE, FACADE_SHADE, FACADE_GLOW, GLASS_PANE, GLASS_TOP, FRAME, TILES, RIDGE, LEAF, LEAF_LIGHT, LEAF_SHADE, TRUNK,
    SLABS, SLABS_SHADE, KERB, ASPHALT, ASPHALT_SHADE, DASH, COACH, COACH_TOP, COACH_SHADE,
) = range(SKY_BANDS, MATERIALS)  # fmt: skip

PAINTS = ((0.96, 0.88, 0.70), (0.78, 0.33, 0.25), (0.50, 0.72, 0.46), (0.38, 0.59, 0.88))
LEAVES = ((0.38, 0.62, 0.30), (0.90, 0.54, 0.17), (0.84, 0.89, 0.94))
ROOFS = ((0.55, 0.30, 0.28), (0.55, 0.30, 0.28), (0.93, 0.95, 0.98))
CARS = ((0.84, 0.18, 0.17), (0.96, 0.95, 0.93), (0.16, 0.36, 0.78), (0.99, 0.80, 0.16))
ROADS = ((0.53, 0.51, 0.52), (0.33, 0.37, 0.44))  # by weather: dry, wet
SKIES = (  # by time, then weather: zenith, horizon
    (((0.32, 0.60, 0.90), (0.84, 0.94, 0.98)), ((0.64, 0.68, 0.73), (0.86, 0.87, 0.88))),
    (((0.40, 0.29, 0.58), (1.00, 0.70, 0.42)), ((0.42, 0.38, 0.50), (0.70, 0.60, 0.66))),
    (((0.04, 0.06, 0.20), (0.20, 0.25, 0.48)), ((0.20, 0.21, 0.26), (0.38, 0.36, 0.38))),
)
LIGHT = (  # by time: colour = multiplier * colour + offset
    ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    ((0.90, 0.75, 0.70), (0.08, 0.01, 0.05)),
    ((0.56, 0.58, 0.68), (0.02, 0.03, 0.08)),
)
PANES = ((0.50, 0.69, 0.82), (1.00, 0.80, 0.42), (1.00, 0.85, 0.46))  # by time: glass, then lamps
GLOW = ((0.0, 0.0, 0.0), (0.06, 0.03, 0.0), (0.13, 0.08, 0.0))  # by time: lamp light on the wall
GRAIN = np.array([1.0, 2.5, 2.5, 4.0, 8.0, 3.0, 3.0, 2.0], np.float32)  # by class: texture, standard deviation / 255


def materials(labels: Bytes) -> Bytes:
    """Refine a label map (H, W) into materials by each pixel's neighbours; distances are fractions of the height."""
    height, width = labels.shape
    reach = math.ceil(0.08 * height) + 1
    padded = np.pad(labels, reach, mode="edge")

    def at(down: float, right: float) -> Bytes:
        y, x = (int(math.copysign(max(1, round(abs(d) * height)), d)) if d else 0 for d in (down, right))
        return padded[reach + y : reach + y + height, reach + x : reach + x + width]

    bands = (np.arange(height) * SKY_BANDS // height).astype(np.uint8)
    base = np.array([0, FACADE, GLASS_PANE, TILES, LEAF, SLABS, ASPHALT, COACH], np.uint8)
    result = base[labels]
    rows, columns = np.nonzero(labels == SKY)
    result[rows, columns] = bands[rows]

    def mark(label: int, where: npt.NDArray[np.bool_], material: int) -> None:
        result[(labels == label) & where] = material

    lamp = (at(0.012, 0) == WINDOW) | (at(-0.012, 0) == WINDOW) | (at(0, 0.012) == WINDOW) | (at(0, -0.012) == WINDOW)
    mark(BUILDING, lamp, FACADE_GLOW)
    mark(BUILDING, (at(-0.025, 0) == ROOF) | (at(-0.012, 0) == ROOF), FACADE_SHADE)
    mark(WINDOW, at(-0.022, 0) != WINDOW, GLASS_TOP)
    edge = (at(0, 0.005) == BUILDING) | (at(0, -0.005) == BUILDING) | (at(0.005, 0) == BUILDING)
    mark(WINDOW, edge | (at(-0.005, 0) == BUILDING), FRAME)
    mark(ROOF, (at(-0.014, 0) != ROOF), RIDGE)
    mark(TREE, at(-0.03, -0.03) != TREE, LEAF_LIGHT)
    mark(TREE, at(0.03, 0.025) != TREE, LEAF_SHADE)
    mark(TREE, (at(0, 0.025) != TREE) & (at(0, -0.025) != TREE) & (at(-0.04, 0) == TREE), TRUNK)
    shaded = (at(-0.02, 0) == TREE) | (at(-0.012, 0) == BUILDING)
    mark(PAVEMENT, shaded, SLABS_SHADE)
    mark(PAVEMENT, at(0.014, 0) == ROAD, KERB)
    mark_dashes(labels, result)
    arch = np.logical_or.reduce([at(-d, 0) == CAR for d in (0.02, 0.035, 0.05, 0.065, 0.08)])
    wheel = arch & ((at(-0.012, 0.05) == CAR) | (at(-0.012, -0.05) == CAR))
    mark(ROAD, wheel | (at(-0.012, 0) == CAR), ASPHALT_SHADE)
    mark(CAR, (at(-0.012, 0) != CAR) & (at(-0.012, 0) != WINDOW), COACH_TOP)
    mark(CAR, at(0.014, 0) == ROAD, COACH_SHADE)
    return result


def mark_dashes(labels: Bytes, result: Bytes) -> None:
    """Draw a dashed line along the middle of the rows that contain road."""
    rows = np.flatnonzero((labels == ROAD).mean(1) > 0.3)
    if not len(rows):
        return
    middle, thick = int(rows[0] * 0.48 + rows[-1] * 0.52), max(1, round(0.012 * labels.shape[0]))
    line = slice(middle, middle + thick)
    phase = np.arange(labels.shape[1]) / labels.shape[0] % 0.16 < 0.09
    result[line][(labels[line] == ROAD) & phase] = DASH


def colours(factors: Mapping[str, float]) -> Floats:
    """The colour of every material in [0, 1]: (materials, 3); between two times of day, those of both mixed."""
    time, paint, season, car, weather = (int(factors.get(factor.name, 0)) for factor in FACTORS)
    if passed := factors.get("time", 0) - time:
        before, after = ({**factors, "time": hour} for hour in (time, time + 1))
        return np.float32(1 - passed) * colours(before) + np.float32(passed) * colours(after)
    gain, offset = np.array(LIGHT[time])

    def lit(colour: Sequence[float], shade: float = 1.0) -> npt.NDArray[np.float64]:
        return (np.array(colour) * gain + offset) * shade

    zenith, horizon = np.array(SKIES[time][weather])
    table = np.zeros((MATERIALS, 3))
    table[:SKY_BANDS] = zenith + (horizon - zenith) * np.linspace(0, 1 / 0.48, SKY_BANDS).clip(0, 1)[:, None]
    facade, leaf, roof, coach, road = PAINTS[paint], LEAVES[season], ROOFS[season], CARS[car], ROADS[weather]
    table[FACADE], table[FACADE_SHADE], table[FACADE_GLOW] = lit(facade), lit(facade, 0.82), lit(facade) + GLOW[time]
    table[GLASS_PANE], table[GLASS_TOP] = PANES[time], np.array(PANES[time]) * (0.86 if time == 0 else 0.94)
    table[FRAME] = lit((0.97, 0.96, 0.93)) + GLOW[time]
    table[TILES], table[RIDGE] = lit(roof), lit(roof, 1.14)
    table[LEAF], table[LEAF_LIGHT], table[LEAF_SHADE] = lit(leaf), lit(leaf, 1.14), lit(leaf, 0.80)
    table[TRUNK] = lit((0.44, 0.31, 0.22))
    pavement = (0.80, 0.76, 0.70)
    table[SLABS], table[SLABS_SHADE], table[KERB] = lit(pavement), lit(pavement, 0.80), lit(pavement, 1.12)
    table[ASPHALT], table[ASPHALT_SHADE], table[DASH] = lit(road), lit(road, 0.42), lit((0.90, 0.88, 0.80))
    table[COACH], table[COACH_TOP], table[COACH_SHADE] = lit(coach), lit(coach, 1.12), lit(coach, 0.78)
    return table.clip(0, 1).astype(np.float32)


def render(labels: Bytes, factors: Mapping[str, float], rng: np.random.Generator | None) -> Bytes:
    """Paint an oversampled label map and average it down to uint8 (3, H, W). Without `rng` there is no texture."""
    k = OVERSAMPLING
    height, width = labels.shape[0] // k, labels.shape[1] // k
    fine = colours(factors).T.take(materials(labels), axis=1)  # (3, k H, k W)
    image = sum(fine[:, y::k, x::k] for y in range(k) for x in range(k)) * np.float32(255 / k**2)
    if rng is not None:
        grain = GRAIN[labels[k // 2 :: k, k // 2 :: k]]
        image += rng.standard_normal((height, width), np.float32) * grain
    return (image + 0.5).clip(0, 255).astype(np.uint8)


def enlarge(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Enlarge a map (H, W) to the resolution that `render` expects: every pixel becomes a square."""
    return labels.repeat(OVERSAMPLING, 0).repeat(OVERSAMPLING, 1)
