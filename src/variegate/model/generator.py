"""A generator on a device with the condition it reads: codes, encoded conditions, images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..core import codes as code_draws
from ..core.codes import Seed
from ..core.errors import ConfigError
from ..core.images import is_constant
from ..core.interfaces import Generator, Size
from ..core.sampling import decode_in_chunks
from ..data.conditions import Condition, ImageCondition
from ..runs.saved_model import ModelRecord

Precision = Literal["32-true", "bf16-mixed"]


class LoadedGenerator:
    """The base of `Model`: raw conditions and codes in, images out."""

    def __init__(
        self,
        generator: Generator,
        condition: Condition,
        record: ModelRecord,
        inverter: nn.Module | None = None,
    ) -> None:
        self.generator, self.condition, self.record, self.inverter = generator, condition, record, inverter
        self.precision: Precision = "32-true"
        self.channels_last = False
        self.reaches: dict[int, int | None] = {}  # of pixels, by the side of tiles; see `tile_plan.reach_of`

    @property
    def name(self) -> str:
        return str(self.record.method["name"])

    @property
    def size(self) -> Size:
        """The (H, W) that it was trained at."""
        return self.record.size

    @property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device

    @property
    def image_reader(self) -> ImageCondition:
        """Reads images; in grey if the model generates grey ones."""
        return ImageCondition(channels=1 if self.record.image_channels == 1 else 3)

    def codes(self, n: int, seed: int = 0, first: int = 0) -> Tensor:
        """Codes `first` .. `first + n - 1` of `seed`: (n, D)."""
        return self.codes_of([(seed, first + i) for i in range(n)])

    def codes_of(self, seeds: Sequence[Seed]) -> Tensor:
        """Codes (S, D) of (seed, index) pairs. Raises ConfigError for negative ones."""
        for seed, index in seeds:
            if seed < 0 or index < 0:
                raise ConfigError(f"seed {seed}, image {index}: seeds and image indices must be 0 or more")
        return self.generator.draw(seeds)

    def fixed_codes(self) -> Tensor:
        """The fixed codes (n, D) used throughout training, or those of all fixed heads; `sample` draws new ones.

        Raises:
            ConfigError: the model was trained with fresh codes.
        """
        if self.generator.alternatives is not None:
            return code_draws.every_choice(self.generator.alternatives)
        if self.generator.fixed_codes is None:
            raise ConfigError(
                f"this {self.name} model was trained with fresh codes, not fixed ones; omit --fixed-codes"
            )
        return self.generator.fixed_codes.cpu()

    def decode(self, raw: Tensor, codes: Tensor, chunk: int | None = None) -> Tensor:
        """Images (n, C, H, W) in [0, 1] of one raw condition (c, H, W), as returned by `condition.read`."""
        with self.autocast():
            images = decode_in_chunks(self.generator, self.encode(raw), codes, chunk)[0]
        return images.add_(1).div_(2)  # `to_unit`, in place: of many large images there is no second copy

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")

    def encode(self, raw: Tensor) -> Tensor:
        """Encode a raw condition (c, H, W) as the generator's input (1, K, H, W)."""
        encoded = self.condition.encode(raw.unsqueeze(0).to(self.device))
        laid_out = self.channels_last and not is_constant(encoded)  # constant conditions stay views
        return encoded.contiguous(memory_format=torch.channels_last) if laid_out else encoded

    def choose_codes(self, codes: Tensor | None, n: int, seed: int, first: int = 0) -> tuple[Tensor, list[Seed] | None]:
        """The codes passed in, checked; or else the codes of n seeds, and the seeds."""
        if codes is None and n < 1:
            raise ConfigError(f"n must be at least 1, got {n}")
        seeds = [(seed, first + i) for i in range(n)]
        return (self.codes_of(seeds), seeds) if codes is None else (self.check_codes(codes), None)

    def code_of(self, what: int | Seed | Tensor, seed: int) -> Tensor:
        if isinstance(what, Tensor):
            return self.check_codes(what.unsqueeze(0))[0]
        return self.codes_of([what if isinstance(what, tuple) else (seed, what)])[0]

    def check_codes(self, codes: Tensor) -> Tensor:
        """Check codes (n, D) for this model; see `core.codes.check`."""
        return code_draws.check(codes, self.generator.code_size, self.name)
