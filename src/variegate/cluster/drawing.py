"""Draw a shard: a tar file with the PNG of every image, and a JSON file of how it was made."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import pairwise, tee
from typing import Any

import torch
from torch import Tensor

from ..core.chunks import CHUNK, SMALL
from ..core.errors import ConfigError, VariegateError
from ..core.files import words_for_a_full_disk
from ..core.images import to_pil, to_unit, unit_to_uint8
from ..core.sampling import chunks_of
from ..core.tars import writing_tar
from ..model.model import Model
from ..model.samples import read_codes
from .conditions import Reader
from .manifest import write_record
from .plan import Bulk, Given, Part

CODE_NUMBERS = 1024  # of longer codes only seed and index are written, which reproduce them


class Drawer:
    """Draws shards with one model, which it loads.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: it cannot draw so, or the codes are another model's.
    """

    def __init__(self, bulk: Bulk, device: str | None = None) -> None:
        self.bulk = bulk
        switches = (bulk.precision, bulk.channels_last, bulk.compile)
        self.model = Model.load(bulk.run, device or bulk.device, *switches, bulk.sampler)
        self.reader = Reader(bulk.run, self.model.condition, bulk.size)
        self.given = given_codes(self.model, bulk)
        self.computed = f"{self.model.device.type}, torch {torch.__version__}"

    def draw(self, shard: int) -> Iterator[None]:
        """Write a shard and its record; yields after every image.

        A condition that cannot be read is left out, and the record says so. Other threads than one change last bits.

        Raises:
            TrainingError: the disk is full.
        """
        bulk, file, missing, images = self.bulk, self.bulk.file(shard), dict[str, str](), 0
        with words_for_a_full_disk(bulk.out, "finished shards are complete", "repeat the command"):
            with writing_tar(file) as add:
                for part in bulk.division.parts(shard):
                    given, before = bulk.conditions[part.condition], images
                    try:
                        for key, png, made in self.images(given, part):
                            add(f"{given.name}/{key}.png", png)
                            add(f"{given.name}/{key}.json", json.dumps(made).encode())
                            images += 1
                            yield
                    except VariegateError as error:
                        if images > before:
                            raise
                        missing[given.name] = str(error)
                        yield from [None] * (part.last - part.first)
            if not images:
                file.unlink()
            write_record(bulk, shard, images, missing, self.computed)

    def images(self, given: Given, part: Part) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
        """The images of a part: key, PNG, and how it was made.

        Raises:
            VariegateError: before the first of them, if the condition cannot be read.
        """
        raw = self.reader.read(given)
        ends = [*range(part.first, part.last, at_once(raw.shape[-2] * raw.shape[-1])), part.last]
        chunks = [range(first, last) for first, last in pairwise(ends)]
        used, kept = tee(map(self.codes, chunks))
        with self.model.autocast():
            decoded = chunks_of(self.model.generator, self.model.encode(raw), used)
            for chunk, images, codes in zip(chunks, decoded, kept):
                for index, image, code in zip(chunk, unit_to_uint8(to_unit(images)), codes):
                    yield self.key(index), png_bytes(image), self.made(given, index, code)

    def codes(self, indices: range) -> Tensor:
        """Codes (s, D)."""
        if self.given is not None:
            return self.given[indices.start : indices.stop]
        return self.model.codes_of([(self.bulk.seed, index) for index in indices])

    def key(self, index: int) -> str:
        return f"{self.bulk.seed}-{index}" if self.given is None else f"{index:04}"

    def made(self, given: Given, index: int, code: Tensor) -> dict[str, Any]:
        seed = {"seed": self.bulk.seed} if self.given is None else {}
        numbers = {"code": [float(str(number)) for number in code.numpy()]} if len(code) <= CODE_NUMBERS else {}
        return {"condition": given.name, **seed, "index": index, **numbers}


def at_once(pixels: int) -> int:
    """How many images of so many pixels are decoded at a time: the same on every machine, and a divisor of CHUNK."""
    most = max(1, CHUNK * SMALL // pixels)
    return min(CHUNK, 1 << most.bit_length() - 1)


def given_codes(model: Model, bulk: Bulk) -> Tensor | None:
    """The codes (n, D) that all conditions get; None: those of the seed.

    Raises:
        ConfigError: there are fewer than n, or they are another model's.
    """
    if bulk.codes is None and not bulk.fixed_codes:
        return None
    codes = model.fixed_codes() if bulk.codes is None else model.check_codes(read_codes(bulk.codes))
    if len(codes) < bulk.n:
        raise ConfigError(f"there are {len(codes)} codes, but {bulk.n} images of each condition; give a smaller -n")
    return codes[: bulk.n]


def png_bytes(image: Tensor) -> bytes:
    """uint8 (3 or 1, H, W) as a PNG."""
    file = io.BytesIO()
    to_pil(image).save(file, "PNG")
    return file.getvalue()
