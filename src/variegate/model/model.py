"""The user-facing model: a trained generator that samples many images for one condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import torch
from torch import Tensor

from ..core import codes as code_draws
from ..core.capabilities import Completes, HasLevels, HasLikelihood, HasVelocity
from ..core.codes import Seed
from ..core.device import require_device
from ..core.errors import ConfigError, check_keywords, with_article
from ..core.images import to_float
from ..core.interfaces import Size
from ..core.sampling import Moments, image_moments
from ..data.conditions import Labels, condition_from_mapping
from ..data.files.sources import Source
from ..data.scenes.layouts import read_layouts
from ..runs.saved_model import model_folder, read_record
from .generator import Precision
from .inversion import invert_steps, search_code
from .likelihood import (
    Images,
    ask_of_each,
    check_keep,
    complete,
    log_density,
    own_condition,
    read_images,
    shown_before,
)
from .loading import Origin, at_revision, load_networks, with_sampler
from .samples import Samples
from .sharing import SharedModel
from .tiles import Drawing, draw

if TYPE_CHECKING:
    from .editing import Editor

C = TypeVar("C")


class Given(TypedDict, total=False):
    """Codes to use instead of a seed's, and a size to resize to."""

    codes: Tensor | None
    size: Size | None


class Model(SharedModel):
    """A trained generator with its condition; load one with `variegate.load(path)`."""

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "cpu",
        precision: Precision = "32-true",
        channels_last: bool = False,
        compile: bool = False,
        sampler: Mapping[str, Any] | None = None,
        **origin: Unpack[Origin],
    ) -> Model:
        """Load a model from a run directory, the `model` folder in it, or the hub: user/name.

        Args:
            precision: arithmetic of convolutions and matrix products; bfloat16 changes images by about 1/100 of the
                range, `channels_last` (memory layout) and `compile` by 1/10,000.
            compile: use `torch.compile`; the first image of every size is slow, and CPUs need a C++ compiler.
            sampler: flows: {"steps": 12, "guidance": 2, ...} instead of what was chosen before; low resolutions and
                holes: {"consistent": True}, so that samples agree with what is given.
            origin: `revision`, a branch, tag or commit on the hub; models that were used before need no network.

        Raises:
            CheckpointError: there is no model there, or it is damaged.
            ConfigError: there is no such device, or the model has no such sampler.
        """
        require_device(device)
        folder = model_folder(at_revision(path, origin))
        record = with_sampler(read_record(folder), sampler or {})
        generator, inverter = load_networks(folder, record, device, consistent=bool((sampler or {}).get("consistent")))
        if channels_last:
            generator.to(memory_format=torch.channels_last)
        if compile:
            generator.encode = torch.compile(generator.encode)  # type: ignore[method-assign]
            generator.decode = torch.compile(generator.decode)  # type: ignore[method-assign]
        model = cls(generator, condition_from_mapping(record.condition), record, inverter)
        model.precision, model.channels_last, model.folder = precision, channels_last, folder
        return model

    def sample(
        self,
        condition: Source,
        n: int = 16,
        seed: int = 0,
        codes: Tensor | None = None,
        size: Size | None = None,
        **drawing: Unpack[Drawing],
    ) -> Samples:
        """Sample n different images of one condition.

        Args:
            condition: path, PIL image, numpy array or tensor; any height and width. A class name or number, a vector as
                array (D,) or FILE:ROW, "none" for unconditional models; a tuple for several conditions.
            seed: image i has the code of (seed, i), whatever n is.
            codes: codes (n, D) to use instead, such as those of another condition's samples.
            size: (H, W) to resize the condition to; by default its own size, or the training size if it has none.
                Images have the condition's size.
            drawing: `first`, the index of the first image, `chunk`, how many are decoded at a time, `tile` and
                `overlap`, the side of the windows that large images are computed in, and what they share.

        Raises:
            DataError: the condition cannot be read.
            ConfigError: the codes belong to another model, or it cannot draw in such tiles.
        """
        check_keywords(drawing, Drawing.__annotations__, "sample")
        codes, seeds = self.choose_codes(codes, n, seed, drawing.get("first", 0))
        raw = self.condition.read(condition, size)
        return Samples(draw(self, raw, codes, drawing), codes, seeds)

    def complete(
        self,
        image: Source,
        condition: Source | None = None,
        n: int = 16,
        seed: int = 0,
        keep: int | None = None,
        **given: Unpack[Given],
    ) -> Samples:
        """Sample n different images that start with the first pixels of an image and continue differently.

        Args:
            image: as an image condition of `sample`; keeps its own size unless `size` is given.
            condition: as in `sample`, resized to the image; omit it for unconditional models, and for auto-encoders,
                which read the image.
            keep: how many pixels to keep, row by row from the top, each from the left; default: the upper half. They
                keep their values, or with fewer than 8 bits per colour are rounded down to the nearest level.
            given: `codes` and `size`, as in `sample`.

        Raises:
            DataError: the image or the condition cannot be read.
            ConfigError: the model does not sample pixel by pixel, a condition is missing, or `keep` is out of range.
        """
        generator = self._able(
            Completes, "does not sample pixel by pixel, so it cannot continue from known pixels; train gated-pixelcnn"
        )
        check_keywords(given, Given.__annotations__, "complete")
        codes, seeds = self.choose_codes(given.get("codes"), n, seed)
        start = self.image_reader.read(image, given.get("size"))
        size = (start.shape[1], start.shape[2])
        keep = check_keep(keep, size)
        source = own_condition(self.condition, start) if condition is None else condition
        if source is None:
            raise ConfigError(
                f"this {self.name} model needs {with_article(self.condition.noun)} as its condition, got none; "
                "give it with --condition"
            )
        with torch.no_grad(), self.autocast():
            features = self.generator.encode(self.encode(self.condition.read(source, size)))
        images = complete(generator, features, start, keep, codes)
        return Samples(images, codes, seeds, shown_before(start, keep))

    def moments(self, condition: Source, n: int = 32, seed: int = 0, size: Size | None = None) -> Moments:
        """Mean and standard deviation of every pixel: predicted by a moment-predictor, otherwise from n samples.

        Arguments and errors are those of `sample`, but n must be at least 2.
        """
        if n < 2:
            raise ConfigError(f"n must be at least 2 for a standard deviation, got {n}")
        raw = self.condition.read(condition, size)
        return image_moments(self.generator, self.encode(raw), self.codes(n, seed))

    def log_prob(self, images: Images, condition: Source, size: Size | None = None, chunk: int = 16) -> Tensor:
        """log p(image | condition) of each image in nats, (n,); for PixelCNN the probability of its levels, for a
        moment-predictor that fills holes the density of what is inside.

        Args:
            images: n images in any form that `sample` accepts, or one tensor (n, C, H, W) of integers 0 to 255 or, like
                `Samples.images`, of floats in [0, 1]; all of one size, to which the condition is resized.
            size: (H, W) to resize all of them to.
            chunk: images processed at a time.

        Raises:
            DataError: an image or the condition cannot be read, or has values out of range.
            ConfigError: the model has no likelihood, or images differ in size.
        """
        generator = self._able(HasLikelihood, "has no likelihood; train gated-pixelcnn or moment-predictor")
        return ask_of_each(generator.log_prob, *self._condition_and_images(condition, images, size), chunk)

    def log_density(self, images: Images, condition: Source, probes: int = 8) -> tuple[Tensor, Tensor]:
        """Log density of each image, resized to the training size, in nats as a vector in [-1, 1], and its standard
        error: both (n,). Flows only; more `probes` lessen the error, 0 is exact, but slow."""
        generator = self._able(HasVelocity, "has no density; train flow")
        return log_density(generator, *self._condition_and_images(condition, images, self.size), probes)

    def surprisal(self, images: Images, condition: Source, size: Size | None = None, chunk: int = 16) -> Tensor:
        """Bits of every pixel given all before it in raster order, (n, H, W). Arguments and errors as in `log_prob`."""
        generator = self._able(HasLevels, "has no probabilities of single pixels; train gated-pixelcnn")
        return ask_of_each(generator.surprisal, *self._condition_and_images(condition, images, size), chunk)

    def _condition_and_images(self, condition: Source, images: Images, size: Size | None) -> tuple[Tensor, Tensor]:
        """The encoded condition (1, K, H, W), and the images as uint8 (n, C, H, W)."""
        raw = read_images(images, self.image_reader, size)
        return self.encode(self.condition.read(condition, (raw.shape[2], raw.shape[3]))), raw

    def _able(self, capability: type[C], lacks: str) -> C:
        """The generator, if it has the capability; otherwise raises ConfigError."""
        if not isinstance(self.generator, capability):
            raise ConfigError(f"this {self.name} model {lacks}")
        return self.generator

    def interpolate(
        self,
        condition: Source,
        start: int | Seed | Tensor,
        end: int | Seed | Tensor,
        frames: int = 24,
        seed: int = 0,
        size: Size | None = None,
    ) -> Samples:
        """Sample images of one condition along the path between two codes, ends included.

        `start` and `end` are indices of `seed`, (seed, index) pairs or codes (D,).
        """
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
        """Sample one image for each of many conditions of one size, with one code or along the path from it to `end`.

        `conditions` are what `sample` accepts, folders of such files, or files with several frames; codes are as in
        `interpolate`.
        """
        sources = [conditions] if isinstance(conditions, str | Path) else conditions
        raws, start = read_layouts(sources, self.condition, size), self.code_of(code, seed)
        if end is None:
            way = start.expand(len(raws), -1)
        else:
            way = code_draws.path(start, self.code_of(end, seed), len(raws), self.generator.prior)
        return Samples(torch.cat([self.decode(raw, one[None]) for raw, one in zip(raws, way)]), way, None)

    def edit(self, layout: Source, size: Size | None = None) -> Editor:
        """Add, move, delete and change objects of a label map, and render it with the same code.

        Args:
            layout: a label map, or a pair (label map, instance map) to tell touching objects of a class apart.
            size: as in `sample`; the layout is edited at its own size, and resized for sampling.

        Raises:
            ConfigError: the model's conditions are not label maps.
        """
        from .editing import Editor

        if not isinstance(self.condition, Labels):
            raise ConfigError(f"this {self.name} model does not read just a label map, so it has no objects to edit")
        return Editor(self.condition, self.sample, layout, size)

    def invert(self, image: Source, condition: Source | None = None, candidates: int = 64) -> Tensor:
        """The code (1, D) of an image, resized to the training size; `sample(condition, codes=...)` uses its style.

        By the model's encoder if it has one; flows undo their steps; otherwise by a search, see `inversion`.

        Args:
            condition: what the image is an image of; only encoders do without.
            candidates: codes tried in each of the five rounds of a search.

        Raises:
            ConfigError: there is no code, the condition is lacking, or a flow's steps cannot be undone.
        """
        pixels = to_float(self.image_reader.read(image, self.size).unsqueeze(0).to(self.device))
        if self.inverter is not None:
            mean: Tensor = self.inverter(pixels)[0]
            return mean.cpu()
        if condition is None and self.condition.channels:
            what = f"the code of an image depends on its {self.condition.noun} here"
            raise ConfigError(f"{what}; give invert(image, {self.condition.noun}), or --like-condition")
        encoded = self.encode(self.condition.read("none" if condition is None else condition, self.size))
        if isinstance(self.generator, HasVelocity):
            return invert_steps(self.generator, encoded, pixels)
        return search_code(self.generator, encoded, pixels, candidates, self.record.method["objective"])


load = Model.load
