"""Odd data sets: a number draws the description of one, which is written into a folder together with the truth."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from helpers import odd_pictures as pictures

KINDS = ("halves", "lettered", "labelled", "instances", "voc", "named", "free", "classes", "plain", "lama")
SPLITS: tuple[tuple[str, ...], ...] = (
    (),
    ("train",),
    ("train", "val"),
    ("train", "valid"),
    ("Train", "Test"),
    ("training", "validation", "testing"),
)
CANONICAL = {"valid": "val", "Train": "train", "Test": "test"} | {
    "training": "train",
    "validation": "val",
    "testing": "test",
}
LABELLED = (("label", "img"), ("labels", "images"), ("masks", "images"), ("annotations", "photos"), ("gt", "images"))
NAMED = (("low", "high"), ("input", "target"), ("source", "target"), ("sketch", "photo"), ("blur", "sharp"))
NAMED += (("LR", "HR"), ("noisy", "clean"), ("hazy", "images"), ("edges", "rgb"), ("before", "after"))
FREE = (("day", "night"), ("mri", "ct"), ("foo", "bar"), ("winter", "summer"), ("00", "01"))
CLASSES = (
    ("cat", "dog", "eel", "fox", "gnu"),
    ("NORMAL", "PNEUMONIA"),
    ("with_mask", "without_mask"),
    ("low", "high"),
    ("clean", "dirty", "dull"),
    ("photo", "sketch", "painting"),
    ("0", "1", "2", "3"),
    ("bus", "car", "train"),
)
NAMES = ("counter", "padded", "prefixed", "words", "accents", "spaces", "long", "dots")
HARM = ("empty", "cut", "web page", "no partner", "link without target")
LITTER = ("checkpoints", "macosx", "programs", "readme", "archive", "link loop", "lost link", "stray image")


@dataclass(frozen=True)
class Odd:
    """What a data set is like.

    Attributes:
        sides: names of the folders of conditions and images, or of the classes.
        nesting: how the names of splits and sides make a folder.
        content: of the conditions: a drawing, a blurred photograph or ids.
        added: what is behind the names of the conditions.
        later: a test split has images without conditions.
    """

    seed: int
    kind: str
    splits: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    nesting: str = "{split}/{side}"
    naming: str = "counter"
    added: str = ""
    content: str = "drawing"
    labels: str = "contiguous"
    classes: int = 3
    suffixes: tuple[str, str] = (".png", ".png")  # of conditions and of images
    bits: int = 8
    size: tuple[int, int] = (16, 16)
    count: int = 5
    later: bool = False
    harm: str = ""
    litter: tuple[str, ...] = ()
    thumbnail: bool = False  # the first image is smaller than the others
    linked: bool = False  # a folder of images is a link


@dataclass
class Truth:
    """What is right to say about a data set, and what is right to ask."""

    kinds: tuple[str, ...]
    pairs: dict[str, list[tuple[Path | None, Path]]] = field(default_factory=dict)  # condition, image
    condition: str = ""  # the side that names or content tell; empty if nothing tells
    classes: tuple[str, ...] = ()  # as they are called where nobody names them
    stored: tuple[int, ...] = ()  # ids, where they are none of 0, 1, 2, ...
    named: list[tuple[str, ...]] = field(default_factory=list)  # one of each must be in a problem
    unused: list[str] = field(default_factory=list)  # each must be in a note or a problem
    images: list[str] = field(
        default_factory=list
    )  # those of them that are images, of which none is used before an answer
    asks: list[str] = field(default_factory=list)  # patterns of what may be asked
    must_ask: list[str] = field(default_factory=list)  # patterns of what has to be asked
    size: tuple[int, int] = (16, 16)


def draw(seed: int) -> Odd:
    """The description that a number stands for."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    splits = rng.choice(SPLITS)
    sides, nestings = _places(rng, kind)
    deep_images = rng.random() < 0.25
    bits = rng.choice((16, 12)) if deep_images else 8
    image = rng.choice(pictures.DEEP if deep_images else pictures.PHOTOGRAPHS)
    condition = rng.choice(pictures.DEEP if deep_images and kind == "lettered" else pictures.EXACT)
    content = rng.choice(("drawing", "blurred", "ids") if kind == "free" else ("drawing", "blurred"))
    style = rng.choice(pictures.LABEL_STYLES) if kind in ("labelled", "voc") else "contiguous"
    if rng.random() < 0.2:
        condition, image = condition.upper(), image.upper()
    pairs = kind not in ("halves", "classes", "plain", "lama")
    added = ""
    if pairs and rng.random() < 0.25:
        added = rng.choice(
            {"lettered": ("_A",), "named": ("x2", "_lr"), "free": ("_A",)}.get(kind, ("_mask", "_label"))
        )
    return Odd(
        seed=seed,
        kind=kind,
        splits=() if kind == "voc" else tuple(s for s in splits if "bus" not in sides),
        sides=sides,
        nesting=rng.choice(nestings),
        naming=rng.choice(NAMES),
        added=added,
        content=content,
        labels=style,
        classes=2 if style == "binary" else rng.randint(4 if style in pictures.SOFT else 2, 6),
        suffixes=(condition, image),
        bits=bits,
        size=rng.choice(((16, 16), (24, 24), (32, 32)) if kind == "halves" else ((16, 16), (24, 32), (32, 32))),
        count=rng.randint(4, 12),
        later=kind in ("labelled", "lettered", "named") and rng.random() < 0.3,
        harm=rng.choice(HARM) if rng.random() < 0.4 else "",
        litter=tuple(rng.sample(LITTER, rng.randint(1, 2))) if rng.random() < 0.5 else (),
        thumbnail=rng.random() < 0.15,
        linked=rng.random() < 0.1,
    )


