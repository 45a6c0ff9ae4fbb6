"""Which condition a folder or the streets have, and whether a trained model can read it."""

from __future__ import annotations

from ...core.errors import DataError
from ...core.interfaces import Size
from ..conditions.asked import Asked, asked, condition_of, words_of
from ..conditions.labels import AnyCondition, Labels, Landmarks, Normals, Nothing, Picture, Vector
from ..conditions.metadata import part_of
from ..readers.classes import labels_in
from ..readers.direction import is_grey
from ..readers.geometry import asked_geometry, count_of
from ..readers.items import Direction, Folder


def spec_of(folder: Folder, condition: str | None, direction: Direction, size: Size) -> AnyCondition:
    """The condition of a folder; label maps of its first split (train, if there is one) are all opened for it."""
    if folder.kind == "landmarks":
        geometry = asked_geometry(condition)
        return Landmarks(points=count_of(folder.splits.values()), heat=geometry[1] if geometry else 0, frame=size)
    if folder.kind == "normals":
        return Normals()
    if condition is not None or folder.classes:
        return condition_of(asked(condition or "class"), folder.classes, folder.length, size, str(folder.root))
    items = next(iter(folder.splits.values()))
    if folder.kind == "labels":
        files = [item.condition for item in items if item.condition is not None]
        labels, problems = labels_in(files, folder.root, folder.numbering)
        if problems:
            raise DataError(problems[0])
        return labels.model_copy(update={"boundaries": folder.instances})
    if folder.kind == "pictures":
        side = [item.image if direction == "BtoA" else item.condition or item.image for item in items]
        return Picture(channels=1 if is_grey(side) else 3)
    return Picture()


def fits_model(spec: AnyCondition, folder: Folder) -> None:
    """Raises DataError for a folder of landmarks or normals and a trained model that reads something else."""
    if folder.kind in ("landmarks", "normals") and spec.kind != folder.kind:
        raise DataError(f"{folder.root}: has {folder.kind}, but the model reads a {spec.noun}; give data like its own")
    if folder.classes and folder.length is None and spec.kind in ("labels", "picture") and words_of(spec) is None:
        raise DataError(f"{folder.root}: has class folders, but the model reads a {spec.noun}; give data like its own")
    same_length(spec, folder.length, str(folder.root))


def same_length(spec: AnyCondition, length: int | None, where: str) -> None:
    """Raises DataError for vectors of another length than a trained model's."""
    vector = part_of(spec, Vector)
    if vector is not None and length != vector.length:
        raise DataError(f"{where}: has vectors of {length} numbers, but the model reads {vector.length}; give its own")


def streets_condition(given: AnyCondition | None, words: str | None, unpaired: bool, size: Size) -> AnyCondition:
    """Layouts, unless landmarks or normals are asked for, or something that is derived from the image.

    Raises:
        DataError: no such derived condition, or a trained model whose conditions streets cannot give.
    """
    from ..streets.geometry import point_count
    from ..streets.streets import CLASSES, PALETTE

    geometry = asked_geometry(words)
    if geometry is not None:
        own = (
            Normals() if geometry[0] == "normals" else Landmarks(points=point_count(size), heat=geometry[1], frame=size)
        )
        if given is not None and given.channels != own.channels:
            raise DataError(f"streets of {size[1]}x{size[0]} have {own.channels} landmarks, the model {given.channels}")
        return given or own
    wanted = Asked(()) if words is None else asked(words, unpaired)
    if wanted.parts == ("none",):
        return Nothing(frame=size)
    if wanted.parts:
        if wanted.parts != (wanted.derived,):
            raise DataError(f"streets have no classes and no vectors for condition {words!r}; export them to a folder")
        return condition_of(wanted, (), None, size, "streets")
    labels = Labels(names=tuple(CLASSES), palette=tuple((int(r), int(g), int(b)) for r, g, b in PALETTE))
    if given is not None and (not isinstance(given, Labels) or given.channels != labels.channels):
        raise DataError(
            f"streets have label maps with {labels.channels} classes, which is not what the model reads "
            f"({given.channels} channels of a {given.noun}); give data like that of its training"
        )
    return labels
