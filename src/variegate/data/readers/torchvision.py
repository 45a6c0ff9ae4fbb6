"""Data sets as torchvision stores them on disk: heads of the Oxford-IIIT pets, and Labelled Faces in the Wild."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..conditions.metadata import evenly
from ..conditions.normals import Normals
from ..files import images as image_files
from ..files.boxes import Box
from ..files.landmarks import TABLES, read_table
from .geometry import count_of, other_numbers
from .items import Folder, Item

PETS_TRAIN, PETS = 3000, 3686  # heads to train on, of all with a box, in He, Schiele, Fritz (ECCV 2018)
FACES_SPLITS = {"train": "peopleDevTrain.txt", "test": "peopleDevTest.txt"}
FACES = ("lfw_funneled", "lfw-deepfunneled", "lfw")
NO_CONDITION = (
    "it has no condition of its own: derive one with --condition edges, grey, self or superres:4, or add "
    "normals/ (a map for each image) or landmarks.json next to it"
)


def find_torchvision_set(root: Path) -> Folder | None:
    """Recognise the data set that a folder is or contains; its kind is "derived" if it has images but no conditions.

    Raises:
        DataError: landmarks cannot be read.
    """
    pets = (place for place in (root, root / "oxford-iiit-pet") if (place / "annotations" / "xmls").is_dir())
    faces = (place / name for place in (root, root / "lfw-py") for name in FACES)
    for place in pets:
        return _pets(root, place)
    for place in faces:
        if next(place.glob("*/*_0001.jpg"), None) is not None:
            return _faces(root, place)
    return None


def _pets(root: Path, place: Path) -> Folder:
    """Read heads, cropped to the annotated boxes; images without a box are left out.

    Few of the images that the data set's lists have for testing have a box, so heads are split as for latent dropout
    codes: 3,000 to train and 686 to test, or as many in proportion, of each breed. Which theirs were is not known.
    """
    folder = Folder(root, "derived", {}, "")
    boxes = {file.stem: _box(file, folder.problems) for file in sorted((place / "annotations" / "xmls").glob("*.xml"))}
    normals = _normals_beside(root, place)
    images = image_files.images_in(place / "images")
    heads = [file for file in images if boxes.get(file.stem) is not None]
    breeds = [file.stem.rpartition("_")[0] for file in heads]
    numbers = {breed: number for number, breed in enumerate(dict.fromkeys(breeds))}
    order = evenly([numbers[breed] for breed in breeds])
    items = [Item(heads[i], normals.get(heads[i].stem), box=boxes[heads[i].stem]) for i in order]
    trained = round(len(items) * PETS_TRAIN / PETS)
    folder.splits = {split: some for split, some in zip(("train", "test"), (items[:trained], items[trained:])) if some}
    told = f"{len(images) - len(heads)} without a box left out; {PETS - PETS_TRAIN} in {PETS:,} of each breed to test"
    folder.structure = f"heads of the Oxford-IIIT pets, cropped to their boxes ({told})"
    if normals:
        folder.kind = "normals"
        folder.structure += ", with surface normals"
        lonely = [item.image.name for items in folder.splits.values() for item in items if item.condition is None]
        if lonely:
            folder.problems.append(
                f"{root}: normals/ has no map for {len(lonely)} heads, such as {lonely[0]}; add them"
            )
    return folder


def _normals_beside(root: Path, place: Path) -> dict[str, Path]:
    found = next((d for d in (place / "normals", root / "normals") if d.is_dir()), None)
    return {} if found is None else {f.stem: f for f in image_files.images_in(found, suffixes=Normals.suffixes)}


def _box(file: Path, problems: list[str]) -> Box | None:
    """The head's box in a Pascal VOC annotation, whose pixel coordinates start at 1 and include the last pixel."""
    try:
        found = ElementTree.parse(file).find("object/bndbox")
        numbers = [int(float((found.findtext(side) if found is not None else None) or "x")) for side in
                   ("xmin", "ymin", "xmax", "ymax")]  # fmt: skip
    except (ElementTree.ParseError, ValueError, OSError):
        problems.append(f"{file}: has no object with a bndbox of four numbers; copy it again or delete it")
        return None
    left, top, right, bottom = numbers[0] - 1, numbers[1] - 1, numbers[2], numbers[3]
    if right <= left or bottom <= top:
        problems.append(f"{file}: its box from x {left + 1} to {right}, y {top + 1} to {bottom} is empty; correct it")
        return None
    return max(0, left), max(0, top), right, bottom


def _faces(root: Path, place: Path) -> Folder:
    """Read faces person by person; with landmarks.json next to or in the folder of people, only the images it names."""
    folder = Folder(root, "derived", {}, f"Labelled Faces in the Wild ({place.name})")
    tables = [where / name for where in (place.parent, place) for name in TABLES]
    table = next((file for file in tables if file.is_file()), None)
    points = {} if table is None else {Path(name).name: value for name, value in read_table(table).items()}
    images = image_files.images_in(place, deep=True)
    for split, people in _lists(place.parent, FACES_SPLITS).items():
        chosen = [file for file in images if people is None or file.parent.name in people]
        items = [Item(file, points=points.get(file.name)) for file in chosen if table is None or file.name in points]
        if items:
            folder.splits[split] = items
    if table is not None:
        used = sum(map(len, folder.splits.values()))
        folder.kind = "landmarks"
        folder.structure += f" with {count_of(folder.splits.values())} landmarks each in {table.name}"
        folder.structure += f" ({len(images) - used} other images left out)" if used < len(images) else ""
        folder.problems += other_numbers(folder.splits.values())
        if not used:
            folder.problems.append(f"{table}: names none of the images in {place}; write person/person_0001.jpg")
    return folder


def _lists(place: Path, files: dict[str, str]) -> dict[str, set[str] | None]:
    """The first word of each line in each split's list; without lists, None for train: all images."""
    found = {split: place / name for split, name in files.items() if (place / name).is_file()}
    words = {split: _first_words(file.read_text().splitlines()) for split, file in found.items()}
    return {**words} if words else {"train": None}


def _first_words(lines: Sequence[str]) -> set[str]:
    return {line.split()[0] for line in lines if len(line.split()) > 1 and not line.startswith("#")}
