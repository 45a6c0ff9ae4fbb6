"""Parsing of command-line arguments that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import ConfigError
from ..core.files import check_writable
from ..runs.bundled import bundled
from ..runs.hub import on_hub

if TYPE_CHECKING:
    from ..model.model import Model

Direction = Literal["AtoB", "BtoA"]
LONGEST = 180  # bytes of a condition's name in file names; systems take 255 in all
DRAWING = {  # option -> its name in a sampler
    **{name: name for name in ("guidance", "guide", "guided_from", "temperature", "consistent")},
    "solver_steps": "steps",
}
IMAGES = (".gif", ".mp4", ".png", ".jpg", ".jpeg")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Parse `64` or `96x128` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--size must be one number or height x width such as 96x128, got {text}")
    return int(parts[0]), int(parts[-1])


def size_for(text: str | None, trained: tuple[int, int]) -> tuple[int, int] | None:
    return None if text == "native" else parse_size(text) or trained


def sampler_of(command: object) -> dict[str, Any]:
    """Those settings of drawing that were given to a command, by their names in a sampler."""
    given = {setting: getattr(command, option, None) for option, setting in DRAWING.items()}
    return {setting: value for setting, value in given.items() if value is not None and value is not False}


def prefixes(names: Sequence[str]) -> list[str]:
    """Return file name prefixes: the condition's name if there are several, numbered from 2 where it repeats.

    Names are shortened so that what follows them still fits into a file name.
    """
    if len(names) == 1:
        return [""]
    names = [shortened(name) for name in names]
    found: list[str] = []
    for name in names:
        numbered = (f"{name}-{i}" for i in count(2))
        found.append(name if name not in found else next(one for one in numbered if one not in (*found, *names)))
    return [f"{name}-" for name in found]


def shortened(name: str) -> str:
    """Return as much of a name as LONGEST bytes hold."""
    return name.encode()[:LONGEST].decode(errors="ignore")


def named_or_none(conditions: tuple[str, ...], model: Model) -> tuple[str, ...]:
    """Return conditions as typed, or `none` if there are none and the model is unconditional.

    Raises:
        ConfigError: there are none, but the model needs one.
    """
    if not conditions and model.condition.channels:
        raise ConfigError(f"no {model.condition.noun} given; give one or more, or items of the run's data: test:0")
    return conditions or ("none",)


def folder_for(out: Path | None, default: Path) -> Path:
    """Return the folder to write to.

    Raises:
        ConfigError: it is named like an image.
        TrainingError: nothing can be written there.
    """
    elsewhere = bundled(default.parent) or on_hub(default.parent)  # not in the package, not named like a model
    here = Path(default.name) if elsewhere else default
    folder = out or here
    check_writable(next(place for place in (folder, *folder.absolute().parents) if place.is_dir()))
    if folder.suffix.lower() in IMAGES and not folder.is_dir():
        raise ConfigError(
            f"--out {folder}: names an image, but a folder is expected; give a folder such as {folder.with_suffix('')}"
        )
    return folder
