"""A cache, in a folder of the user, for results that take minutes to compute and depend only on data.

The folder is VARIEGATE_CACHE, or else `variegate` in XDG_CACHE_HOME, or else `~/.cache/variegate`. Its contents can be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.files import replacing, write_text

VERSION = 4  # of saved values; a change of their meaning makes older ones unknown
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


def digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def load_json(kind: str, key: str, stamp: str) -> Any | None:
    """Load what this version saved under a key with the same stamp; None if there is nothing, or it is damaged."""
    try:
        saved = json.loads(_json(kind, key).read_text(encoding="utf-8"))
        return saved["value"] if saved["stamp"] == _stamp(stamp) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_json(kind: str, key: str, stamp: str, value: Any) -> None:
    """Save a value in the place of an older one; if the folder cannot be written, the next run computes it again.

    Args:
        stamp: what it depends on.
    """
    with contextlib.suppress(OSError):
        write_text(_json(kind, key), json.dumps({"stamp": _stamp(stamp), "value": value}))


def _stamp(stamp: str) -> str:
    try:
        release = importlib.metadata.version("variegate")
    except importlib.metadata.PackageNotFoundError:  # run from its source
        release = ""
    return f"{VERSION} {release} {stamp}"


def _json(kind: str, key: str) -> Path:
    return folder() / kind / f"{key}.json"
