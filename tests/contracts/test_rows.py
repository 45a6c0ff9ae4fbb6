"""The bits of an image do not depend on which others share its pass, for every kind of generator."""

from __future__ import annotations

import pytest
import torch

from helpers.variants import ALL, conditions, generator_of
from variegate.core.sampling import ROWS, decode_rows, draw_rows

pytestmark = pytest.mark.core


@pytest.mark.parametrize("name", ALL)
def test_a_row_has_the_same_bits_in_every_place_and_company(name: str) -> None:
    generator = generator_of(name)
    if generator.code_size == 0:
        pytest.skip("its image does not depend on a code")
    first, second = conditions(name, 2).split(1)
    codes = generator.draw([(0, i) for i in range(6)])
    with torch.no_grad():
        features, others = generator.encode(first), generator.encode(second)
    wanted = draw_rows(generator, first, codes)
    for place in range(ROWS):
        company = [others] * ROWS
        company[place] = features
        own = codes[[5, 4, 3, 1]]
        own[place] = codes[2]
        assert torch.equal(decode_rows(generator, company, own)[place], wanted[2])
    assert torch.equal(draw_rows(generator, first, codes[2:3])[0], wanted[2])
