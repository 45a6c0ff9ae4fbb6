"""What is true of an odd data set, and whether a report says it, or asks."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from helpers import odd_pictures as pictures
from helpers.odd_data import Odd, Truth
from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.checks.report import Report
from variegate.data.readers.folders import recognise
from variegate.data.readers.items import hold_out

PAIRS_OR_CLASSES = r"may be pairs or classes; give .*condition=.*--condition class"
SINGLE = r"contains \d+ single images, but a pair also needs a condition; derive one with --condition"
UNPAIRED = r"look unpaired: .* give both images of a pair the same name"
SOFT = r"are not label maps: most of their .* save the original labels as PNG"
OTHERWISE = {
    "images": 'pairs: --data "condition=',
    "classes": "class folders: --condition class",
    "labels": "label maps with soft edges: save the originals",
}
SHALLOW = r"so they seem to have 12 bits .* give --white-level 4095"


def truth_of(odd: Odd, labelled: bool) -> Truth:
    """What names and content say, before any damage."""
    kinds = {"halves": "halves", "classes": "classes", "plain": "", "lama": ""}
    truth = Truth((kinds.get(odd.kind, "labels" if labelled else "images"),), size=odd.size)
    drawn = odd.content == "drawing" and odd.suffixes[1].lower() != ".gif"
    if odd.kind in ("plain", "lama"):
        truth.must_ask.append(SINGLE)
    elif odd.bits == 12:
        truth.must_ask.append(SHALLOW)
    if odd.kind == "lama":
        truth.must_ask.append("masks next to the images")
    if odd.kind in ("halves", "lettered") and drawn:
        truth.condition = "A" if odd.seed % 2 else "B"
    elif odd.kind == "named" or (odd.kind == "free" and drawn):
        truth.condition = odd.sides[0]
    if odd.kind in ("free", "classes"):
        truth.asks.append(PAIRS_OR_CLASSES)
    if odd.kind == "classes":
        truth.classes = tuple(sorted(odd.sides))
    if labelled and odd.labels in pictures.SOFT:
        truth.must_ask.append(SOFT)
    elif labelled:
        truth.classes = tuple(f"class {i}" for i in range(odd.classes))
        if odd.labels == "void":
            truth.classes += ("other",)
        step = {"times 50": 50, "binary": 255}.get(odd.labels)
        if step is not None:
            truth.stored = tuple(step * i for i in range(odd.classes))
            truth.classes = tuple(f"class {value}" for value in truth.stored)
    return truth


def normal(text: str) -> str:
    """Composed letters, since the name of a lost file is told as its partner is called."""
    return unicodedata.normalize("NFC", text)


def claimed(report: Report) -> str:
    """The kind that a report says the data are; empty if it says none."""
    if report.description == "not recognised":
        return ""
    if "side by side" in report.description:
        return "halves"
    if "class folders" in report.description:
        return "classes"
    if "paired by name" in report.description and "normals" not in report.description:
        shown = report.condition or " ".join(report.problems)
        return "labels" if "label map" in shown else "images"
    return report.description


def faults(report: Report, truth: Truth, root: Path) -> list[str]:
    """Everything that a report says wrongly, or does not say."""
    told = [*report.problems, *report.notes]
    kind = claimed(report)
    if any(OTHERWISE.get(one, "nothing") in report.also for one in truth.kinds if one != kind):
        return []  # it says how to have what is right
    found = [f"no problem names {one}" for one in truth.named if not any(_mentions(p, one) for p in report.problems)]
    asked = [p for p in report.problems if any(re.search(ask, p) for ask in truth.asks + truth.must_ask)]
    open_question = not kind or any(re.search(UNPAIRED, p) for p in asked)  # then no image is used
    for one in truth.unused:
        if not (any(_mentions(p, (one,)) for p in told) or (open_question and one in truth.images)):
            found.append(f"nothing says that {one} is not used")
    excused = [one for names in truth.named for one in names] + truth.unused
    found += [f"a problem that is none: {p}" for p in report.problems if p not in asked and not _mentions(p, excused)]
    first = any(re.search(PAIRS_OR_CLASSES, p) for p in asked)  # what is answered before anything else is asked
    wanted = [] if first else truth.must_ask
    found += [f"does not ask {ask}" for ask in wanted if not any(re.search(ask, p) for p in asked)]
    if not kind:
        return found if asked else [*found, f"{truth.kinds} not recognised, and nothing is asked: {told}"]
    if kind not in truth.kinds:
        return [*found, f"{kind} is not {truth.kinds}"]
    return found + _claims(report, truth, root, asked)


def _mentions(text: str, names: tuple[str, ...] | list[str]) -> bool:
    text, names = normal(text), [normal(name) for name in names]
    return any(re.search(re.escape(name) + r"(?![\w.])", text) for name in names)


def _claims(report: Report, truth: Truth, root: Path, asked: list[str]) -> list[str]:
    """What is wrong with what is said of a kind that is right."""
    if any(re.search(UNPAIRED, problem) for problem in asked):
        return []
    found = []
    counts = {split: len(rows) for split, rows in hold_out(truth.pairs).items()}
    if report.splits != counts:
        found.append(f"{report.splits} is not {counts}")
    if report.size != truth.size and not (report.size is None and truth.named):  # a file that cannot be measured
        found.append(f"trained at {report.size}, not {truth.size}")
    if truth.classes and report.condition and [name for name, _ in report.classes] != list(truth.classes):
        found.append(f"{[name for name, _ in report.classes]} is not {truth.classes}")
    if truth.stored and report.condition and f"stored as {', '.join(map(str, truth.stored))}" not in report.condition:
        found.append(f"{report.condition} does not say {truth.stored}")
    side = re.search(r"(\S+?)/? is the condition", report.description)
    swap = "BtoA swaps" in report.description
    if truth.condition and not swap and (side is None or truth.condition not in Path(side[1]).name + side[1]):
        found.append(f"{report.description}: the condition is {truth.condition}")
    return found + _pairing(truth, root) + _opening(report, truth, root)


def _pairing(truth: Truth, root: Path) -> list[str]:
    """Files that are paired with others than their own, or trained on though they are for tests."""
    folder = recognise(root)
    ordered = folder.kind == "labels"
    found = []
    for split in {*folder.splits, *truth.pairs}:
        got = [(item.condition, item.image) for item in folder.splits.get(split, [])]
        own = truth.pairs.get(split, [])
        if {_row(pair, ordered) for pair in got} != {_row(pair, ordered) for pair in own}:
            found.append(f"other pairs in {split}: {got[:2]}, not {own[:2]}")
    return found


def _row(pair: tuple[Path | None, Path], ordered: bool) -> tuple[str, ...] | frozenset[str]:
    names = tuple(str(file) for file in pair)
    return names if ordered else frozenset(names)


def _opening(report: Report, truth: Truth, root: Path) -> list[str]:
    """A good report that cannot be opened, or a wrong number of pairs in what is."""
    if not report.ok:
        return []
    try:
        opened = {split: len(open_data(root, split=split)) for split in report.splits}
    except DataError as error:
        return [f"the check found nothing, but opening says {error}"]
    return [] if opened == report.splits else [f"{opened} opened, {report.splits} told"]
