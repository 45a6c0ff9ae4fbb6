"""Numbers of a code that do nothing are not counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from variegate.data import open_data
from variegate.evaluation.metrics.code_use import code_use, is_vector

pytestmark = pytest.mark.core


class Weighted(torch.nn.Module):
    """Images of one colour: a weighted sum of a code of five numbers."""

    code_size, alternatives, agree = 5, None, None

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor(weights))

    def draw(self, places: list[tuple[int, int]]) -> Tensor:
        return torch.stack([torch.randn(5, generator=torch.Generator().manual_seed(i)) for _, i in places])

    def encode(self, condition: Tensor) -> Tensor:
        return condition

    def decode_all(self, features: Tensor, codes: Tensor) -> Tensor:
        return (0.05 * codes @ self.weights)[..., None, None, None].expand(-1, -1, 3, 8, 8)


@pytest.mark.parametrize(
    ("weights", "used"), [((1, 1, 0, 0, 0), 2), ((0, 0, 3, 0, 0), 1), ((1, 1, 1, 1, 1), 5), ((0, 0, 0, 0, 0), 0)]
)
def test_as_many_numbers_are_used_as_change_the_image(weights: tuple[float, ...], used: float) -> None:
    pairs = open_data("streets:20", size=16, split="test")
    generator = Weighted(*map(float, weights))
    assert is_vector(generator)  # type: ignore[arg-type]
    found = code_use(generator, pairs)["code_dimensions"]  # type: ignore[arg-type]
    assert found.value == pytest.approx(used, abs=0.6)
    assert found.protocol.details[0].startswith("shares: ")
