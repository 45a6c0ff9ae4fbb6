"""Derived conditions and classes in the words of `variegate data check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ...core.interfaces import Size
from ..derived.derived import Derived

MOST = 20  # classes listed individually


def details(derived: Derived | None, size: Size) -> str:
    """A clause on what is derived from images of (H, W); empty if the name of the condition says it all."""
    told = derived.explain(size) if derived is not None else ""
    return f": {told}" if told else ""


def lonely(classes: Sequence[str], labels: Iterable[int], where: str) -> list[str]:
    """One sentence for each class with only one image or none."""
    counts = Counter(labels)
    found = {name: counts[number] for number, name in enumerate(classes)}
    shown = [name for name, count in found.items() if count < 2]
    told = [
        f"{where}: class {name!r} has {'one image' if found[name] else 'no images'} to train on, "
        "too few to learn it from; add some, or delete the class"
        for name in shown[:MOST]
    ]
    more = len(shown) - MOST
    return told + [f"{where}: the same is true of {more} more classes"] * (more > 0)


def class_shares(classes: Sequence[str], labels: Iterable[int]) -> list[tuple[str, float]]:
    """Name of each class and its share of the images, if they are few enough to be listed."""
    counts = Counter(labels)
    total = max(1, sum(counts.values()))
    return [(name, counts[i] / total) for i, name in enumerate(classes)] if len(classes) <= MOST else []
