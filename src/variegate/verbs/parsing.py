"""Words of the command line that several verbs read alike."""

from __future__ import annotations

from typing import Literal

from ..errors import ConfigError

Direction = Literal["AtoB", "BtoA"]


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


def prefix_of(name: str, conditions: tuple[str, ...]) -> str:
    """File names start with the condition's name when there are several."""
    return f"{name}-" if len(conditions) > 1 else ""
