"""What takes minutes to compute and depends on data alone is kept in a folder of the user's.

The folder is the one that VARIEGATE_CACHE names, else `variegate` in XDG_CACHE_HOME, else `~/.cache/variegate`. All in
it can be deleted at any time.
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
    """Where kept results are; it need not exist."""
    named = os.environ.get("VARIEGATE_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "variegate"


def load(kind: str, key: str, like: Arrays) -> dict[str, NDArray[Any]] | None:
    """The arrays that were kept under a key; None if there are none, or their file is damaged.

    Args:
        like: arrays of the names, shapes and types that they must have.
    """
    try:
        with np.load(path(kind, key), allow_pickle=False) as file:  # reading all of an entry checks its CRC
            arrays = {name: file[name] for name in like}
    except Exception:  # numpy and zipfile raise many types for damaged files
        return None
    fits = all(arrays[name].shape == one.shape and arrays[name].dtype == one.dtype for name, one in like.items())
    return arrays if fits else None


def save(kind: str, key: str, arrays: dict[str, Any]) -> None:
    """A folder that cannot be written costs the next run time, nothing else."""
    with contextlib.suppress(OSError), replacing(path(kind, key)) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **arrays)


def path(kind: str, key: str) -> Path:
    return folder() / kind / f"{key}.npz"
