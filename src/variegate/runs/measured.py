"""Values that say how they were measured: the protocol record and the measured value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Self

from pydantic import Field

from ..core.config import Config
from ..core.errors import ConfigError, DataError

Better = Literal["higher", "lower", "nearer to 1", "nearer to 0.5", "nearer to 0.9"]


class Protocol(Config):
    """Everything needed to reproduce a measurement."""

    name: str
    metric: str = Field(description="what is computed, in words, with the variant")
    libraries: dict[str, str] = Field(description="package -> version of what computes it")
    extractor: str | None = Field(default=None, description="network whose features are compared; None: pixels")
    weights: dict[str, str] = Field(default={}, description="weights -> first 12 hex digits of their sha256")
    resize: str = Field(default="none", description="how images are resized before measuring")
    value_range: str = Field(description="value range of the images as the metric sees them")
    inputs: int | None = Field(default=None, ge=0, description="conditions")
    samples: int | None = Field(default=None, ge=0, description="images per condition")
    pairs: str | None = Field(default=None, description="how many per condition, and which of its samples they combine")
    seed: int | None = Field(default=None, description="for choosing pairs or subsets; None: nothing is random")
    size: tuple[int, int] | None = Field(default=None, description="H, W of the images as given")
    drawn: tuple[str, ...] = Field(default=(), description="how samples were drawn, which may differ between methods")
    details: tuple[str, ...] = Field(default=(), description="what was found besides the value, and in which files")
    notes: tuple[str, ...] = Field(default=(), description="what readers must know before comparing values")


class Measured(Config):
    """One value with its protocol, which is required; the value must be finite."""

    value: float = Field(allow_inf_nan=False)
    ci: tuple[float, float] | None = Field(default=None, description="95 % interval of the mean over conditions")
    n: int = Field(ge=1, description="number of conditions (or images, for distances of sets) behind the value")
    unit: str
    better: Better
    protocol: Protocol
    values: tuple[float, ...] | None = Field(default=None, exclude=True, repr=False, description="of each condition")

    @classmethod
    def mean(cls, values: Sequence[float], *, unit: str, better: Better, protocol: Protocol) -> Self:
        """Mean over conditions, with Student's 95 % interval (none for a single condition).

        Raises:
            DataError: there are no values, or one of them is not finite.
        """
        if not values:
            raise DataError(f"{protocol.name}: nothing was measured; at least one condition is needed")
        wrong = [index for index, value in enumerate(values) if not math.isfinite(value)]
        if wrong:
            raise DataError(
                f"{protocol.name}: condition {wrong[0]} gives {values[wrong[0]]}; check its images for NaN or infinity"
            )
        average, interval = student(values)
        if interval and unit == "share":
            interval = max(0.0, interval[0]), min(1.0, interval[1])
        each = tuple(values)
        return cls(value=average, ci=interval, n=len(each), unit=unit, better=better, protocol=protocol, values=each)


def student(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Mean and its 95 % interval by Student's t with n - 1 degrees of freedom; no interval for n = 1."""
    n = len(values)
    average = math.fsum(values) / n
    if n < 2:
        return average, None
    from scipy import special

    variance = math.fsum((value - average) ** 2 for value in values) / (n - 1)
    half = float(special.stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    return average, (average - half, average + half)


def libraries(*names: str) -> dict[str, str]:
    """Installed versions of the named packages; "absent" for those not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


class Results:
    """Measured values by name; written as `{protocol: {name: {...}}, metrics: {name: {value, ci, n, ...}}}`."""

    def __init__(self, measured: Mapping[str, Measured] | None = None) -> None:
        self.measured: dict[str, Measured] = {}
        self.add(measured or {})

    def add(self, measured: Mapping[str, Measured]) -> None:
        """Add values; a name already taken is refused, so that no value silently replaces another."""
        taken = sorted(set(measured) & set(self.measured))
        if taken:
            raise ConfigError(f"{taken[0]} was measured twice; give the second one another name")
        self.measured.update(measured)

    def remark(self, note: str, **changes: Any) -> None:
        """Add a note to the protocol of every value so far, and change its fields."""
        for name, one in self.measured.items():
            record = one.protocol.model_copy(update={**changes, "notes": (*one.protocol.notes, note)})
            self.measured[name] = one.model_copy(update={"protocol": record})

    def record(self, field: Literal["drawn", "details"], told: str) -> None:
        """Add to what may differ between values that can be compared, for every value so far."""
        for name, one in self.measured.items():
            changed = one.protocol.model_copy(update={field: (*getattr(one.protocol, field), told)})
            self.measured[name] = one.model_copy(update={"protocol": changed})

    def to_dict(self) -> dict[str, Any]:
        """Plain data; both halves have the same keys, so that every value is found with its protocol."""
        records = {name: value.model_dump(mode="json") for name, value in self.measured.items()}
        protocols = {name: record.pop("protocol") for name, record in records.items()}
        return {"protocol": protocols, "metrics": records}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; a metric without its protocol is refused."""
        protocols = content.get("protocol", {})
        lost = sorted(set(content.get("metrics", {})) - set(protocols))
        if lost:
            raise DataError(f"the metric {lost[0]} has no protocol, so its meaning is unknown; measure it again")
        metrics = content.get("metrics", {})
        return cls({name: Measured(**record, protocol=protocols[name]) for name, record in metrics.items()})