def _places(rng: random.Random, kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of sides, and how they may be joined to splits."""
    nestings = ("{split}/{side}", "{side}/{split}", "{split}_{side}")
    if kind == "lettered":
        return ("A", "B"), (*nestings, "{split}{side}")
    if kind == "labelled":
        return rng.choice(LABELLED), (*nestings, "{split}-{side}", "{side}_{split}")
    if kind == "instances":
        return (*rng.choice(LABELLED[:2]), "inst"), nestings
    if kind == "voc":
        return ("SegmentationClass", "JPEGImages", "SegmentationObject"), ("{side}",)
    if kind == "named":
        return rng.choice(NAMED), nestings
    if kind == "free":
        two = rng.choice(FREE)
        return two if rng.random() < 0.5 else two[::-1], nestings[:2] if two[0] == "00" else nestings
    if kind == "classes":
        names = rng.choice(CLASSES)
        return names[: rng.randint(2, len(names))] if names[0] in ("cat", "0") else names, ("{split}/{side}",)
    return (), ("{split}",)


def write(odd: Odd, root: Path) -> Truth:
    """The data set in an empty folder, and what is true of it."""
    from helpers.odd_damage import harm_and_litter  # writes into what this module has written

    rng, words = np.random.default_rng(odd.seed), random.Random(odd.seed)
    truth = _truth(odd, root)
    for split in odd.splits or ("",):
        rows = truth.pairs.setdefault(CANONICAL.get(split, split) or "train", [])
        for group in odd.sides if odd.kind == "classes" else ("",):
            stems = names(words, odd.naming, odd.count)
            for i, stem in enumerate(stems):
                size = (8, 8) if odd.thumbnail and i == 0 and not rows else odd.size
                rows.append(
                    _pair(odd, root, (split, group, stem), pictures.rectangles(rng, size, _few(odd, size)), rng)
                )
    if odd.later:
        _later(odd, root, truth, rng)
    harm_and_litter(odd, root, truth, words)
    return truth


def _few(odd: Odd, size: tuple[int, int]) -> int:
    return min(odd.classes, 2) if size == (8, 8) else odd.classes


def names(rng: random.Random, naming: str, count: int) -> list[str]:
    """So many names of one kind, in natural order."""
    word = ["".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4)) for _ in range(count)]
    word = sorted({f"{one}" for one in word} | {"kuralike", "mobibuna", "zotavemi", "rekapusi"})[:count]
    patterns = {
        "counter": "{i}",
        "padded": "{i:04}",
        "prefixed": "img_{i:03}",
        "words": "{w}",
        "accents": "façade {w} {i}",
    }
    patterns |= {"spaces": "a view of {w} ({i})", "long": "{l}{i}", "dots": "v1.{i}.{w}"}
    long = "long-" * 34
    return [patterns[naming].format(i=i, w=one, l=long) for i, one in enumerate(word)]


def place(odd: Odd, root: Path, split: str, side: str) -> Path:
    """The folder of a side of a split."""
    told = odd.nesting.format(split=split, side=side) if split else side
    return root / told


def _pair(
    odd: Odd, root: Path, name: tuple[str, str, str], classes: np.ndarray, rng: np.random.Generator
) -> tuple[Path | None, Path]:
    """Write the files of one pair, called by split, class and stem."""
    split, group, stem = name
    photo = pictures.photograph(rng, classes)
    shown = pictures.deep(photo, odd.bits) if odd.bits > 8 else photo
    if odd.kind in ("classes", "plain", "lama"):
        file = place(odd, root, split, group) / f"{stem}{odd.suffixes[1]}"
        if odd.kind == "lama":
            keep = (classes == 1).astype(np.uint8) * 255
            pictures.keep(file.with_name(f"{stem}_mask.png"), keep)
        return None, pictures.keep(file, shown)
    drawn = pictures.blurred(photo) if odd.content == "blurred" else pictures.drawing(classes)
    if odd.kind == "halves":
        both = [drawn, photo] if odd.seed % 2 else [photo, drawn]
        joined = np.hstack(both)
        joined = pictures.deep(joined, odd.bits) if odd.bits > 8 else joined
        return None, pictures.keep(place(odd, root, split, "") / f"{stem}{odd.suffixes[1]}", joined)
    first, second = (place(odd, root, split, side) for side in odd.sides[:2])
    drawn_first = odd.kind != "lettered" or odd.seed % 2 == 1
    told = unicodedata.normalize("NFD", stem) if odd.seed % 4 < 2 else stem
    files = (first / f"{told}{odd.added}{odd.suffixes[0]}", second / f"{stem}{odd.suffixes[1]}")
    condition = pictures.label_file(classes, odd.labels) if is_labelled(odd) else drawn
    for file, pixels in zip(files if drawn_first else files[::-1], (condition, shown)):
        pictures.keep(file, pixels)
    for side in odd.sides[2:]:
        pictures.keep(place(odd, root, split, side) / f"{stem}.png", (classes + 10 * classes).astype(np.uint16))
    return files


def is_labelled(odd: Odd) -> bool:
    """Whether conditions are label maps."""
    return odd.kind in ("labelled", "instances", "voc") or (odd.kind == "free" and odd.content == "ids")


def _later(odd: Odd, root: Path, truth: Truth, rng: np.random.Generator) -> None:
    """Images of a test split that has none of the other side."""
    if "test" in truth.pairs or not odd.splits:
        return
    side = odd.sides[0] if odd.seed % 3 == 0 else odd.sides[1]
    where = place(odd, root, "test", side)
    for i in range(3):
        classes = pictures.rectangles(rng, odd.size, odd.classes)
        labels = is_labelled(odd) and side == odd.sides[0]
        shown = pictures.label_file(classes, odd.labels) if labels else pictures.photograph(rng, classes)
        pictures.keep(where / f"later{i}.png", shown)
    truth.unused.append(str(where.relative_to(root)))
    truth.images.append(truth.unused[-1])


def _truth(odd: Odd, root: Path) -> Truth:
    """What names and content say, before any damage."""
    from helpers.odd_truth import truth_of

    return truth_of(odd, is_labelled(odd))
