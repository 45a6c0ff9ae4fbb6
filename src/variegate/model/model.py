"""What a user holds: a trained generator that draws many images for one condition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ..core import codes as code_draws
from ..core.codes import Seed
from ..core.errors import ConfigError
from ..core.interfaces import Generator, Size
from ..core.sampling import Moments, decode_in_chunks, image_moments
from ..data.conditions.labels import AnyCondition, Picture, Source, condition_from_mapping
from ..data.scenes.layouts import read_layouts
from ..runs.saved_model import ModelRecord, model_folder, read_record, write_model
from ..runs.settings import require_device
from .loading import networks_of
from .samples import Samples

if TYPE_CHECKING:
    from .editing import Editor

Precision = Literal["32-true", "bf16-mixed"]


class Model:
    """A trained generator with its condition. Make one with `variegate.load(path)`."""

    def __init__(
        self,
        generator: Generator,
        condition: AnyCondition,
        record: ModelRecord,
        inverter: nn.Module | None = None,
    ) -> None:
        self.generator, self.condition, self.record, self.inverter = generator, condition, record, inverter
        self.precision: Precision = "32-true"
        self.channels_last = False

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "cpu",
        precision: Precision = "32-true",
        channels_last: bool = False,
        compile: bool = False,
    ) -> Model:
        """From a run directory or the `model` folder in it.

        The switches change the speed, and images no more than rounding does: bfloat16 by about 1/100 of the range, the
        others by 1/10,000.

        Args:
            precision: arithmetic of convolutions and matrix products.
            channels_last: memory layout of weights and features.
            compile: with `torch.compile`; the first image of every size takes long, a C++ compiler is needed on CPUs.

        Raises:
            CheckpointError: there is no model there, or it is damaged.
            ConfigError: there is no such device.
        """
        require_device(device)
        folder = model_folder(Path(path))
        record = read_record(folder)
        generator, inverter = networks_of(folder, record, device)
        if channels_last:
            generator.to(memory_format=torch.channels_last)
        if compile:
            generator.encode = torch.compile(generator.encode)  # type: ignore[method-assign]
            generator.decode = torch.compile(generator.decode)  # type: ignore[method-assign]
        model = cls(generator, condition_from_mapping(record.condition), record, inverter)
        model.precision, model.channels_last = precision, channels_last
        return model

    def save(self, folder: str | Path) -> None:
        """Write `config.json`, `model.safetensors` and a card."""
        write_model(Path(folder), self.generator, self.record, self.inverter)

    @property
    def name(self) -> str:
        return str(self.record.method["name"])

    @property
    def size(self) -> Size:
        """H, W it was trained at."""
        return self.record.size

    @property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device

    @property
    def pictures(self) -> Picture:
        """How pictures are read: in grey if the model draws grey ones."""
        return Picture(channels=1 if self.record.image_channels == 1 else 3)

    def codes(self, n: int, seed: int = 0, first: int = 0) -> Tensor:
        """Codes `first` .. `first + n - 1` of `seed`: (n, D)."""
        return self.drawn([(seed, first + i) for i in range(n)])

    def drawn(self, seeds: Sequence[Seed]) -> Tensor:
        """Codes (S, D) of (seed, index) pairs. Raises ConfigError for negative ones."""
        for seed, index in seeds:
            if seed < 0 or index < 0:
                raise ConfigError(f"image {index} of seed {seed}: seeds and images are counted from 0; give 0 or more")
        return self.generator.draw(seeds)

    def training_codes(self) -> Tensor:
        """The fixed codes (n, D) that were trained; `codes` and `sample` draw new ones.

        Raises:
            ConfigError: training drew fresh codes.
        """
        if self.generator.fixed_codes is None:
            raise ConfigError(f"this {self.name} model was trained with fresh codes; leave --training-codes out")
        return self.generator.fixed_codes.cpu()

    def sample(
        self,
        condition: Source,
        n: int = 16,
        seed: int = 0,
        first: int = 0,
        codes: Tensor | None = None,
        size: Size | None = None,
        chunk: int = 16,
    ) -> Samples:
        """n different images of one condition.

        Args:
            condition: path, PIL image, numpy array or tensor; any height and width. A class by its name or number, a
                vector as array (D,) or FILE:ROW, "none" for models of images alone; a tuple for several conditions.
            seed, first: image i has the code of (seed, first + i), whatever n and `chunk` are.
            codes: (n, D) to use instead, such as those of another condition's samples.
            size: H, W to resize the condition to; as it is unless given, and as in training if it has none. Images have
                the condition's size.
            chunk: images decoded at a time.

        Raises:
            DataError: the condition cannot be read.
            ConfigError: codes of another model.
        """
        codes, seeds = self.chosen(codes, n, seed, first)
        raw = self.condition.read(condition, size)
        images = self.decode(raw, codes, chunk)
        return Samples(images, codes, seeds)

    def complete(
        self,
        image: Source,
        condition: Source | None = None,
        n: int = 16,
        seed: int = 0,
        keep: int | None = None,
        codes: Tensor | None = None,
        size: Size | None = None,
    ) -> Samples:
        """n different images that begin as a picture does; all after its first pixels is drawn.

        Args:
            image: a picture, in what form `sample` takes one; of its own size unless `size` is given.
            condition: as in `sample`, resized to the image; left out for models of images alone, and for auto-encoders,
                which read the image.
            keep: how many pixels stay, row by row from the top, each from the left; the upper half unless given. They
                are the picture's own, or with fewer than 8 bits a colour the levels below them.
            n, seed, codes: as in `sample`.

        Raises:
            DataError: the image or the condition cannot be read.
            ConfigError: the model does not draw pixel after pixel, a condition is missing, or there are fewer pixels.
        """
        from .likelihood import complete

        return complete(self, image, condition, keep, self.chosen(codes, n, seed), size)

    def moments(self, condition: Source, n: int = 32, seed: int = 0, size: Size | None = None) -> Moments:
        """Mean and standard deviation of every pixel: predicted by a moment-predictor, else of n samples.

        Args and errors are those of `sample`, but n must be at least 2.
        """
        if n < 2:
            raise ConfigError(f"n = {n}: the deviation of fewer than 2 samples says nothing; give 2 or more")
        raw = self.condition.read(condition, size)
        return image_moments(self.generator, self.encoded(raw), self.codes(n, seed))

    def log_prob(
        self, images: Sequence[Source] | Tensor, condition: Source, size: Size | None = None, chunk: int = 16
    ) -> Tensor:
        """log p(image | condition) of each image in nats, (n,); for PixelCNN the probability of its levels.

        Args:
            images: n of what `sample` takes as a picture, or one tensor (n, C, H, W), of integers 0 to 255 or, like
                `Samples.images`, of numbers in [0, 1]; all of one size, to which the condition is resized.
            size: H, W to resize all of them to.
            chunk: images looked at at a time.

        Raises:
            DataError: an image or the condition cannot be read, or has values out of range.
            ConfigError: the model has no likelihood, or images differ in size.
        """
        from .likelihood import log_prob

        return log_prob(self, images, condition, size, chunk)

    def surprise(
        self, images: Sequence[Source] | Tensor, condition: Source, size: Size | None = None, chunk: int = 16
    ) -> Tensor:
        """Bits of every pixel, given those above and to the left, (n, H, W). Args and errors: those of `log_prob`."""
        from .likelihood import surprise

        return surprise(self, images, condition, size, chunk)

    def interpolate(
        self,
        condition: Source,
        start: int | Seed | Tensor,
        end: int | Seed | Tensor,
        frames: int = 24,
        seed: int = 0,
        size: Size | None = None,
    ) -> Samples:
        """Images along the path between two codes of one condition, ends included.

        `start` and `end` are indices of `seed`, (seed, index) pairs or codes (D,).
        """
        if frames < 1:
            raise ConfigError(f"frames = {frames}: a path has at least 1; give 1 or more")
        ends = (self.code_of(start, seed), self.code_of(end, seed))
        way = code_draws.path(*ends, frames, self.generator.prior)
        return self.sample(condition, codes=way, size=size)

    def sequence(
        self,
        conditions: str | Path | Sequence[Source],
        code: int | Seed | Tensor = 0,
        seed: int = 0,
        size: Size | None = None,
        end: int | Seed | Tensor | None = None,
    ) -> Samples:
        """One image for each of many conditions of one size: with one code, or along the path from it to `end`.

        `conditions`: what `sample` takes, folders of such files, files of several frames. Codes as in `interpolate`.
        """
        sources = [conditions] if isinstance(conditions, str | Path) else conditions
        raws, start = read_layouts(sources, self.condition, size), self.code_of(code, seed)
        if end is None:
            way = start.expand(len(raws), -1)
        else:
            way = code_draws.path(start, self.code_of(end, seed), len(raws), self.generator.prior)
        return Samples(torch.cat([self.decode(raw, one[None]) for raw, one in zip(raws, way)]), way, None)

    def edit(self, layout: Source, size: Size | None = None) -> Editor:
        """Add, move, delete and change objects of a label map, and draw it with the code kept.

        Args:
            layout: a label map, or a pair (label map, instance map) to tell touching objects of a class apart.
            size: as in `sample`; the layout is edited at its own size, and resized to be drawn.

        Raises:
            ConfigError: the model's conditions are no label maps.
        """
        from .editing import Editor

        return Editor(self, layout, size)

    def invert(self, image: Source) -> Tensor:
        """The code (1, D) of an image, resized to the size of training: `sample(condition, codes=...)` draws its style.

        Raises:
            ConfigError: the model has no encoder from images to codes.
        """
        if self.inverter is None:
            raise ConfigError(f"this {self.name} model has no encoder from images to codes; train bicyclegan or munit")
        pixels = self.pictures.read(image, self.size).unsqueeze(0).to(self.device)
        mean: Tensor = self.inverter(pixels.float() / 127.5 - 1)[0]
        return mean.cpu()

    def decode(self, raw: Tensor, codes: Tensor, chunk: int = 16) -> Tensor:
        """Images (n, C, H, W) in [0, 1] of one raw condition (c, H, W) as `condition.read` returns it."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            return (decode_in_chunks(self.generator, self.encoded(raw), codes, chunk)[0] + 1) / 2

    def encoded(self, raw: Tensor) -> Tensor:
        """What the generator reads, (1, K, H, W), of a raw condition (c, H, W)."""
        encoded = self.condition.encode(raw.unsqueeze(0).to(self.device))
        laid_out = self.channels_last and encoded.stride()[2:] != (0, 0)  # constant planes stay views
        return encoded.contiguous(memory_format=torch.channels_last) if laid_out else encoded

    def chosen(self, codes: Tensor | None, n: int, seed: int, first: int = 0) -> tuple[Tensor, list[Seed] | None]:
        """Given codes, checked; or those of n seeds, and the seeds."""
        if codes is None and n < 1:
            raise ConfigError(f"n = {n}: give 1 or more")
        seeds = [(seed, first + i) for i in range(n)]
        return (self.drawn(seeds), seeds) if codes is None else (self.checked(codes), None)

    def code_of(self, what: int | Seed | Tensor, seed: int) -> Tensor:
        if isinstance(what, Tensor):
            return self.checked(what.unsqueeze(0))[0]
        return self.drawn([what if isinstance(what, tuple) else (seed, what)])[0]

    def checked(self, codes: Tensor) -> Tensor:
        """As `codes.checked`."""
        return code_draws.checked(codes, self.generator.code_size, self.name)
