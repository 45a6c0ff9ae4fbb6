"""The models that a studio shows: what each is, what it needs, and the conditions that it brings along."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock

import torch
from torch import Tensor

from ..core.capabilities import HasLevels, HasMoments
from ..core.codes import between
from ..core.config import from_mapping
from ..core.errors import DataError, VariegateError
from ..core.images import to_float
from ..core.interfaces import Size
from ..data.conditions import Labels
from ..data.dataset.opening import DataConfig
from ..data.dataset.pairs import Pairs
from ..data.dataset.sampling import sample_raw
from ..evaluation.metrics.calibration import Calibration, calibration
from ..evaluation.metrics.memorisation import Nearest, TrainingImages
from ..model.model import Model
from ..runs.bundled import NAMES, bundled
from ..runs.folder import RunFolder
from ..runs.saved_model import model_folder
from . import conditions, wire
from .security import Refusal
from .uploads import from_base64

logger = logging.getLogger(__name__)

EXAMPLES = 12
DEEPEST = 4  # codes between codes between codes ...
CALIBRATION_SAMPLES, CALIBRATION_SECONDS = 8, 15.0
TRAINING_IMAGES = 500  # that the nearest are searched in


class Entry:
    """One model on the shelf.

    Raises:
        CheckpointError: there is no model at `place`.
    """

    def __init__(self, place: Path, identity: str, device: str = "cpu") -> None:
        self.place, self.identity = place, identity
        self.model = Model.load(place, device)
        self.bundled = bundled(place) is not None
        content = [(model_folder(place) / name).read_bytes() for name in ("config.json", "model.safetensors")]
        self.weights = hashlib.sha256(b"".join(content)).hexdigest()[:16]
        self._first = RLock()  # what takes long is done once, whoever asks for it at the same time

    def pairs(self, split: str) -> Pairs:
        """The model's data.

        Raises:
            VariegateError: they are not here.
        """
        if (self.place / "config.yaml").is_file():
            return RunFolder(self.place).pairs(split)
        record = self.model.record
        config = from_mapping(DataConfig, {"path": record.data, "size": record.size}, "data")
        return config.open(split if split != "held" else "test", self.model.condition)

    def calibration(self) -> tuple[Calibration, int] | None:
        """On held-out pairs, and how many; None if `info` does not say that it can."""
        with self._first:
            return self._calibration

    @cached_property
    def _calibration(self) -> tuple[Calibration, int] | None:
        if "calibration" not in self.info.can:
            return None
        held, condition, until = self.pairs("held"), self.model.condition, time.monotonic() + CALIBRATION_SECONDS
        pairs: list[tuple[Tensor, Tensor]] = []
        holes: list[Tensor | None] = []
        for item, raw in enumerate(self.examples):
            if pairs and time.monotonic() > until:
                break
            drawn = sample_raw(self.model.generator, condition, raw[None], self.model.codes(CALIBRATION_SAMPLES))
            pairs.append((drawn, to_float(held.raw(item)[1])[None]))
            holes.append(held.hole(item))
        return calibration(pairs, holes), len(pairs)

    @cached_property
    def examples(self) -> list[Tensor]:
        """Raw held-out conditions; none if the data are not here."""
        try:
            held = self.pairs("held")
            return [held.raw(i)[0] for i in range(min(EXAMPLES, len(held)))]
        except VariegateError as error:
            logger.warning(f"{self.place}: no examples, because its data cannot be read: {error}")
            return []

    def nearest(self, images: Tensor) -> tuple[Nearest, list[Tensor]] | None:
        """The training image nearest to each of uint8 (n, C, H, W), and those images; None without the data."""
        if tuple(images.shape[-2:]) != self.model.size:
            return None
        with self._first:
            if self._training is None:
                return None
            training, kept = self._training
        found = kept.nearest(images)
        return found, [training.raw(item)[1] for item in found.items.tolist()]

    @cached_property
    def _training(self) -> tuple[Pairs, TrainingImages] | None:
        try:
            training = self.pairs("train")
            return training, TrainingImages(training, TRAINING_IMAGES)
        except VariegateError:
            return None

    @property
    def info(self) -> wire.ModelInfo:
        model, generator = self.model, self.model.generator
        can = {
            "surprisal": isinstance(generator, HasLevels),
            "moments": isinstance(generator, HasMoments),
            "nearest": bool(self.examples),
            "calibration": bool(self.examples) and not isinstance(generator, HasMoments | HasLevels),
        }
        return wire.ModelInfo(
            id=self.identity,
            method=model.name,
            title=f"{model.name} of {model.record.data}",
            weights=self.weights,
            parts=[conditions.need_of(part) for part in conditions.parts_of(model.condition)],
            height=model.size[0],
            width=model.size[1],
            grey=model.record.image_channels == 1,
            code_size=generator.code_size,
            different=generator.alternatives,
            can=[name for name, able in can.items() if able],
            examples=len(self.examples),
            bundled=self.bundled,
        )

    def read(self, sent: wire.AnyCondition, size: Size | None) -> Tensor:
        """The raw condition that was sent, at `size`; by default at a label map's own, else at the training size."""
        own = isinstance(self.model.condition, Labels)
        raw = conditions.read(self.model.condition, sent, size or (None if own else self.model.size))
        if max(raw.shape[1:]) > wire.SIDE:
            raise DataError(f"images here have at most {wire.SIDE} pixels a side, got {raw.shape[1]}x{raw.shape[2]}")
        return raw

    def example(self, index: int) -> wire.Example:
        """Raises Refusal (404) if there are not so many."""
        if index >= len(self.examples):
            raise Refusal(404, f"there are {len(self.examples)} examples, numbered from 0")
        return conditions.example(self.model.condition, self.examples[index])

    def read_file(self, data: str, part: int) -> wire.Example:
        """An image file (base64) as a part of the condition.

        Raises:
            DataError: there is no such part, or it is not read from files, or this is not one.
        """
        parts = conditions.parts_of(self.model.condition)
        if part >= len(parts):
            raise DataError(f"part {part}: this model's condition has {len(parts)}, counted from 0")
        return conditions.read_file(parts[part], data, self.model.size)

    def codes(self, wanted: Sequence[wire.AnyCode]) -> Tensor:
        """Codes (n, D).

        Raises:
            ConfigError: a code's numbers belong to another model.
            DataError: they are not numbers, or lie between others too many times over.
        """
        return torch.stack([self._code(one) for one in wanted])

    def _code(self, wanted: wire.AnyCode, depth: int = 0) -> Tensor:
        if depth > DEEPEST:
            raise DataError(f"a code lies between codes {DEEPEST} times over; name its ends by their values")
        if isinstance(wanted, wire.Seeded):
            return self.model.codes_of([(wanted.seed, wanted.index)])[0]
        if isinstance(wanted, wire.Mixed):
            start, end = (self._code(one, depth + 1) for one in wanted.between)
            return between(start, end, wanted.share, self.model.generator.prior)
        content = from_base64(wanted.values, "the code")
        if len(content) % 4:
            raise DataError("the code is not a list of float32")
        return self.model.check_codes(torch.frombuffer(bytearray(content), dtype=torch.float32)[None])[0]


class Shelf:
    """Models by name, in order. Two runs whose folders have one name get numbers.

    Raises:
        CheckpointError: from the constructor, if one of them is no model.
    """

    def __init__(self, places: Sequence[Path], device: str = "cpu") -> None:
        self.entries: dict[str, Entry] = {}
        for place in places or [Path(NAMES[0])]:
            name = identity = place.resolve().name if place.is_dir() else place.name
            number = 2
            while identity in self.entries:
                identity, number = f"{name}-{number}", number + 1
            self.entries[identity] = Entry(place, identity, device)

    def find(self, identity: str | None) -> Entry:
        """Raises Refusal (404) if there is no such model."""
        if identity is None:
            return next(iter(self.entries.values()))
        if identity not in self.entries:
            known = json.dumps([*self.entries])
            raise Refusal(404, f"there is no model {identity!r} here, only {known}")
        return self.entries[identity]
