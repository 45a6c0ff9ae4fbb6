"""Recognise what a folder of images is, from names and sizes, before any image is decoded.

Evidence is tried from the strongest to the weakest: lists of the images, published data sets, folders whose names say
what they contain, folders that share file names, images with two halves, and finally classes, which any two folders
might be.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...core.errors import DataError, did_you_mean
from ..conditions.metadata import evenly
from ..conditions.spec import ConditionSpec, OfLabels, OfNormals, with_classes
from ..derived.derived import InpaintMasks
from ..derived.masks import masks_beside
from ..files import images as image_files
from .boxes import add_boxes
from .cityscapes import find_street_set
from .class_folders import add_classes, find_classes
from .geometry import Geometry, add_normals, add_points, find_geometry
from .image_lists import read_listed
from .items import SPLITS, Folder, Item, Splits, hold_out, mix
from .pairing import pair_by_roles
from .sides import Side, sides_of
from .torchvision import NO_CONDITION, find_torchvision_set
from .two_sides import ACCEPTED, named_folders, two_named, two_sides
from .vectors import add_vectors


def recognise(path: str | Path, spec: ConditionSpec | None = None, unpaired: bool = False) -> Folder:
    """Work out what a folder is from its names and image sizes; pairs that do not match become problems.

    Args:
        path: a folder, or "condition=DIR,image=DIR".
        spec: the requested condition; None looks for folders with conditions of their own.
        unpaired: read two folders without matching their files, and ignore existing pairs.

    Raises:
        DataError: the folder does not exist, is empty, or contains nothing that is recognised.
    """
    roots = [existing(place) for place in named_folders(str(path)) or (Path(path),)]
    folder = _one(roots[0], spec, unpaired) if len(roots) == 1 else two_named((roots[0], roots[1]), spec, unpaired)
    add_boxes(folder, roots)
    return folder


def _one(root: Path, spec: ConditionSpec | None, unpaired: bool) -> Folder:
    listed, unread = read_listed(root, spec, unpaired)
    try:
        folder = listed or _by_names(root, spec, unpaired)
    except DataError as error:
        raise DataError(f"{error}; {unread}" if unread else str(error)) from None
    folder.notes += [unread] if unread else []
    return folder


def _by_names(root: Path, spec: ConditionSpec | None, unpaired: bool) -> Folder:
    if spec is not None and spec.stored:
        return _read_stored(root, spec, unpaired)
    if spec is not None:
        return _read_derived(root, spec, unpaired)
    sides = sides_of(root)
    folder = _found(root, sides, unpaired)
    if folder is not None:
        return folder
    if unpaired:
        raise DataError(f"{root}: unpaired data need two folders, such as trainA/ and trainB/; add the missing ones")
    classes = find_classes(root, sides)
    plain, notes = _plain(sides)
    if plain and (classes is None or _most_are(plain, classes)):
        return _halves(root, plain, notes)
    if classes is not None:
        return classes
    inside = sorted(f"{p.name}/" if p.is_dir() else p.name for p in root.iterdir() if not p.name.startswith("."))
    seen = ", ".join(inside[:6]) + (f" and {len(inside) - 6} more" if len(inside) > 6 else "")
    what = f"contains no image pairs, only {seen}" if inside else "is empty"
    raise DataError(f"{root}: {what}; {ACCEPTED}")


def _most_are(plain: Splits, classes: Folder) -> bool:
    """Whether more images lie beside the class folders than in them: a picture of the whole set decides nothing."""
    inside = sum(map(len, classes.splits.values()))
    return sum(map(len, plain.values())) > inside


def existing(root: Path) -> Path:
    """Return the folder. Raises DataError, with the closest existing name, if there is none."""
    if root.is_dir():
        return root
    if root.exists():
        raise DataError(f"{root}: is a file; give the folder that contains the images")
    near = sorted(p.name for p in root.parent.iterdir() if p.is_dir()) if root.parent.is_dir() else []
    near = difflib.get_close_matches(root.name, near, n=1) or near[:8]
    known = [*(str(root.parent / name) for name in near), "streets"]
    raise DataError(f"{root}: no such folder; {did_you_mean(str(root), known)}")


def _found(root: Path, sides: Sequence[Side], unpaired: bool) -> Folder | None:
    """Find data with conditions of their own. Label maps come before landmarks in the same folder."""
    if unpaired:
        return _street_set(root, unpaired) or two_sides(root, sides, unpaired)
    found = _street_set(root) or find_torchvision_set(root) or find_geometry(root, "normals")
    found = found or two_sides(root, sides, unpaired) or find_geometry(root, "landmarks")
    if found is not None and found.kind == "derived":
        raise DataError(f"{root}: is {found.structure}; {NO_CONDITION}")
    return found


def _read_stored(root: Path, spec: ConditionSpec, unpaired: bool) -> Folder:
    """Read images with label maps, normals or landmarks, and what else the condition uses."""
    if unpaired:
        spec.check_unpaired()
    sides = sides_of(root)
    if OfLabels() in spec.stored:
        found = _found(root, sides, unpaired)
        if found is not None and found.kind == "normals" and find_torchvision_set(root) is None:
            found = two_sides(root, sides, unpaired)  # beside them
        if found is None or found.kind != "labels":
            raise DataError(f"{root}: has no label maps of its images; {ACCEPTED}")
        folder = found
        if OfNormals() in spec.stored:
            add_normals(folder)
    else:
        folder = _geometry(root, "normals" if OfNormals() in spec.stored else "landmarks", unpaired)
    if spec.landmarks is not None and folder.kind != "landmarks":
        add_points(folder)
    if spec.classes:
        add_classes(folder, find_classes(root, sides, asked=True))
    if spec.vectors is not None:
        add_vectors(folder, spec.vectors)
    if len(spec.parts) > 1:
        folder.structure += f", with the condition {str(spec)!r}"
    return folder


def _geometry(root: Path, kind: Geometry, unpaired: bool) -> Folder:
    """Read a folder with landmarks or normals, whatever else it contains."""
    if unpaired:
        raise DataError(f"{root}: images with {kind} cannot be unpaired; leave --unpaired out")
    published = find_torchvision_set(root)
    if published is not None and published.kind == kind:
        return published
    found = find_geometry(root, kind, asked=True)
    if found is None:
        raise DataError(f"{root}: has no {kind} next to its images; {ACCEPTED}")
    return found


def _street_set(root: Path, unpaired: bool = False) -> Folder | None:
    """Read a published street data set, as unpacked."""
    found = find_street_set(root)
    if found is None:
        return None
    splits: Splits = {split: [Item(*files) for files in pairs] for split, pairs in found.splits.items()}
    told = found.structure
    folder = Folder(root, "labels", splits, told, numbering=found.numbering, instances=found.instances)
    if unpaired:
        sides = {split: tuple(zip(*pairs)) for split, pairs in found.splits.items()}
        folder.splits = {split: mix(labels, images) for split, (images, labels, _) in sides.items()}
        folder.structure, folder.unpaired, folder.instances = f"{told}, pairing ignored", True, False
    return folder


def _plain(sides: Sequence[Side]) -> tuple[Splits, list[str]]:
    """Images of a single kind by split, and notes on what was left out: the images in the root, in splits, or in the
    only folder that contains any, without masks that lie next to them."""
    sides = [side for side in sides if side.role != "view"]
    plain = [side for side in sides if not side.name] or (list(sides) if len(sides) == 1 else [])
    splits: Splits = {}
    masks: list[Path] = []
    for split in plain[0].files if plain else ():
        files = plain[0].images(split)
        beside = masks_beside(files)
        masks += beside
        splits[split] = [Item(file) for file in files if file not in beside]
    if not masks:
        return splits, []
    first = min(masks)
    note = f"{len(masks)} masks next to the images, such as {first.name}, are not used as images; "
    return splits, [f"{note}to train inpainting with holes of their shapes, give --condition inpaint:{first.parent}"]


def _read_derived(root: Path, spec: ConditionSpec, unpaired: bool) -> Folder:
    """Read plain images, with their classes or vectors if the condition uses them."""
    if unpaired:
        spec.check_unpaired()
    sides, published = sides_of(root), find_torchvision_set(root)
    classes = find_classes(root, sides, asked=spec.classes)
    if spec.classes:
        folder = classes or Folder(root, "derived", {}, "", classes=with_classes((), str(root)))
        folder.structure += f" with the condition {str(spec)!r}" * (len(spec.parts) > 1)
    else:
        splits, notes = _plain(sides)
        splits = _bare(published) or splits or _images_only(root, sides) or _all_images(root, sides, spec)
        what = f"plain images with the condition {str(spec)!r}{' derived from each' * (spec.derived is not None)}"
        folder = Folder(root, "derived", splits, what, published.problems if published else [], notes=notes)
    if not folder.splits:
        raise DataError(f"{root}: has no images; accepted formats: {', '.join(sorted(image_files.SUFFIXES))}")
    if spec.vectors is not None:
        add_vectors(folder, spec.vectors)
    if unpaired:
        if any(item.box is not None for items in folder.splits.values() for item in items):
            raise DataError(f"{root}: cropped heads cannot be unpaired; leave --unpaired out")
        files = {split: [item.image for item in items] for split, items in hold_out(folder.splits).items()}
        folder.splits = {split: mix(some, some) for split, some in files.items()}
        folder.structure, folder.unpaired = f"unpaired: {folder.structure}, assigned to other images", True
    return folder


def _all_images(root: Path, sides: Sequence[Side], spec: ConditionSpec) -> Splits:
    """All images below a folder by split, except masks that are kept there too; of each side in proportion."""
    masks = spec.derived.masks.folder.resolve() if isinstance(spec.derived, InpaintMasks) else None
    masks = masks if masks is not None and root.resolve() in masks.parents else None
    splits: Splits = {}
    for split in SPLITS:
        every = [(number, file) for number, side in enumerate(sides) for file in side.images(split)]
        found = [(number, file) for number, file in every if masks is None or masks not in file.resolve().parents]
        if found:
            order = evenly([number for number, _ in found])
            splits[split] = [Item(found[i][1]) for i in order]
    return splits


def _images_only(root: Path, sides: Sequence[Side]) -> Splits:
    """The images of label maps or normals + images, whose conditions are not images to derive anything from."""
    known = _street_set(root) or find_geometry(root, "normals")
    if known is not None:
        return _bare(known)
    pair = pair_by_roles(sides)
    if pair is None or pair.kind != "labels":
        return {}
    return {split: [Item(file) for file in pair.second.images(split)] for split in pair.second.files}


def _bare(folder: Folder | None) -> Splits:
    """The images of a folder without their conditions."""
    splits = folder.splits if folder is not None else {}
    return {split: [Item(item.image, box=item.box) for item in items] for split, items in splits.items()}


def _halves(root: Path, splits: Splits, notes: list[str]) -> Folder:
    """Read A|B side by side, if most images are about twice as wide as high."""
    sizes = {item.image: image_files.size_of(item.image) for items in splits.values() for item in items}
    known = {file: size for file, size in sizes.items() if size is not None}
    about = sum(abs(width / height - 2) < 0.1 for height, width in known.values())
    if 2 * about < len(known) or not known:
        raise DataError(
            f"{root}: contains {len(sizes)} single images, but a pair also needs a condition; derive one with "
            f"--condition edges, grey, self, superres:4 or inpaint, or give pairs; {ACCEPTED}"
            + "".join(f"; {note}" for note in notes)
        )
    problems = [
        f"{file}: is {width}x{height}, but an A|B image must be exactly twice as wide as high"
        f"{', and an odd width has no middle' if width % 2 else ''}; make it {2 * height}x{height}"
        for file, (height, width) in known.items()
        if width != 2 * height
    ]
    both: Splits = {split: [replace(item, halves=True) for item in items] for split, items in splits.items()}
    return Folder(root, "halves", both, "A|B side by side in one image", problems, notes=notes)
