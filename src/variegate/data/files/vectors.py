"""Vector files: .npy, .npz and .safetensors, never pickles."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError, did_you_mean
from ...core.files import replacing

Rows = NDArray[np.float32]
ROW = re.compile(r"\.npz:\d+$")  # of an image in an array
SUFFIXES = (".npy", ".npz", ".safetensors")
HOW = "write float (N, D) as .npy in the order of the images, or .npz or .safetensors with `vectors` and `names`"


class Vectors(NamedTuple):
    """N vectors of one length."""

    file: Path
    rows: Rows  # (N, D)
    names: tuple[str, ...] | None  # of the images; None: the rows are in the order of the images

    def number(self, row: str) -> int:
        """The row with a given name or number.

        Raises:
            DataError: there is no such row.
        """
        if self.names is not None:
            known = by_name(self.names)
            for name in (row, bare(row)):
                if name in known:
                    return known[name]
        if row.isdecimal() and int(row) < len(self.rows):
            return int(row)
        if self.names is not None and row and not row.isdecimal():
            raise DataError(f"{self.file}: has no vector named {row!r}; {did_you_mean(row, self.names[:200])}")
        which = f"no row {row}" if row else f"{len(self.rows)} vectors, but no row was specified"
        raise DataError(f"{self.file}: has {which}; give {self.file}:ROW with a row from 0 to {len(self.rows) - 1}")


def read_vectors(file: Path) -> Vectors:
    """Read the vectors of a file and check that they are finite and of one length.

    .npy holds (N, D) or one vector (D,). .npz and .safetensors hold `vectors` (N, D) with the file names of the
    images as `names` (in .safetensors a JSON list in the metadata), or an array (D,) for each name.

    Raises:
        DataError: the file cannot be read, or its vectors or names are invalid.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"{file}: is not a vector file; {HOW}")
    if not file.is_file():
        raise DataError(f"{file}: there is no such vector file; {HOW}")
    try:
        arrays, names = _opened(file)
    except Exception as error:  # numpy, zipfile and safetensors raise many types for damaged files
        raise DataError(f"{file}: cannot be read ({str(error).splitlines()[0]}); write it again: {HOW}") from None
    if "vectors" in arrays:
        rows = np.asarray(arrays["vectors"])
    elif file.suffix.lower() == ".npy" or not arrays:
        raise DataError(f"{file}: has no vectors; {HOW}")
    else:
        names = names or tuple(arrays)
        if lost := next((name for name in names if name not in arrays), None):
            raise DataError(f"{file}: has no vector of {lost!r}, which it names; {HOW}")
        lengths = {name: np.asarray(value).size for name, value in arrays.items()}
        other = next((name for name in lengths if lengths[name] != lengths[names[0]]), None)
        if other is not None:
            raise DataError(
                f"{file}: the vector of {other} has {lengths[other]} values, that of {names[0]} {lengths[names[0]]}; "
                "all must have the same length"
            )
        rows = np.stack([np.asarray(arrays[name]).reshape(-1) for name in names])
    return _checked(file, rows, names)


def write_vectors(file: Path, rows: Rows, names: Sequence[str]) -> None:
    """Write vectors (N, D) for `read_vectors`, atomically, with their names unless the file is .npy."""
    from safetensors.numpy import save

    kind = file.suffix.lower()
    with replacing(file) as aside, aside.open("wb") as stream:
        if kind == ".npy":
            np.save(stream, rows)
        elif kind == ".npz":
            np.savez(stream, vectors=rows, names=np.array(names))
        else:
            stream.write(save({"vectors": rows}, metadata={"names": json.dumps(list(names))}))


def _opened(file: Path) -> tuple[Mapping[str, Any], tuple[str, ...] | None]:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        with file.open("rb") as stream:  # np.load's error for other files suggests unpickling them
            return {"vectors": np.lib.format.read_array(stream, allow_pickle=False)}, None
    if suffix == ".npz":
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        names = arrays.pop("names", None)
        return arrays, None if names is None else tuple(map(str, names))
    from safetensors import safe_open

    with safe_open(file, "np") as content:
        arrays = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        listed = (content.metadata() or {}).get("names")
    return arrays, None if listed is None else tuple(map(str, json.loads(listed)))


def _checked(file: Path, rows: NDArray[Any], names: tuple[str, ...] | None) -> Vectors:
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.dtype.kind not in "buif" or rows.ndim != 2 or 0 in rows.shape:
        raise DataError(f"{file}: expected floats of shape (N, D), got type {rows.dtype} and shape {rows.shape}")
    if names is not None and len(names) != len(rows):
        raise DataError(f"{file}: has {len(rows)} vectors, but {len(names)} names; give one name per vector")
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        which = f"that of {names[broken[0]]}" if names is not None else f"row {broken[0]}"
        raise DataError(
            f"{file}: has {len(broken)} vector(s) with NaN or infinity, such as {which}; compute them again"
        )
    return Vectors(file, rows.astype(np.float32), names)


def matched(found: Vectors, images: Sequence[str], where: str) -> Rows:
    """The vector of each image (M, D), by name or, if the file has no names, in the order of the images.

    Args:
        images: image names, as paths relative to the folder.

    Raises:
        DataError: an image has no vector, or the numbers of vectors and images differ.
    """
    if found.names is None:
        if len(found.rows) != len(images):
            raise DataError(
                f"{found.file}: has {len(found.rows)} vectors, but {where} has {len(images)} images; give one for "
                "each, in order, or a file with names"
            )
        return found.rows
    known = by_name(found.names)
    places = [known.get(name, known.get(bare(name), -1)) for name in images]
    lonely = [name for name, place in zip(images, places) if place < 0]
    if lonely:
        example = ", ".join(lonely[:3]) + (f" and {len(lonely) - 3} more" if len(lonely) > 3 else "")
        raise DataError(
            f"{found.file}: has no vector for {example}; its names, such as {found.names[0]}, must match the "
            f"images in {where}"
        )
    return found.rows[places]


def by_name(names: Sequence[str]) -> dict[str, int]:
    """Index rows by name and by name without suffix; the first wins."""
    whole: dict[str, int] = {}
    shorter: dict[str, int] = {}
    for row, name in enumerate(names):
        whole.setdefault(name, row)
        shorter.setdefault(bare(name), row)
    return shorter | whole


def bare(name: str) -> str:
    """A path without its file suffix; FILE.npz:ROW, an image in an array, as it is."""
    if ROW.search(name):
        return name
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix else name
