"""Plot axes with round tick values, and number formatting."""

from __future__ import annotations

import math
from typing import NamedTuple

PLOT = (400, 190)  # width and height of a curve's drawing area, without labels


class Axis(NamedTuple):
    """Maps values to positions along `length` pixels; `ticks` are labelled; `doubling` makes the scale logarithmic."""

    low: float
    high: float
    length: float
    ticks: tuple[float, ...]
    doubling: bool = False

    def at(self, value: float) -> float:
        low, high, value = (math.log2(one) if self.doubling else one for one in (self.low, self.high, value))
        return round((value - low) / (high - low) * self.length, 1)


def round_values(low: float, high: float, about: int = 4) -> tuple[float, ...]:
    """Equally spaced round values, the first at most `low` and the last at least `high`."""
    if not high > low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9)) * power
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{place * step:.10g}") for place in range(first, last + 1))


def decimals(value: float) -> int:
    """The number of decimals to show: three or four significant digits."""
    size = abs(value)
    return 5 if 0 < size < 0.01 else 4 if 0 < size < 0.1 else 3 if size < 10 else 1 if size < 1000 else 0


def number(value: float, like: float | None = None) -> str:
    """A value as text, with the number of decimals that suits it, or `like`."""
    return f"{value:,.{decimals(value if like is None else like)}f}"
