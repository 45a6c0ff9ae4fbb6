"""Codes that a command line chooses: of a seed, of a file, or those of training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from ..model.model import Model


def refuse_several(given: Mapping[str, object]) -> None:
    """Raise ConfigError if more than one of the options that choose codes was given."""
    sources = [name for name, value in given.items() if value]
    if len(sources) > 1:
        raise ConfigError(f"{' and '.join(sources)} all choose the codes; give only one of them")


def given_codes(model: Model, file: Path | None, fixed: bool = False, n: int | None = None) -> Tensor | None:
    """The codes (n, D) of --codes FILE or --fixed-codes, at most the first n; None if neither was given.

    Raises:
        CheckpointError: the file holds no codes.
        ConfigError: both were given, the codes are those of another model, this one has no fixed codes, or n < 1.
    """
    from ..model.samples import read_codes

    refuse_several({"--codes": file, "--fixed-codes": fixed})
    if n is not None and n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    if file is not None:
        return model.check_codes(read_codes(file))[:n]
    return model.fixed_codes()[:n] if fixed else None


def pick(model: Model, codes: Tensor | None, seed: int, option: str, index: int) -> Tensor:
    """The code (D,) at the index given with an option: of the codes, or of a seed if they are None.

    Raises:
        ConfigError: there is no such code.
    """
    if codes is None:
        return model.codes(1, seed, index)[0]
    if not 0 <= index < len(codes):
        raise ConfigError(f"{option} must be between 0 and {len(codes) - 1} for these codes, got {index}")
    return codes[index]
