"""Tiny ONNX files without the package onnx: a chain of operators that need no weights, in protobuf's wire format."""

from __future__ import annotations

from pathlib import Path

FLOAT = 1  # TensorProto.FLOAT


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a number, or text or a message with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def value_info(name: str, shape: tuple[int | str, ...]) -> bytes:
    dimensions = b"".join(field(1, field(1 if isinstance(side, int) else 2, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, dimensions)))


def write_onnx(path: Path, operators: tuple[str, ...], shape: tuple[int | str, ...]) -> Path:
    """A file whose input of `shape` (text: any length) goes through the operators, such as ("Identity",)."""
    names = [f"x{place}" for place in range(len(operators) + 1)]
    nodes = [field(1, a) + field(2, b) + field(4, name) for a, b, name in zip(names, names[1:], operators)]
    graph = b"".join(field(1, node) for node in nodes) + field(2, "chain") + field(11, value_info(names[0], shape))
    output = field(12, field(1, names[-1]) + field(2, field(1, field(1, FLOAT))))  # of a shape it finds by itself
    opset = field(8, field(1, "") + field(2, 13))
    path.write_bytes(field(1, 8) + opset + field(7, graph + output))
    return path
