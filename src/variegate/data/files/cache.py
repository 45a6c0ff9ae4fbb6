"""A cache, in a folder of the user, for results that take minutes to compute and depend only on data.

The folder is VARIEGATE_CACHE, or else `variegate` in XDG_CACHE_HOME, or else `~/.cache/variegate`. Its contents can be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.files import replacing

Arrays = Mapping[str, NDArray[Any]]


def folder() -> Path:
    """The cache folder, which need not exist."""
    named = os.environ.get("VARIEGATE_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "variegate"


def load(kind: str, key: str, like: Arrays) -> dict[str, NDArray[Any]] | None:
    """Load the arrays saved under a key; None if there are none, or their file is damaged.

    Args:
        like: arrays with the required names, shapes and types.
    """
    try:
        with np.load(path(kind, key), allow_pickle=False) as file:  # reading an entry completely checks its CRC
            arrays = {name: file[name] for name in like}
    except Exception:  # numpy and zipfile raise many types for damaged files
        return None
    fits = all(arrays[name].shape == one.shape and arrays[name].dtype == one.dtype for name, one in like.items())
    return arrays if fits else None


def save(kind: str, key: str, arrays: dict[str, Any]) -> None:
    """Save arrays under a key; if the folder cannot be written, the next run just computes them again."""
    with contextlib.suppress(OSError), replacing(path(kind, key)) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def path(kind: str, key: str) -> Path:
    return folder() / kind / f"{key}.npz"
