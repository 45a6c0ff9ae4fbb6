"""Damage to odd data sets, and what programs and people leave in their folders."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np

from helpers import odd_pictures as pictures
from helpers.odd_data import Odd, Truth, place


def harm_and_litter(odd: Odd, root: Path, truth: Truth, rng: random.Random) -> None:
    """Damage one file, and add what does not belong; the truth follows."""
    if odd.harm:
        _harm(odd, truth, rng)
    for litter in odd.litter:
        _litter(litter, root, truth)
    if odd.linked and len(odd.sides) > 1:
        _link(place(odd, root, odd.splits[0] if odd.splits else "", odd.sides[1]), root)


def _harm(odd: Odd, truth: Truth, rng: random.Random) -> None:
    harm = odd.harm
    split = rng.choice(sorted(truth.pairs))
    rows = truth.pairs[split]
    at = rng.randrange(1, len(rows))
    files = [file for file in rows[at] if file is not None]
    victim = rng.choice(files)
    others = tuple(file.name for file in files if file is not victim)
    if harm in ("no partner", "link without target"):
        if len(files) < 2:
            return
        victim.unlink()
        del rows[at]
        truth.named.append((*others, victim.name))
        if harm != "no partner":
            victim.symlink_to("/nowhere/at/all.png")
            truth.unused.append(victim.name)
        return
    whole = victim.read_bytes()
    victim.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2]}.get(harm, b"<!DOCTYPE html><html>404</html>"))
    truth.named.append((victim.name,))


def _litter(litter: str, root: Path, truth: Truth) -> None:
    image = next(iter(truth.pairs.values()))[0][1]
    if litter == "checkpoints":
        hidden = image.parent / ".ipynb_checkpoints"
        hidden.mkdir()
        shutil.copy(image, hidden / f"0-checkpoint{image.suffix}")
        truth.unused.append(".ipynb_checkpoints")
    elif litter == "macosx":
        (root / "__MACOSX" / "train").mkdir(parents=True)
        (root / "__MACOSX" / "train" / f"._{image.name}").write_bytes(b"\0\5\26\7")
    elif litter == "programs":
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (image.parent / name).write_bytes(b"\0\1")
    elif litter == "readme":
        (root / "README.md").write_text("Pictures.")
    elif litter == "archive":
        (root / "pictures.zip").write_bytes(b"PK")
        truth.unused.append(".zip")
    elif litter == "link loop":
        (root / "again").symlink_to(root, target_is_directory=True)
        truth.unused.append("again")
    elif litter == "lost link":
        (root / "lost").symlink_to(root / "no" / "where")
        truth.unused.append("lost")
    elif image.parent != root:
        pixels = pictures.photograph(np.random.default_rng(0), np.zeros((40, 60), dtype=np.uint8))
        pictures.keep(root / "collage.png", pixels)
        truth.unused.append("collage.png")
        truth.images.append("collage.png")


def _link(folder: Path, root: Path) -> None:
    """A folder of images becomes a link to where it is kept."""
    kept = root.parent / f"{root.name} kept"
    shutil.move(folder, kept)
    folder.symlink_to(kept, target_is_directory=True)
