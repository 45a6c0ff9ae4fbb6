"""Damage to bytes and to structured files, drawn from a random.Random: each function returns new content."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import torch
import yaml

Rng = random.Random
EXTREMES = (
    b"\xff" * 8,
    b"\x00" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\xff" * 7 + b"\x7f",
    b"\x00\x01" * 4,
    b"\x80" + b"\x00" * 7,
)
NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31 - 1, 2**63, 10**9, 10**30, -(10**12), 0.5, 1e308, -1e-300, 65535)
NUMBERS += (float("nan"), float("inf"), float("-inf"))
OTHERS: tuple[Any, ...] = (
    None,
    True,
    "",
    "x" * 100_000,
    "../../etc/passwd",
    "\x00",
    "😀",
    [],
    {},
    [[]],
    [None],
    {"kind": "x"},
)
OTHERS += ("1e999", "streets:1000000000", "/dev/zero", "/", ".", "none", {"": {"": {}}}, list(range(1000)))


def any_bytes(rng: Rng, content: bytes, other: bytes) -> bytes:
    """Flipped bits, a cut, a piece of another file, extreme numbers near the start, repeated or missing pieces."""
    whole = bytearray(content)
    kind = rng.choice(("flip", "flip", "cut", "splice", "extreme", "extreme", "repeat", "remove", "insert", "swap"))
    if not whole:
        return other[: rng.randrange(len(other) + 1)]
    place, length = rng.randrange(len(whole)), rng.randrange(1, 64)
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del whole[place:]
    elif kind == "splice":
        start = rng.randrange(max(1, len(other)))
        whole[place : place + length] = other[start : start + rng.choice((length, 10 * length))]
    elif kind == "extreme":
        place = rng.randrange(min(len(whole), rng.choice((32, 128, len(whole)))))
        size = rng.choice((1, 2, 4, 8))
        whole[place : place + size] = rng.choice(EXTREMES)[:size]
    elif kind == "repeat":
        whole[place:place] = whole[place : place + length] * rng.choice((1, 2, 100))
    elif kind == "remove":
        del whole[place : place + length]
    elif kind == "insert":
        whole[place:place] = rng.randbytes(length)
    else:
        whole = whole[place:] + whole[:place]
    return bytes(whole)


def png(rng: Rng, content: bytes, other: bytes) -> bytes:
    """A PNG whose header, with a valid checksum, claims any size or type; or whose pixels are far too many."""
    if rng.random() < 0.5 or content[:4] != b"\x89PNG":
        return any_bytes(rng, content, other)
    side = lambda: rng.choice((0, 1, 65535, 2**31 - 1, 2**32 - 1, 20_000, rng.randrange(1, 4000)))  # noqa: E731
    header = struct.pack(">II", side(), side()) + bytes(
        (rng.choice((1, 2, 4, 8, 16, 255)), rng.choice((0, 2, 3, 4, 6, 99)), 0, 0, rng.choice((0, 1)))
    )
    body = content[33:]
    if rng.random() < 0.2:  # few bytes that inflate to many
        bomb = zlib.compress(bytes(rng.choice((10**6, 5 * 10**7))), 9)
        body = chunk(rng.choice((b"IDAT", b"iCCP", b"zTXt")), b"a\0\0" + bomb if rng.random() < 0.5 else bomb) + body
    return content[:8] + chunk(b"IHDR", header) + body


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def nested(rng: Rng, value: Any) -> Any:
    """A nested structure with one to three values that are extreme, missing, renamed, or of other types."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = [*paths(value)]
        parent, key = rng.choice(places) if places else (None, None)
        if parent is None:
            return rng.choice(OTHERS)
        kind = rng.random()
        if kind < 0.15:
            del parent[key]
        elif kind < 0.25 and isinstance(parent, dict):
            parent[rng.choice((f"{key}x", "", "kind", "place"))] = parent.pop(key)
        elif kind < 0.65 and isinstance(parent[key], int | float):
            parent[key] = rng.choice(NUMBERS)
        elif kind < 0.85:
            parent[key] = rng.choice(NUMBERS + OTHERS)
        else:
            parent[key] = json.loads(json.dumps(rng.choice([p[k] for p, k in places])))
    return value


def paths(value: Any) -> list[tuple[Any, Any]]:
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value)) if isinstance(value, list) else ())
    )
    return [(value, key) for key in keys] + [found for key in keys for found in paths(value[key])]


