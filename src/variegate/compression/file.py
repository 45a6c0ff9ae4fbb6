"""Files of compressed images (.vgz). All numbers are little-endian; lengths are in bytes.

4   "VGZ" and the format's version, 2
32  SHA-256 of the model's weights
4   CRC-32 of all other bytes of the file
1+  length and text: the torch version used for compression
4   number of different conditions; then for each
    4+  length and content (see `condition_bytes`)
4   number of images; then for each
    2+  length and text: its name
    1, 4, 4, 4, 4   colours, height, width, index of its condition from 0, CRC-32 of its levels
4+  length and content: the bits of all images, as 32-bit words of the range coder
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..core.errors import ConfigError, DataError
from ..core.files import replacing

MAGIC, VERSION = b"VGZ", 2
HEAD = struct.Struct("<3sB32s")
CRC = struct.Struct("<I")
NUMBER = struct.Struct("<I")
PICTURE = struct.Struct("<BIIII")
MOST = 2**28  # pixels of an image
LARGEST = 2**30  # bytes of a condition


class Packed(NamedTuple):
    """One image of a file."""

    name: str
    shape: tuple[int, int, int]  # C, H, W
    condition: bytes
    check: int


class Archive(NamedTuple):
    """The content of a file."""

    model: bytes  # SHA-256 of the weights
    torch: str  # version used for compression
    images: list[Packed]
    content: bytes  # the bits of the images


def write(path: Path, archive: Archive) -> int:
    """Write to a temporary file, then rename it; returns the size in bytes.

    Raises:
        ConfigError: the file exists.
    """
    if path.exists():
        raise ConfigError(f"{path} already exists; give another --out, or remove it first")
    whole = to_bytes(archive)
    with replacing(path) as aside:
        aside.write_bytes(whole)
    return len(whole)


def to_bytes(archive: Archive) -> bytes:
    conditions = list(dict.fromkeys(one.condition for one in archive.images))
    parts = [with_length(archive.torch.encode(), "<B"), NUMBER.pack(len(conditions))]
    parts += [with_length(condition, "<I") for condition in conditions]
    parts.append(NUMBER.pack(len(archive.images)))
    for one in archive.images:
        parts.append(with_length(one.name.encode(), "<H"))
        parts.append(PICTURE.pack(*one.shape, conditions.index(one.condition), one.check))
    parts.append(with_length(archive.content, "<I"))
    head, body = HEAD.pack(MAGIC, VERSION, archive.model), b"".join(parts)
    return head + CRC.pack(zlib.crc32(head + body)) + body


def with_length(content: bytes, length: str) -> bytes:
    return struct.pack(length, len(content)) + content


def read(path: Path) -> Archive:
    """Read a file.

    Raises:
        DataError: there is no such file, or it is of another kind or version, truncated or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give one written by `variegate compress`")
    whole = path.read_bytes()
    if not whole or not MAGIC.startswith(whole[: len(MAGIC)]):
        raise DataError(f"{path}: not a compressed file; give one written by `variegate compress`")
    if len(whole) > len(MAGIC) and whole[len(MAGIC)] != VERSION:
        raise DataError(
            f"{path}: has format {whole[len(MAGIC)]}, but this version of variegate reads format {VERSION}; "
            "update variegate, or copy the file again"
        )
    start = HEAD.size + CRC.size
    head, body = whole[: HEAD.size], whole[start:]
    if len(whole) < start or CRC.unpack(whole[HEAD.size : start])[0] != zlib.crc32(head + body):
        raise DataError(f"{path}: is cut short or damaged; copy it again")
    try:
        return parsed(HEAD.unpack(head)[2], Rest(body))
    except (struct.error, UnicodeDecodeError, IndexError) as error:  # written by something else
        raise DataError(f"{path}: is not what `variegate compress` writes ({error}); compress again") from None


def parsed(model: bytes, rest: Rest) -> Archive:
    version, [count] = rest.counted("<B").decode(), rest.numbers(NUMBER)
    conditions = [rest.counted("<I") for _ in range(count)]
    [count] = rest.numbers(NUMBER)
    images = [read_packed(rest, conditions) for _ in range(count)]
    return Archive(model, version, images, rest.counted("<I"))


def read_packed(rest: Rest, conditions: Sequence[bytes]) -> Packed:
    name = rest.counted("<H").decode()
    colours, height, width, condition, check = rest.numbers(PICTURE)
    if not (0 < colours <= 4 and 0 < height * width <= MOST):
        raise struct.error(f"an image of {colours} colours and {height}x{width} pixels")
    return Packed(name, (colours, height, width), conditions[condition], check)


class Rest:
    """The unread rest of a file.

    Raises:
        struct.error: from both, if less is left than is asked for.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def numbers(self, kind: struct.Struct) -> tuple[int, ...]:
        self.place += kind.size
        return kind.unpack_from(self.content, self.place - kind.size)

    def counted(self, length: str) -> bytes:
        [size] = self.numbers(struct.Struct(length))
        if size > len(self.content) - self.place:
            raise struct.error("a length beyond the end")
        self.place += size
        return self.content[self.place - size : self.place]


def condition_bytes(raw: Tensor) -> bytes:
    """A raw condition (c, H, W) as deflated safetensors; constant planes as (c, 1, 1), and c = 0 as no bytes."""
    if raw.shape[0] == 0:
        return b""
    corner = raw[:, :1, :1]
    kept = corner if bool((raw == corner).all()) else raw
    return zlib.compress(save({"raw": kept.contiguous()}), 9)


def condition_of(content: bytes, height: int, width: int) -> Tensor:
    """The inverse of `condition_bytes`; constant planes are views with strides of 0.

    Raises:
        DataError: it is no condition of that size.
    """
    if not content:
        return torch.empty(0, height, width, dtype=torch.uint8)
    try:
        raw: Tensor = load(zlib.decompressobj().decompress(content, LARGEST))["raw"]
        return raw if raw.shape[1:] == (height, width) else raw.expand(-1, height, width)
    except (zlib.error, SafetensorError, KeyError, RuntimeError) as error:
        raise DataError(f"a condition in the file is damaged ({error}); compress the images again") from None
