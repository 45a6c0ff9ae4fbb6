"""Features of images: computed once for each image, and kept on disk by what the image and the network are.

They are in `features.sqlite` of the cache folder (see `data.files.cache`), which several processes may use at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...core.errors import DataError
from ...core.images import to_float
from ...core.interfaces import Size
from ...core.processes import shared
from ...data.files import cache
from ...runs.measured import libraries
from .extractors import Extractor

MOST = 200_000  # images that are kept, the latest: 0.4 GB of SqueezeNet's features, 1.6 GB of Inception's
WAIT = 10.0  # seconds for another process that writes
TABLE = "CREATE TABLE IF NOT EXISTS features (network TEXT, image BLOB, row BLOB, UNIQUE (network, image))"


class Features(NamedTuple):
    """Features (N, D), float64 on the CPU, of images of size (H, W)."""

    values: Tensor
    size: Size


@torch.no_grad()
def features_of(batches: Iterable[Tensor], network: nn.Module) -> Features:
    """Features of batches (n, 3, H, W) in [-1, 1] on the network's device; nothing is kept."""
    return joined((network(checked(one)).double().cpu(), (one.shape[-2], one.shape[-1])) for one in batches)


@torch.no_grad()
def kept_features(batches: Iterable[Tensor], extractor: Extractor) -> Features:
    """Features of batches (n, 3, H, W), uint8; those of images seen before, by any process, are read from disk.

    Several processes of an evaluation share the batches.
    Nothing is kept of a network whose weights have no hash.
    """

    with Store(key_of(extractor)) as store:

        def features(images: Tensor) -> tuple[Tensor, Size]:
            keys = [hashlib.sha256(image.numpy().tobytes() + repr(image.shape).encode()).digest() for image in images]
            found = store.read(keys)
            new = [i for i, key in enumerate(keys) if key not in found]
            if new:
                computed = extractor.network(to_float(checked(images[new]))).float().cpu()
                rows = {keys[i]: row for i, row in zip(new, computed)}
                store.write(rows)
                found |= rows
            return torch.stack([found[key] for key in keys]).double(), (images.shape[-2], images.shape[-1])

        return joined(shared(batches, features))


def checked(images: Tensor) -> Tensor:
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(f"images must have shape (n, 3, H, W), got {tuple(images.shape)}")
    return images


def joined(parts: Iterable[tuple[Tensor, Size]]) -> Features:
    """One set of batches of features, each with the size of its images."""
    found = list(parts)
    if sum(len(features) for features, _ in found) < 2:
        raise DataError("a distance between sets needs at least two images in each set")
    return Features(torch.cat([features for features, _ in found]), found[-1][1])


def key_of(extractor: Extractor) -> str:
    """What features depend on besides the image; empty if that is not known."""
    if not extractor.digests:
        return ""
    parts = (extractor.name, extractor.resize, sorted(extractor.digests.items()), libraries(*extractor.packages))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class Store:
    """Rows of features by key. Where the folder cannot be written to, or the file is damaged, nothing is kept."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.connection: sqlite3.Connection | None = None

    def __enter__(self) -> Store:
        if not self.network:
            return self
        with contextlib.suppress(OSError, sqlite3.Error):
            self.connection = self.opened(cache.folder() / "features.sqlite")
        return self

    def __exit__(self, *_: object) -> None:
        if self.connection is not None:
            self.connection.close()

    @staticmethod
    def opened(path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=WAIT)
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute(TABLE)
            connection.execute("DELETE FROM features WHERE rowid <= (SELECT max(rowid) FROM features) - ?", (MOST,))
        return connection

    def read(self, keys: Sequence[bytes]) -> dict[bytes, Tensor]:
        if self.connection is None:
            return {}
        marks = ", ".join("?" * len(keys))
        query = f"SELECT image, row FROM features WHERE network = ? AND image IN ({marks})"
        with contextlib.suppress(sqlite3.Error):
            return {
                key: torch.frombuffer(bytearray(row), dtype=torch.float32)
                for key, row in self.connection.execute(query, (self.network, *keys))
            }
        return {}

    def write(self, rows: dict[bytes, Tensor]) -> None:
        if self.connection is None:
            return
        values = [(self.network, key, row.numpy().tobytes()) for key, row in rows.items()]
        with contextlib.suppress(sqlite3.Error), self.connection:  # a full disk, or another process writes for long
            self.connection.executemany("INSERT OR IGNORE INTO features VALUES (?, ?, ?)", values)
