"""What a folder of images is, worked out from names and sizes before any image is decoded."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ...core.errors import DataError, did_you_mean
from ..conditions.spec import ConditionSpec, OfLandmarks, with_classes
from ..derived.derived import InpaintMasks
from ..files import images as image_files
from .cityscapes import find_street_set
from .class_folders import find_classes
from .geometry import Geometry, find_geometry
from .items import SPLITS, Folder, Item, hold_out, match, missing_partners, mix
from .torchvision import NO_CONDITION, find_torchvision_set
from .vectors import add_vectors

LABELLED = [  # (condition folder, image folder) of a split; labels are class ids or exact colours
    ("{}_label", "{}_img"),
    ("{}_labels", "{}"),
    ("{}_label", "{}"),
    ("{}annot", "{}"),
    ("labels/{}", "images/{}"),
]
INSTANCES = ("{}_inst", "{}_instance")  # beside the label folder of a split
LETTERED = [("{}_A", "{}_B"), ("{}A", "{}B"), ("A/{}", "B/{}")]
UNSPLIT = [(label, image) for label in ("labels", "label") for image in ("images", "image", "imgs", "img")]
ACCEPTED = (
    "accepted are: images of A|B side by side (twice as wide as high), trainA + trainB, train_A + train_B, "
    "train_label + train_img (+ train_inst), train + train_labels, labels + images, Cityscapes, BDD100K, GTA-5, "
    "images with landmarks.json, landmarks.csv or .pts files, normals + images, train_normals + train_img, "
    "torchvision's oxford-iiit-pet and lfw-py, class folders (cat/1.png, dog/1.png), .npz files, "
    "or plain images with a derived condition (edges, grey, self, superres:4, inpaint, inpaint:FOLDER) or none"
)


def recognise(path: str | Path, spec: ConditionSpec | None = None, unpaired: bool = False) -> Folder:
    """Work out what a folder is from its names and its images' sizes; pairs that do not fit become problems.

    Args:
        spec: the condition that is asked for; without one, folders that have one of their own are looked for.
        unpaired: two folders are taken as they are, and what is paired is taken apart.

    Raises:
        DataError: there is no such folder, nothing in it, or nothing that is recognised.
    """
    root = Path(path)
    if not root.exists():
        near = sorted(p.name for p in root.parent.iterdir() if p.is_dir()) if root.parent.is_dir() else []
        near = difflib.get_close_matches(root.name, near, n=1) or near[:8]
        known = [*(str(root.parent / name) for name in near), "streets"]
        raise DataError(f"{root}: there is no such folder; {did_you_mean(str(root), known)}")
    if not root.is_dir():
        raise DataError(f"{root}: is a file; give the folder that holds the images")
    geometry = None if spec is None else spec.geometry
    if spec is not None and geometry is None:
        return _read_derived(root, spec, unpaired)
    kind: Geometry = "landmarks" if isinstance(geometry, OfLandmarks) else "normals"
    folder = _geometry(root, kind, unpaired) if geometry else _found(root, unpaired)
    if folder is not None:
        return folder
    if unpaired:
        raise DataError(f"{root}: unpaired data are two folders, such as trainA/ and trainB/, and these are not there")
    splits = _plain(root)
    if splits:
        return _halves(root, splits)
    classes = find_classes(root)
    if classes is not None:
        return classes
    inside = sorted(f"{p.name}/" if p.is_dir() else p.name for p in root.iterdir() if not p.name.startswith("."))
    seen = ", ".join(inside[:6]) + (f" and {len(inside) - 6} more" if len(inside) > 6 else "")
    what = f"holds no pairs of images, only {seen}" if inside else "is empty"
    raise DataError(f"{root}: {what}; {ACCEPTED}")


def _found(root: Path, unpaired: bool) -> Folder | None:
    """Whatever has a condition of its own. Label maps come before landmarks that lie beside them."""
    if unpaired:
        return _street_set(root, unpaired) or _two_folders(root, unpaired)
    found = _street_set(root) or find_torchvision_set(root) or find_geometry(root, "normals")
    found = found or _two_folders(root, unpaired) or find_geometry(root, "landmarks")
    if found is not None and found.kind == "derived":
        raise DataError(f"{root}: is {found.structure}; {NO_CONDITION}")
    return found


def _geometry(root: Path, kind: Geometry, unpaired: bool) -> Folder:
    """A folder with landmarks or normals, whatever else it has."""
    if unpaired:
        raise DataError(f"{root}: images with {kind} cannot be taken apart; leave --unpaired out")
    published = find_torchvision_set(root)
    if published is not None and published.kind == kind:
        return published
    found = find_geometry(root, kind)
    if found is None:
        raise DataError(f"{root}: has no {kind} beside its images; {ACCEPTED}")
    return found


def _street_set(root: Path, unpaired: bool = False) -> Folder | None:
    """A published set of street scenes, as it was unpacked."""
    found = find_street_set(root)
    if found is None:
        return None
    splits = {split: [Item(image, labels) for image, labels in pairs] for split, pairs in found.splits.items()}
    folder = Folder(root, "labels", splits, found.structure, numbering=found.numbering)
    if unpaired:
        sides = {split: tuple(zip(*pairs)) for split, pairs in found.splits.items()}
        folder.splits = {split: mix(labels, images) for split, (images, labels) in sides.items()}
        folder.structure, folder.unpaired = f"{found.structure}, taken apart", True
    return folder


def _plain(root: Path) -> dict[str, list[Item]]:
    """Splits that are single folders of images; a folder without them is all train."""
    splits = {split: [Item(f) for f in image_files.images_in(root / split)] for split in SPLITS}
    splits = {split: items for split, items in splits.items() if items}
    loose = [Item(f) for f in image_files.images_in(root)]
    return splits or ({"train": loose} if loose else {})


def _read_derived(root: Path, spec: ConditionSpec, unpaired: bool) -> Folder:
    """Plain images, with what is known of them if that was asked for."""
    if unpaired:
        spec.check_unpaired()
    classes, published = find_classes(root), find_torchvision_set(root)
    if spec.classes:
        folder = classes or Folder(root, "derived", {}, "", classes=with_classes((), str(root)))
        folder.structure += f" with the condition {str(spec)!r}" * (len(spec.parts) > 1)
    else:
        deep = [Item(f) for f in _without_masks(root, spec)]
        splits = _plain(root) or _bare(published) or _images_only(root) or _split_classes(root, classes)
        splits = splits or ({"train": deep} if deep else {})
        what = f"plain images with the condition {str(spec)!r}{' made from each' * (spec.derived is not None)}"
        folder = Folder(root, "derived", splits, what, published.problems if published else [])
    if not folder.splits:
        raise DataError(f"{root}: has no images; accepted are {', '.join(sorted(image_files.SUFFIXES))}")
    if spec.vectors is not None:
        add_vectors(folder, spec.vectors)
    if unpaired:
        if any(item.box is not None for items in folder.splits.values() for item in items):
            raise DataError(f"{root}: heads that are cut out cannot be taken apart; leave --unpaired out")
        files = {split: [item.image for item in items] for split, items in hold_out(folder.splits).items()}
        folder.splits = {split: mix(some, some) for split, some in files.items()}
        folder.structure, folder.unpaired = f"unpaired: {folder.structure}, given to another", True
    return folder


def _split_classes(root: Path, classes: Folder | None) -> dict[str, list[Item]]:
    """The images of class folders that are in splits, also of classes that one split alone has."""
    splits = classes.splits if classes is not None and len(classes.splits) > 1 else {}
    return {split: [Item(f) for f in image_files.images_in(root / split, deep=True)] for split in splits}


def _without_masks(root: Path, spec: ConditionSpec) -> list[Path]:
    """All images below a folder, but for masks that are kept there too."""
    files = image_files.images_in(root, deep=True)
    masks = spec.derived.masks.folder if isinstance(spec.derived, InpaintMasks) else None
    if masks is None or root.resolve() not in masks.resolve().parents:
        return files
    return [file for file in files if masks.resolve() not in file.resolve().parents]


def _images_only(root: Path) -> dict[str, list[Item]]:
    """The images of label maps or normals + images: those are no images to derive something from."""
    known = _street_set(root) or find_geometry(root, "normals")
    if known is not None:
        return _bare(known)
    kind, names = _find_two(root) or ("", {})
    if kind != "labels":
        return {}
    splits = {split: [Item(f) for f in image_files.images_in(root / image)] for split, (_, image) in names.items()}
    return {split: items for split, items in splits.items() if items}


def _bare(folder: Folder | None) -> dict[str, list[Item]]:
    """The images of a folder without their conditions."""
    splits = folder.splits if folder is not None else {}
    return {split: [Item(item.image, box=item.box) for item in items] for split, items in splits.items()}


def _halves(root: Path, splits: dict[str, list[Item]]) -> Folder:
    """A|B side by side, if most images are about twice as wide as high."""
    sizes = {item.image: image_files.size_of(item.image) for items in splits.values() for item in items}
    known = {file: size for file, size in sizes.items() if size is not None}
    about = sum(abs(width / height - 2) < 0.1 for height, width in known.values())
    if 2 * about < len(known) or not known:
        raise DataError(
            f"{root}: holds {len(sizes)} single images, but a pair also needs a condition; derive one with "
            f"--condition edges, grey, self or superres:4, or inpaint, or give pairs: {ACCEPTED}"
        )
    problems = [
        f"{file}: is {width}x{height}, but A|B side by side must be exactly twice as wide as high"
        f"{', and an odd width has no middle' if width % 2 else ''}; make it {2 * height}x{height}"
        for file, (height, width) in known.items()
        if width != 2 * height
    ]
    both = {split: [replace(item, halves=True) for item in items] for split, items in splits.items()}
    return Folder(root, "halves", both, "A|B side by side in one image", problems)


def _find_two(root: Path) -> tuple[Literal["labels", "images"], dict[str, tuple[str, str]]] | None:
    """Names of the condition folder and the image folder of each split."""
    kinds: list[tuple[Literal["labels", "images"], list[tuple[str, str]]]]
    kinds = [("labels", LABELLED), ("images", LETTERED)]
    for kind, patterns in kinds:
        for first, second in patterns:
            names = {split: (first.format(split), second.format(split)) for split in SPLITS}
            names = {split: pair for split, pair in names.items() if (root / pair[0]).is_dir()}
            if any((root / image).is_dir() for _, image in names.values()):
                return kind, names
    for first, second in [*UNSPLIT, ("A", "B")]:
        if (root / first).is_dir() and (root / second).is_dir():
            return "images" if first == "A" else "labels", {"train": (first, second)}
    return None


def _two_folders(root: Path, unpaired: bool) -> Folder | None:
    """Conditions in one folder, images in another: of equal names, unless they are unpaired."""
    found = _find_two(root)
    if found is not None:
        return _read_unpaired(root, *found) if unpaired else _read_pairs(root, *found)
    for first, second in ((a.format(s), b.format(s)) for a, b in [*LETTERED, LABELLED[0]] for s in SPLITS):
        for one, other in ((first, second), (second, first)):
            if (root / one).is_dir() and not (root / other).is_dir():
                raise DataError(f"{root}: has {one}/ but not {other}/; put the other half of each pair there")
    return None


def _read_pairs(root: Path, kind: Literal["labels", "images"], names: Mapping[str, tuple[str, str]]) -> Folder:
    example = next(iter(names.values()))
    folder = Folder(root, kind, {}, f"{example[0]}/ + {example[1]}/ paired by name")
    for split, (first, second) in names.items():
        items = match(root / first, root / second, folder.problems)
        if items:
            folder.splits[split] = items
    if not folder.splits and not folder.problems:
        raise DataError(f"{root}: {example[0]}/ and {example[1]}/ hold no images; {ACCEPTED}")
    if kind == "labels":
        _add_instances(folder, {split: first for split, (first, _) in names.items()})
    return folder


def _read_unpaired(root: Path, kind: Literal["labels", "images"], names: Mapping[str, tuple[str, str]]) -> Folder:
    """Two folders as they are. Val is held out of each of them, so that no image is in both splits."""
    first, second = ({split: image_files.images_in(root / pair[i]) for split, pair in names.items()} for i in (0, 1))
    empty = [root / names[split][i] for i, side in enumerate((first, second)) for split in side if not side[split]]
    if empty:
        raise DataError(f"{empty[0]}: holds no images, but unpaired data need some on both sides; add them")
    if min(len(side.get("train", [])) for side in (first, second)) > 1:
        first, second = hold_out(first), hold_out(second)
    one, other = next(iter(names.values()))
    splits = {split: mix(files, second[split]) for split, files in first.items()}
    return Folder(root, kind, splits, f"{one}/ + {other}/ unpaired", unpaired=True)


def _add_instances(folder: Folder, labels: Mapping[str, str]) -> None:
    """Give each item the instance map of its label map's name, if a folder of them lies beside any of `labels`."""
    wanted = {split: [name.format(split) for name in INSTANCES] for split in folder.splits}
    for split, names in wanted.items():
        if labels[split] in ("label", "labels"):  # a folder without splits
            names[:0] = ["inst", "instance"]
    found = {s: next((name for name in names if (folder.root / name).is_dir()), None) for s, names in wanted.items()}
    there = [name for name in found.values() if name is not None]
    if not there:
        return
    folder.instances = True
    folder.structure += f", instance maps in {there[0]}/"
    for split, name in found.items():
        if name is None:
            missing = wanted[split][0]
            folder.problems.append(f"{folder.root}: has {there[0]}/ but not {missing}/; put the instance maps there")
            continue
        place = folder.root / name
        partners = {f.stem: f for f in reversed(image_files.images_in(place))}
        given = {item.condition.stem: item.condition for item in reversed(folder.splits[split]) if item.condition}
        for files, other, others in ((given, place, partners), (partners, folder.root / labels[split], given)):
            folder.problems += missing_partners(files, other, others)
        items = [(item, partners.get(item.condition.stem)) for item in folder.splits[split] if item.condition]
        folder.splits[split] = [Item(item.image, item.condition, file) for item, file in items]
