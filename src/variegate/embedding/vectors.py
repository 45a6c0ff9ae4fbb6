"""Vectors of all images in a folder, as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import ConfigError, DataError
from ..core.images import to_float
from ..data.files import images as image_files
from ..data.files.vectors import SUFFIXES, write_vectors
from .identities import read
from .saved import CHUNK, Embeds


def embed_folder(embedding: Embeds, folder: str | Path, out: str | Path) -> tuple[list[str], Tensor]:
    """Names and vectors (N, D) of every image below a folder, also written to a file.

    Images are taken in the natural order of their paths (2 before 10) and named by the path below the folder, with
    slashes. `.npy` holds the vectors in this order, float32 (N, D); `.npz` has them as `vectors` beside `names`;
    `.safetensors` has the tensor `vectors`, and in its metadata `names`, a JSON list.

    Raises:
        ConfigError: the file exists, or its name ends otherwise.
        DataError: no images, one that cannot be read, or an embedding that gives something other than rows.
    """
    folder, out = Path(folder), Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {out}: the name has to end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if out.exists():
        raise ConfigError(f"{out} already exists; give another --out, or remove it first")
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; give one of images")
    files = image_files.images_in(folder, deep=True)
    if not files:
        raise DataError(f"{folder}: holds no images, nor do its sub-folders; give a folder of images")
    chunk = CHUNK if embedding.size else 1  # at their own sizes they may differ
    parts = []
    for start in range(0, len(files), chunk):
        planes = np.stack([read(file, embedding.size) for file in files[start : start + chunk]])
        parts.append(embedding(to_float(torch.from_numpy(planes))))
    vectors = torch.cat(parts).float()
    if vectors.ndim != 2 or not bool(vectors.isfinite().all()):
        raise DataError(f"the embedding gives {tuple(vectors.shape)}, or values that are not finite; right is (N, D)")
    names = [file.relative_to(folder).as_posix() for file in files]
    write_vectors(out, vectors.contiguous().numpy(), names)
    return names, vectors
