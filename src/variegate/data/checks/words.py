"""Conditions and classes in the words of `variegate data check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..conditions.labels import AnyCondition, ClassName, Labels, Landmarks, Normals, Nothing, Several, Vector

MOST = 20  # classes that are listed


def words(condition: AnyCondition) -> str:
    """What a condition is."""
    if isinstance(condition, Several):
        return " and ".join(words(part) for part in condition.parts)
    if isinstance(condition, Nothing):
        return "none: a model of images alone"
    if isinstance(condition, ClassName):
        shown = ", ".join(condition.names[:5]) + ", ..." * (condition.channels > 5)
        return f"one of {condition.channels} classes ({shown})"
    if isinstance(condition, Vector):
        return f"vectors of {condition.length} numbers in {condition.file}"
    if isinstance(condition, Landmarks):
        shape = f"blobs of {condition.heat:g} pixels" if condition.heat else "one pixel each"
        return f"{condition.points} landmarks, {shape}"
    if isinstance(condition, Normals):
        return "surface normals"
    if isinstance(condition, Labels):
        void = f", of which {condition.names[condition.void]!r} is unlabelled" if condition.void is not None else ""
        street = ", the classes of Cityscapes" if condition.numbering is not None else ""
        return (
            f"label maps with {condition.classes} classes{street}{void}{', and instance maps' * condition.boundaries}"
        )
    made = f", made from the image: {condition.derived}" if condition.derived else ""
    what = {1: "grey pictures", 3: "colour pictures", 4: "colour pictures with a hole and its mask"}
    return f"{what[condition.channels]}{made}"


def lonely(classes: Sequence[str], labels: Iterable[int], where: str) -> list[str]:
    """A sentence for each class with one image only, or none."""
    counts = Counter(labels)
    found = {name: counts[number] for number, name in enumerate(classes)}
    shown = [name for name, count in found.items() if count < 2]
    told = [
        f"{where}: class {name!r} has {'one image' if found[name] else 'no images'} to train on, from which "
        "nothing can be learned about it; add some, or delete the class"
        for name in shown[:MOST]
    ]
    more = len(shown) - MOST
    return told + [f"{where}: so have {more} more classes"] * (more > 0)


def class_shares(classes: Sequence[str], labels: Iterable[int]) -> list[tuple[str, float]]:
    """Name of each class and its share of the images, if they are few enough to be listed."""
    counts = Counter(labels)
    total = max(1, sum(counts.values()))
    return [(name, counts[i] / total) for i, name in enumerate(classes)] if len(classes) <= MOST else []
