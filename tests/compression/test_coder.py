"""Bits of an image: as many as the likelihood says, and the image again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers.tables import Table, by_chance
from variegate.compression import decode, encode
from variegate.compression.coder import Encoded
from variegate.core.capabilities import Choose, Walks
from variegate.core.errors import DataError


def packed(table: Table, condition: Tensor, image: Tensor) -> Encoded:
    """One image alone."""
    return encode(table, [(condition, image)])


def unpacked(table: Table, condition: Tensor, found: Encoded) -> Tensor:
    return next(decode(table, [(condition, found.checks[0])], found.content))


def halves(height: int, width: int) -> Tensor:
    """A condition (1, 1, H, W), dark above and bright below."""
    return torch.linspace(-1, 1, height).view(1, 1, -1, 1).expand(1, 1, height, width)


@pytest.mark.parametrize(
    ("bits", "colours", "size"), [(3, 3, (30, 34)), (1, 1, (48, 50)), (6, 3, (5, 7)), (7, 1, (1, 1))]
)
def test_an_image_comes_back_to_the_last_value(bits: int, colours: int, size: tuple[int, int]) -> None:
    table, condition = Table(bits, colours), halves(*size)
    image = table.walk(condition, by_chance(1))
    found = packed(table, condition, image)
    assert torch.equal(unpacked(table, condition, found), image)
    assert found.information == pytest.approx(table.bits_of(condition, image), rel=1e-5)


@pytest.mark.parametrize("sharpness", [0.3, 2.0, 6.0])
def test_the_size_is_that_of_the_likelihood(sharpness: float) -> None:
    table, condition = Table(3, 3, sharpness=sharpness), halves(36, 36)
    image = table.walk(condition, by_chance(2))
    size = 8 * len(packed(table, condition, image).content)
    ideal = table.bits_of(condition, image)
    assert ideal - 1 <= size <= ideal * 1.02 + 64
    assert size < 0.99 * 3 * image.numel()


def test_many_small_images_share_one_stream() -> None:
    table, condition = Table(3, 1, sharpness=2.0), halves(4, 4)
    images = [table.walk(condition, by_chance(seed)) for seed in range(100)]
    found = encode(table, [(condition, image) for image in images])
    back = decode(table, [(condition, check) for check in found.checks], found.content)
    assert all(torch.equal(one, image) for one, image in zip(back, images, strict=True))
    ideal = sum(table.bits_of(condition, image) for image in images)
    assert found.information == pytest.approx(ideal, rel=1e-5)
    assert ideal - 1 <= 8 * len(found.content) <= ideal * 1.02
    alone = sum(len(packed(table, condition, image).content) for image in images)
    assert len(found.content) < 0.9 * alone


def test_what_the_model_does_not_expect_costs_more_and_what_it_excludes_is_kept_too() -> None:
    table, condition = Table(3, 3, sharpness=6.0), halves(16, 16)
    table.logits.data[..., 7] = -300  # of probability 0 in 32 bits
    usual, never = table.walk(condition, by_chance(3)), torch.ones(1, 3, 16, 16)
    found = packed(table, condition, never)
    assert torch.equal(unpacked(table, condition, found), never)
    assert found.information == 24 * 3 * 16 * 16
    assert len(found.content) > 3 * len(packed(table, condition, usual).content)


def test_with_another_condition_or_model_it_is_noticed() -> None:
    table, condition = Table(), halves(16, 16)
    found = packed(table, condition, table.walk(condition, by_chance(4)))
    with pytest.raises(DataError, match="differs from the original"):
        unpacked(table, -condition, found)
    with pytest.raises(DataError, match="differs from the original"):
        unpacked(Table(seed=1), condition, found)
    with pytest.raises(DataError, match="differs from the original"):
        unpacked(table, condition, found._replace(content=found.content[: len(found.content) // 8 * 4]))


def test_the_number_of_threads_outside_changes_nothing_and_is_kept() -> None:
    table, condition, before = Table(), halves(12, 12), torch.get_num_threads()
    image = table.walk(condition, by_chance(5))
    try:
        torch.set_num_threads(2)
        found = packed(table, condition, image)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert packed(table, condition, image) == found


class Backwards(Table):
    """Draws from the last row up."""

    def walk(self, condition: Tensor, choose: Choose) -> Tensor:
        return super().walk(condition, choose).flip(2)


class Unsure(Table):
    def probabilities(self, condition: Tensor, levels: Tensor, place: tuple[int, int, int]) -> Tensor:
        return super().probabilities(condition, levels, place) * torch.nan


def test_a_model_that_breaks_its_promise_is_named() -> None:
    condition = halves(8, 8)
    image = Table().walk(condition, by_chance(6))
    with pytest.raises(DataError, match="in an order that compression does not support"):
        packed(Backwards(), condition, image)
    with pytest.raises(DataError, match="must give probabilities"):
        packed(Unsure(), condition, image)
    with pytest.raises(DataError, match="more than 96 values"):
        packed(Table(), condition, image[:, :, :4])
    assert isinstance(Table(), Walks)