def text_of(read: Callable[[str], Any], write: Callable[[Any], str], bombs: tuple[str, ...]) -> Callable[..., bytes]:
    """Damage to a text that holds a structure: to its values, to its bytes, or a bomb instead."""

    def act(rng: Rng, content: bytes, other: bytes) -> bytes:
        kind = rng.random()
        if kind < 0.3:
            return any_bytes(rng, content, other)
        if kind < 0.35:
            return rng.choice(bombs).encode()
        return write(nested(rng, read(content.decode()))).encode("utf-8", "surrogatepass")

    return act


DEEP = tuple(opened * count for opened in ("[", '{"a":') for count in (100, 5000, 200_000))
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(8)
)
LAUGHS += "method: {name: *i}\ndata: *i\n"
json_text = text_of(json.loads, json.dumps, DEEP)
yaml_text = text_of(yaml.safe_load, lambda value: yaml.safe_dump(value, allow_unicode=False), (*DEEP[:2], LAUGHS))


def state(rng: Rng, content: bytes, other: bytes) -> bytes:
    """A checkpoint that is damaged, or whole but with other tensors, keys and numbers; or one that runs code."""
    kind = rng.random()
    if kind < 0.4:
        return any_bytes(rng, content, other)
    file = io.BytesIO()
    if kind < 0.45:
        torch.save({"step": Evil()}, file)
        return file.getvalue()
    whole = torch.load(io.BytesIO(content), weights_only=True)
    for _ in range(rng.choice((1, 2))):
        parents = [whole, *(value for value in whole.values() if isinstance(value, dict))]
        parent = rng.choice([one for one in parents if one])
        key = rng.choice(list(parent))
        value = parent[key]
        choices: list[Any] = [None, -1, 2**62, "x", [], {}, torch.zeros(0), torch.zeros(3, 5), float("nan")]
        if isinstance(value, torch.Tensor):
            choices += [value.double(), value.flatten()[:1], torch.full_like(value.float(), float("nan")), value.int()]
        if rng.random() < 0.2:
            del parent[key]
        else:
            parent[key] = rng.choice(choices)
    torch.save(whole, file)
    return file.getvalue()


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def safetensors(rng: Rng, content: bytes, other: bytes) -> bytes:
    """A header of other lengths, shapes, types and offsets."""
    if rng.random() < 0.5:
        return any_bytes(rng, content, other)
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(nested(rng, json.loads(content[8 : 8 + length]))).encode()
    size = rng.choice((len(header), len(header), len(header), length, 2**63, 2**32))
    return size.to_bytes(8, "little") + header + content[8 + length :]


def vgz(rng: Rng, content: bytes, other: bytes) -> bytes:
    """Damage that the checksum tells, or, with a new checksum, that it does not."""
    if rng.random() < 0.3:
        return any_bytes(rng, content, other)
    body = any_bytes(rng, content[40:], other)
    return content[:36] + struct.pack("<I", zlib.crc32(content[:36] + body)) + body


def npy(rng: Rng, content: bytes, other: bytes) -> bytes:
    """A header that claims any shape and type."""
    if rng.random() < 0.4 or not content.startswith(b"\x93NUMPY"):
        return any_bytes(rng, content, other)
    side = lambda: rng.choice((0, 1, -1, 10**9, 2**40, 2**63, rng.randrange(20)))  # noqa: E731
    shape = tuple(side() for _ in range(rng.randrange(5)))
    kind = rng.choice(("|u1", "<f4", "<f8", "|O", "<U10", "<c16", "|V8", "?"))
    header = f"{{'descr': '{kind}', 'fortran_order': {rng.choice((True, False))}, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content[128:]


def zipped(inner: Callable[..., bytes]) -> Callable[..., bytes]:
    """Damage to a ZIP, or to one of the files in it; or an entry that inflates to a gigabyte."""

    def act(rng: Rng, content: bytes, other: bytes) -> bytes:
        if rng.random() < 0.4:
            return any_bytes(rng, content, other)
        file, bomb = io.BytesIO(), rng.random() < 0.02
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            names = old.namelist()
            hit = rng.choice(names)
            for name in names:
                entry = old.read(name)
                if name == hit:
                    entry = entry[:128] + bytes(2**30) if bomb else inner(rng, entry, other)
                new.writestr(rng.choice((name, name, name, f"../{name}", "x")) if name == hit else name, entry)
        return file.getvalue()

    return act
