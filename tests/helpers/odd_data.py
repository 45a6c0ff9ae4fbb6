"""Data sets as people have them, drawn at random, whose truth is known: layouts, names, formats, splits, damage.

Label maps are rectangles, photographs show them in colours under smooth noise, so that the two sides of a pair are
related, and two classes are not.
"""

from __future__ import annotations

import io
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image, ImageFilter

SIDE = 24
LAYOUTS: dict[str, tuple[str, str]] = {  # folders of conditions and images; {s} is the split
    "trainA": ("{s}A", "{s}B"),
    "train_A": ("{s}_A", "{s}_B"),
    "train/A": ("{s}/A", "{s}/B"),
    "A/train": ("A/{s}", "B/{s}"),
    "low/high": ("{s}/low", "{s}/high"),
    "input/target": ("input/{s}", "target/{s}"),
    "train_label": ("{s}_label", "{s}_img"),
    "train/labels": ("{s}/labels", "{s}/images"),
    "labels/train": ("labels/{s}", "images/{s}"),
    "seg": ("{s}/seg", "{s}/rgb"),
    "voc": ("SegmentationClass", "JPEGImages"),
    "halves": ("", "{s}"),
    "plain": ("", "{s}"),
    "classes": ("", "{s}"),
}
LABELLED = ("train_label", "train/labels", "labels/train", "seg", "voc")
SPLITS: dict[str, dict[str, str]] = {  # what folders call each split
    "one": {"train": "train"},
    "valid": {"train": "train", "val": "valid"},
    "capitals": {"train": "Train", "test": "Test"},
    "long": {"train": "training", "val": "validation", "test": "testing"},
}
COLOURS = np.array([(70, 130, 180), (90, 90, 90), (200, 60, 50), (60, 160, 70), (230, 200, 80), (140, 60, 160)])
NAMES = ("counters", "words", "decomposed", "suffix", "spaces", "capitals", "long")
PHOTOS = ("png", "jpg", "jpeg", "jfif", "bmp", "webp", "tif")
MAPS = ("ids", "void", "times 50", "mask", "palette", "colours", "smoothed", "jpeg")
DAMAGE = (
    "none",
    "empty",
    "cut",
    "web page",
    "no partner",
    "dead link",
    "loop",
    "checkpoints",
    "macosx",
    "litter",
    "thumbnail",
    "linked",
)


@dataclass(frozen=True)
class OddSet:
    """One data set; `write` makes it."""

    layout: str
    splits: str
    names: str
    photo: str
    depth: int  # bits of photographs: 8, 16, or 12 kept in 16
    maps: str
    damage: str
    count: int  # pairs in train; other splits have two
    seed: int

    @property
    def labelled(self) -> bool:
        return self.layout in LABELLED

    @property
    def counts(self) -> dict[str, int]:
        """Pairs of each split, as they lie on the disk."""
        names = {"train": "train"} if self.layout == "voc" else SPLITS[self.splits]
        train = 3 * self.count if self.layout == "classes" else self.count
        return {split: train if split == "train" else 2 for split in names}

    @property
    def classes(self) -> int:
        return {"void": 5, "mask": 2}.get(self.maps, 4)


def odd_sets() -> st.SearchStrategy[OddSet]:
    return st.builds(
        OddSet,
        layout=st.sampled_from(list(LAYOUTS)),
        splits=st.sampled_from(list(SPLITS)),
        names=st.sampled_from(NAMES),
        photo=st.sampled_from(PHOTOS),
        depth=st.sampled_from((8, 8, 8, 12, 16)),
        maps=st.sampled_from(MAPS),
        damage=st.sampled_from(DAMAGE),
        count=st.integers(4, 9),
        seed=st.integers(0, 2**20),
    )


def write(odd: OddSet, root: Path) -> Path | None:
    """Write it; returns the file that is damaged, if one is."""
    rng = np.random.default_rng(odd.seed)
    first: Path | None = None
    for split, called in SPLITS[odd.splits].items():
        if split not in odd.counts:
            continue
        for i in range(odd.counts[split]):
            made = write_pair(odd, root, called, i, rng)
            first = first or made
    assert first is not None
    return damage(odd, root, first)


def write_pair(odd: OddSet, root: Path, split: str, number: int, rng: np.random.Generator) -> Path:
    condition, image = (root / place.format(s=split) for place in LAYOUTS[odd.layout])
    name, other = names(odd, number, rng)
    ids = rectangles(rng, 2 if odd.maps == "mask" else 4)
    shown = photograph(ids, rng)
    if odd.layout == "classes":
        image = image / ("cat", "dog", "owl")[number % 3]
    if odd.layout == "halves":
        shown = np.hstack([COLOURS[ids], shown])
    file = save_photo(image / f"{name}.{suffix(odd)}", shown, odd.depth)
    if odd.labelled:
        save_map(condition / f"{other}.png", ids, odd.maps)
        if odd.layout == "voc":
            save_map(root / "SegmentationObject" / f"{other}.png", ids, "palette")
    elif odd.layout not in ("halves", "plain", "classes"):
        drawn = shown[::2, ::2] if odd.layout == "low/high" else COLOURS[ids]
        save_photo(condition / f"{other}.{suffix(odd)}", drawn, odd.depth)
    return file


