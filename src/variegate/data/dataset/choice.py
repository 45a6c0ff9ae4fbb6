"""Choose the condition of a folder or of the streets, and check that a trained model can read it."""

from __future__ import annotations

from pydantic import ValidationError

from ...core.errors import DataError, with_article
from ...core.interfaces import Size
from ..conditions import (
    CompositeCondition,
    Condition,
    ImageCondition,
    Labels,
    Landmarks,
    Normals,
    Vector,
)
from ..conditions.spec import (
    ConditionSpec,
    Found,
    OfClass,
    OfLabels,
    OfLandmarks,
    OfNormals,
    Stored,
    condition_of,
    spec_of,
)
from ..files import cache
from ..files.blobs import File
from ..files.images import WHITE, shallow_white
from ..readers.classes import labels_in
from ..readers.direction import is_grey, spread
from ..readers.geometry import count_of
from ..readers.items import Direction, Folder

STORED = {str(part): ConditionSpec((part,)) for part in (OfLabels(), OfLandmarks(), OfNormals())}  # by kind of folder
DEPTH_LOOK = 8  # images that are decoded to estimate how many bits 16-bit files really use


def folder_condition(folder: Folder, spec: ConditionSpec | None, direction: Direction, size: Size) -> Condition:
    """The condition of a folder; opens all label maps of its first split (train, if there is one)."""
    spec = spec or STORED.get(folder.kind) or (ConditionSpec((OfClass(),)) if folder.classes else None)
    if spec is not None:
        found = Found(folder.classes, folder.length, size, str(folder.root))
        return condition_of(spec, found, {type(part): stored_condition(folder, part, size) for part in spec.stored})
    items = next(iter(folder.splits.values()))
    if folder.kind == "images":
        side = [item.image if direction == "BtoA" else item.condition or item.image for item in items]
        return ImageCondition(channels=1 if is_grey(side) else 3)
    if folder.kind == "halves":
        return ImageCondition(half="left" if direction == "AtoB" else "right")
    return ImageCondition()


def stored_condition(folder: Folder, part: Stored, size: Size) -> Condition:
    """The condition that a folder stores alongside its images. Raises DataError if its label maps cannot be used."""
    if isinstance(part, OfLandmarks):
        return Landmarks(points=count_of(folder.splits.values()), heat=part.heat, frame=size)
    if isinstance(part, OfNormals):
        return Normals()
    labels, problems = folder_labels(folder)
    if problems:
        raise DataError(problems[0])
    return labels


def folder_labels(folder: Folder) -> tuple[Labels, list[str]]:
    """The classes of a folder's first split, and a sentence for each of its label maps that cannot be used."""
    if folder.labels is not None:
        return folder.labels, []
    if (saved := _saved_labels(folder)) is not None:
        return saved, []
    first, *others = [
        [item.condition for item in items if item.condition is not None] for items in folder.splits.values()
    ]
    later = [file for files in others for file in files]
    labels, problems = labels_in(first, folder.root, folder.numbering, later)
    labels = labels.model_copy(update={"boundaries": folder.instances})
    if folder.seen is not None and not problems:
        cache.save_json("labels", *folder.seen, labels.model_dump(mode="json"))
    return labels, problems


def _saved_labels(folder: Folder) -> Labels | None:
    """The classes that were found when the files of a folder were the same."""
    saved = None if folder.seen is None else cache.load_json("labels", *folder.seen)
    try:
        return None if saved is None else Labels.model_validate(saved)
    except ValidationError:
        return None


def depth_problems(folder: Folder, white_level: int | None) -> list[str]:
    """A sentence if 16-bit images use fewer bits, so that they would be nearly black, and no white level is set."""
    places = [(items, number) for items in folder.splits.values() for number in range(len(items))]
    looked = [items[number] for items, number in spread(places, DEPTH_LOOK)]
    files: list[File] = [item.image for item in looked]
    if folder.kind == "images":
        files += [item.condition for item in looked if item.condition is not None]
    white = None if white_level is not None else shallow_white(files)
    if white is None:
        return []
    return [
        f"{folder.root}: 16-bit images have no value above {white}, so they seem to have {white.bit_length()} bits and "
        f"would be nearly black; give --white-level {white}, or --white-level {WHITE} if they really are that dark"
    ]


def with_white(condition: Condition, white: int) -> Condition:
    """Set the value of white in 16-bit files in a condition's images."""
    if isinstance(condition, CompositeCondition):
        return condition.model_copy(update={"parts": tuple(with_white(part, white) for part in condition.parts)})
    return condition.model_copy(update={"white_level": white}) if isinstance(condition, ImageCondition) else condition


def fits_model(condition: Condition, folder: Folder) -> None:
    """Raise DataError if a folder does not have the kind of condition that a trained model reads."""
    kinds: dict[str, type[Condition]] = {"landmarks": Landmarks, "normals": Normals}
    if folder.kind in kinds and condition.part(kinds[folder.kind]) is None:
        raise DataError(
            f"{folder.root}: has {folder.kind}, but the model reads {with_article(condition.noun)}; "
            "use data like its training data"
        )
    if folder.classes and folder.length is None and spec_of(condition) is None:
        raise DataError(
            f"{folder.root}: has class folders, but the model reads {with_article(condition.noun)}; "
            "use data like its training data"
        )
    same_length(condition, folder.length, str(folder.root))


def same_length(condition: Condition, length: int | None, where: str) -> None:
    """Raise DataError if vectors do not have the length that a trained model reads."""
    vector = condition.part(Vector)
    if vector is not None and length != vector.length:
        raise DataError(
            f"{where}: has vectors of {length} values, but the model reads {vector.length}; use vectors of that length"
        )


def streets_condition(given: Condition | None, spec: ConditionSpec | None, size: Size) -> Condition:
    """The condition of streets: layouts, unless landmarks, normals, none or a derived condition is requested.

    Raises:
        DataError: streets do not have the condition that is requested or that a trained model reads.
    """
    from ..streets.geometry import point_count
    from ..streets.streets import CLASSES, PALETTE

    if spec is not None and (spec.classes or spec.vectors is not None):
        raise DataError(f"streets have no classes or vectors for condition {str(spec)!r}; export them to a folder")
    spec = spec or STORED["labels"]
    points = Landmarks(points=point_count(size), heat=spec.landmarks.heat if spec.landmarks else 0, frame=size)
    palette = tuple((int(r), int(g), int(b)) for r, g, b in PALETTE)
    stored = {OfLabels: Labels(names=tuple(CLASSES), palette=palette), OfLandmarks: points, OfNormals: Normals()}
    own = condition_of(spec, Found((), None, size, "streets"), stored)
    if given is not None and (given.kind, given.channels) != (own.kind, own.channels):
        raise DataError(
            f"streets of {size[1]}x{size[0]} have {with_article(own.noun)} of {own.channels} channels, but the model "
            f"reads {with_article(given.noun)} of {given.channels}; use data like its training data"
        )
    return own
