"""Embed all images of a folder, and write their vectors to a file."""

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
    """Names and vectors (N, D) of all images below a folder, also written to a file.

    Images are in the natural order of their paths (2 before 10) and named by their path relative to the folder, with
    slashes. `.npy` contains the vectors in this order, float32 (N, D); `.npz` contains `vectors` and `names`;
    `.safetensors` contains the tensor `vectors`, and `names` in its metadata as a JSON list.

    Raises:
        ConfigError: the file exists, or has an unsupported extension.
        DataError: there are no images, one cannot be read, or the embedding does not return finite rows.
    """
    folder, out = Path(folder), Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {out}: the file name must end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if out.exists():
        raise ConfigError(f"{out} already exists; give another --out, or remove it first")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give a folder of images")
    files = image_files.images_in(folder, deep=True)
    if not files:
        raise DataError(f"{folder}: contains no images, not even in sub-folders; give a folder of images")
    chunk = CHUNK if embedding.size else 1  # images that are not resized may differ in size
    parts = []
    for start in range(0, len(files), chunk):
        planes = np.stack([read(file, embedding.size) for file in files[start : start + chunk]])
        parts.append(embedding(to_float(torch.from_numpy(planes))))
    vectors = torch.cat(parts).float()
    if vectors.ndim != 2 or not bool(vectors.isfinite().all()):
        raise DataError(f"the embedding must give finite vectors of shape (N, D), got shape {tuple(vectors.shape)}")
    names = [file.relative_to(folder).as_posix() for file in files]
    write_vectors(out, vectors.contiguous().numpy(), names)
    return names, vectors