def names(odd: OddSet, number: int, rng: np.random.Generator) -> tuple[str, str]:
    """What the image is called, and its condition."""
    word = "".join(rng.choice(list("abcdefghiklmnoprstu"), 7))
    plain = {
        "counters": f"{number:03d}",
        "words": word,
        "decomposed": f"façade é {number}",
        "suffix": f"{word}{number}",
        "spaces": f"my {word} ({number})",
        "capitals": word.upper(),
        "long": f"{word}{number}" + "n" * 150,
    }[odd.names]
    if odd.names == "decomposed":
        return unicodedata.normalize("NFC", plain), unicodedata.normalize("NFD", plain)
    return plain, f"{plain}_mask" if odd.names == "suffix" and odd.labelled else plain


def suffix(odd: OddSet) -> str:
    found = "png" if odd.depth > 8 else odd.photo
    return found.upper() if odd.names == "capitals" else found


def rectangles(rng: np.random.Generator, classes: int) -> np.ndarray:
    ids = np.zeros((SIDE, SIDE), dtype=np.int64)
    for value in [*range(1, classes), *range(1, classes)]:
        top, left = rng.integers(0, SIDE - 10, 2)
        height, width = rng.integers(5, 10, 2)
        ids[top : top + height, left : left + width] = value
    corners = np.arange(classes)  # every class occurs in every map
    ids[:3, : 3 * classes] = np.repeat(corners, 3)
    return ids


def photograph(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 8, (SIDE, SIDE, 3))
    return (0.6 * COLOURS[ids] + 0.4 * np.asarray(noise) + grain).clip(0, 255).astype(np.uint8)


def save_photo(file: Path, pixels: np.ndarray, depth: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = pixels.astype(np.uint8)
    if depth > 8:
        white = 2**depth - 1
        deep = np.rint(pixels.mean(axis=2) / 255 * white).astype(np.uint16)
        deep[0, 0] = white
        Image.fromarray(deep).save(file)
    else:
        Image.fromarray(pixels).save(file, **({"quality": 95} if file.suffix.lower() in (".jpg", ".webp") else {}))
    return file


def save_map(file: Path, ids: np.ndarray, kind: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = Image.fromarray(
        (ids * {"times 50": 50, "mask": 255, "smoothed": 60, "jpeg": 60}.get(kind, 1)).astype(np.uint8)
    )
    if kind == "void":
        values = np.array(plain)
        values[-2:] = 255
        plain = Image.fromarray(values)
    elif kind == "palette":
        plain.putpalette(COLOURS.astype(np.uint8).tobytes())
    elif kind == "colours":
        plain = Image.fromarray(COLOURS[ids].astype(np.uint8))
    elif kind == "smoothed":
        plain = plain.filter(ImageFilter.GaussianBlur(1))
    elif kind == "jpeg":
        stream = io.BytesIO()
        plain.save(stream, "JPEG", quality=75)
        plain = Image.open(stream)
    plain.save(file)


def damage(odd: OddSet, root: Path, file: Path) -> Path | None:
    """Damage one image, or add what nobody wants."""
    content, place = file.read_bytes(), file.parent
    if odd.damage == "empty":
        file.write_bytes(b"")
    elif odd.damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif odd.damage == "web page":
        file.write_bytes(b"<!DOCTYPE html><html>not found</html>")
    elif odd.damage == "no partner":
        lonely, rng = place / f"lonely.{suffix(odd)}", np.random.default_rng(1)
        return save_photo(lonely, photograph(rectangles(rng, 4), rng), odd.depth)
    elif odd.damage == "dead link":
        (place / "gone.png").symlink_to(root / "nowhere.png")
    elif odd.damage == "loop":
        (place / "again").symlink_to(root, target_is_directory=True)
    elif odd.damage in ("checkpoints", "macosx"):
        hidden = place / (".ipynb_checkpoints" if odd.damage == "checkpoints" else "__MACOSX")
        hidden.mkdir()
        (hidden / f"a-checkpoint{file.suffix}").write_bytes(content)
    elif odd.damage == "litter":
        for name in (".DS_Store", "Thumbs.db", "README.txt", "notes.docx"):
            (place / name).write_bytes(b"\0\0")
    elif odd.damage == "thumbnail":
        with Image.open(file) as image:
            small = image.resize((image.width // 3, image.height // 3))
        small.save(file)
    elif odd.damage == "linked":
        moved = root.parent / "elsewhere"
        os.rename(place, moved)
        place.symlink_to(moved, target_is_directory=True)
    return file if odd.damage in ("empty", "cut", "web page") else None
