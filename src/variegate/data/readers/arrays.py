"""Find the array files that a path refers to, and their splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import DataError
from ..conditions.class_label import MOST
from ..files import images as image_files
from ..files.arrays import ArrayDataset, ArrayFile, array_file, headers, labels_in

IMAGENET = "train_data_batch_*.npz"
CIFAR = "cifar-10-batches-py"
DIGITS_TEST = 6  # every sixth digit belongs to the test split


def find_arrays(path: str | Path) -> ArrayDataset | None:
    """Find the arrays that a path refers to; None for anything else. Existing folders and files come before names.

    Raises:
        DataError: a file cannot be read or does not hold images.
    """
    place, text = Path(path), str(path)
    if place.is_file() and place.suffix.lower() == ".npz":
        return check_labels(_file(place))
    if not place.exists():
        name, _, folder = text.partition(":")
        if text == "digits":
            return digits()
        if name == "cifar10":
            return _cifar(Path(folder or "."), text)
        return None
    if not place.is_dir():
        return None
    if any(place.glob(IMAGENET)) or (place / "val_data.npz").is_file():
        return check_labels(_imagenet(place))
    if (place / "train.npz").is_file():
        return check_labels(_file(place / "train.npz", place.resolve().name))
    return _cifar(place, text) if place.name == CIFAR or (place / CIFAR).is_dir() else None


def _file(file: Path, name: str | None = None) -> ArrayDataset:
    """Open x.npz; or x_train.npz together with x_val.npz and x_test.npz, if they exist."""
    stem = file.stem.removesuffix("train")
    files = {split: file.with_name(f"{stem}{split}.npz") for split in ("train", "val", "test")}
    files = {split: other for split, other in files.items() if other.is_file()} if stem != file.stem else {}
    files = files or {"train": file}
    opened = {split: array_file(other) for split, other in files.items()}
    classes = opened["train"][1]
    told = " and ".join(f"{other.name}" for other in files.values())
    found = ArrayDataset(
        name or stem.rstrip("_-") or file.stem,
        file,
        {split: [part] for split, (part, _) in opened.items()},
        told,
        classes,
    )
    for part, names in opened.values():
        if names and names != classes:
            found.problems.append(
                f"{part.file}: `classes` differ from those of {file.name}; write the same classes in the same order"
            )
        if part.size != found.size:
            (tall, wide), (height, width) = part.size, found.size
            found.problems.append(
                f"{part.file}: has images of {wide}x{tall}, but train has {width}x{height}; resize one of them"
            )
    return found


def _imagenet(root: Path) -> ArrayDataset:
    """Open down-sampled ImageNet (Chrabaszcz, Loshchilov, Hutter, 2017): `data` (N, 3 H W), `labels` starting at 1."""
    files = {"train": sorted(root.glob(IMAGENET), key=image_files.natural), "val": [root / "val_data.npz"]}
    splits = {split: [_planes(file) for file in some if file.is_file()] for split, some in files.items()}
    splits = {split: files for split, files in splits.items() if files}
    side = next(iter(splits.values()))[0].size[0]
    return ArrayDataset(root.resolve().name, root, splits, f"down-sampled ImageNet, {side}x{side}")


def _planes(file: Path) -> ArrayFile:
    known = headers(file)
    shape, kind = known.get("data", ((), np.dtype(object)))
    side = round((shape[1] / 3) ** 0.5) if len(shape) == 2 else 0
    if kind != np.uint8 or not side or shape[1] != 3 * side * side:
        raise DataError(
            f"{file}: has `data` of type {kind} and shape {shape}; expected uint8 (N, 3 H H), planes first, as "
            "published in .npz files"
        )
    labels = labels_in(file, "labels", shape[0], 1) if "labels" in known else None
    return ArrayFile(file, shape[0], (side, side), False, labels, "data")


def _cifar(place: Path, text: str) -> ArrayDataset:
    """Open CIFAR-10 as downloaded by torchvision, which verifies the checksums of the files."""
    root = place.parent if place.name == CIFAR else place
    if not (root / CIFAR).is_dir():
        raise DataError(
            f"{text}: no {CIFAR}/ in {root.resolve()}; download it there with torchvision.datasets.CIFAR10, "
            "or give cifar10:FOLDER"
        )
    from torchvision.datasets import CIFAR10

    try:
        sets: dict[str, Any] = {split: CIFAR10(root, train=split == "train") for split in ("train", "test")}
    except RuntimeError:
        raise DataError(
            f"{root / CIFAR}: a file is missing or differs from the published one; download it again with torchvision"
        ) from None
    files = {
        split: [ArrayFile(root / CIFAR / split, len(one), (32, 32), False, np.array(one.targets), held=one.data)]
        for split, one in sets.items()
    }
    return ArrayDataset("cifar10", root, files, "CIFAR-10 as downloaded by torchvision", tuple(sets["train"].classes))


def digits() -> ArrayDataset:
    """Load scikit-learn's 1,797 handwritten digits, 8x8, grey; 0..16 become min(v, 15) * 17, exact in 4 bits.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError("digits need the package scikit-learn: pip install 'variegate[evaluation]'") from None
    bunch = load_digits()
    images = (np.minimum(bunch.images, 15) * 17).round().astype(np.uint8)
    held = np.arange(len(images)) % DIGITS_TEST == DIGITS_TEST - 1
    files = {
        split: [ArrayFile(Path(f"digits/{split}"), int(rows.sum()), (8, 8), True, bunch.target[rows].astype(np.int64),
                     held=images[rows])]
        for split, rows in (("train", ~held), ("test", held))
    }  # fmt: skip
    return ArrayDataset(
        "digits", Path("digits"), files, "handwritten digits of scikit-learn", tuple(map(str, range(10)))
    )


def check_labels(found: ArrayDataset) -> ArrayDataset:
    """Fill in missing class names, and add a problem for each file whose labels exceed them or are missing."""
    files = [part for some in found.splits.values() for part in some]
    labelled = [part for part in files if part.labels is not None]
    if labelled and len(labelled) < len(files):
        lone = next(part for part in files if part.labels is None)
        found.problems.append(
            f"{lone.file}: has no labels, unlike {labelled[0].file.name}; add them, or remove them everywhere"
        )
        return found
    tops = {part.file: int(part.labels.max()) for part in labelled if part.labels is not None and part.count}
    if not found.classes and tops:
        file = max(tops, key=tops.__getitem__)
        if tops[file] >= MOST:
            raise DataError(f"{file}: has label {tops[file]}, too large for the number of a class; correct the labels")
        found.classes = tuple(map(str, range(tops[file] + 1)))
    for file, top in tops.items():
        if top >= len(found.classes):
            found.problems.append(
                f"{file}: has label {top}, but there are {len(found.classes)} classes, 0 to {len(found.classes) - 1}; "
                "correct the labels, or name every class"
            )
    return found
