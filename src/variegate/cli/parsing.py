"""Words of the command line that several verbs read alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from ..model.model import Model

Direction = Literal["AtoB", "BtoA"]
IMAGES = (".gif", ".mp4", ".png", ".jpg", ".jpeg")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`64` or `96x128` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--size {text}: give one number, or height x width such as 96x128")
    return int(parts[0]), int(parts[-1])


def size_for(text: str | None, trained: tuple[int, int]) -> tuple[int, int] | None:
    return None if text == "native" else parse_size(text) or trained


def prefixes(names: Sequence[str]) -> list[str]:
    """What file names start with: the condition's name when there are several, numbered from 2 where it comes again."""
    if len(names) == 1:
        return [""]
    found: list[str] = []
    for name in names:
        numbered = (f"{name}-{i}" for i in count(2))
        found.append(name if name not in found else next(one for one in numbered if one not in (*found, *names)))
    return [f"{name}-" for name in found]


def named_or_none(conditions: tuple[str, ...], model: Model) -> tuple[str, ...]:
    """Conditions as typed; `none` need not be typed for a model of images alone.

    Raises:
        ConfigError: there are none, but the model draws with one.
    """
    if not conditions and model.condition.channels:
        raise ConfigError(f"no {model.condition.noun} is given; name one or more, or items of the run's data: test:0")
    return conditions or ("none",)


def folder_for(out: Path | None, default: Path) -> Path:
    """The folder to write into.

    Raises:
        ConfigError: it is named like an image.
    """
    folder = out or default
    if folder.suffix.lower() in IMAGES and not folder.is_dir():
        raise ConfigError(
            f"--out {folder}: is the name of an image; give that of a folder, such as {folder.with_suffix('')}"
        )
    return folder
