"""A small model that draws value by value: a table of p(level | level to the left, colour before, condition)."""

from __future__ import annotations

import torch
from torch import Tensor

from variegate.core.capabilities import Choose
from variegate.core.interfaces import Features, Generator
from variegate.data.conditions import ImageCondition
from variegate.model.model import Model
from variegate.runs.saved_model import ModelRecord, versions


class Table(Generator):
    """Levels of `bits` bits; the condition's first channel, dark or bright, chooses between two tables."""

    code_size, prior = 1, "uniform"

    def __init__(self, bits: int = 3, colours: int = 3, seed: int = 0, sharpness: float = 2.0) -> None:
        super().__init__()
        self.bits, self.colours, self.levels = bits, colours, 2**bits
        rng = torch.Generator().manual_seed(seed)
        logits = torch.randn(2, colours, self.levels, self.levels, self.levels, generator=rng) * sharpness
        self.logits = torch.nn.Parameter(logits)

    def probabilities(self, condition: Tensor, levels: Tensor, place: tuple[int, int, int]) -> Tensor:
        """(B, levels) of the value at (y, x, colour), given levels (B, C, H, W) of those before it."""
        y, x, colour = place
        left = levels[:, colour, y, x - 1] if x else torch.zeros_like(levels[:, 0, 0, 0])
        before = levels[:, colour - 1, y, x] if colour else torch.zeros_like(left)
        kind = (condition[:, 0, y, x] > 0).long()
        return self.logits[kind, colour, left, before].softmax(dim=1)

    def walk(self, condition: Tensor, choose: Choose) -> Tensor:
        height, width = condition.shape[-2:]
        levels = torch.zeros(len(condition), self.colours, height, width, dtype=torch.long)
        for y in range(height):
            for x in range(width):
                for colour in range(self.colours):
                    levels[:, colour, y, x] = choose(self.probabilities(condition, levels, (y, x, colour)))
        return self.show(levels)

    def quantise(self, image: Tensor) -> Tensor:
        return (((image + 1) * 127.5).round() / 2 ** (8 - self.bits)).floor()

    def show(self, level: Tensor) -> Tensor:
        return (level * (255 / (self.levels - 1))).round() / 127.5 - 1

    def bits_of(self, condition: Tensor, image: Tensor) -> float:
        """-log2 p(image | condition), all values at once."""
        level = self.quantise(image).long()
        left = torch.cat([torch.zeros_like(level[..., :1]), level[..., :-1]], dim=3)
        before = torch.cat([torch.zeros_like(level[:, :1]), level[:, :-1]], dim=1)
        kind = (condition[:, :1] > 0).long().expand_as(level)
        colour = torch.arange(self.colours).view(1, -1, 1, 1).expand_as(level)
        shares = self.logits.detach().double().log_softmax(dim=-1)[kind, colour, left, before, level]
        return -float(shares.sum()) / float(torch.tensor(2.0).log())

    def encode(self, condition: Tensor) -> Features:
        return Features(condition, (), (condition.shape[-2], condition.shape[-1]))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        return self.walk(features.condition, by_chance(int(code[0, 0] * 2**20)))


def by_chance(seed: int) -> Choose:
    """Draws; a level of probability p is chosen in a share p of the cases."""
    rng = torch.Generator().manual_seed(seed)
    return lambda probabilities: torch.multinomial(probabilities, 1, generator=rng)[:, 0]


def table_model(table: Table | None = None) -> Model:
    """It draws on images as conditions."""
    table, condition = table or Table(), ImageCondition(channels=1)
    record = ModelRecord(
        method={"name": "table", "summary": "a table of probabilities", "paper": "none"},
        condition=condition.model_dump(mode="json"),
        condition_channels=1,
        image_channels=table.colours,
        size=(8, 8),
        data="none",
        step=0,
        seed=0,
        versions=versions(),
    )
    return Model(table.eval().requires_grad_(False), condition, record)
