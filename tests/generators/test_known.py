"""Holes that are filled smoothly from what is around them."""

from __future__ import annotations

import pytest
import torch

from variegate.generators.known import filled, smooth


def hole_of(height: int, width: int) -> torch.Tensor:
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., height // 4 : height // 4 * 3, width // 4 : width // 4 * 3] = True
    return hole


@pytest.mark.core
@pytest.mark.parametrize("size", [(32, 32), (33, 20), (7, 64)])
def test_a_plane_goes_on_through_a_hole(size: tuple[int, int]) -> None:
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in size), indexing="ij")
    plane, hole = (0.5 * x - 0.3 * y)[None, None], hole_of(*size)
    spoiled = plane.masked_fill(hole, 9.0)
    found = smooth(spoiled, hole)
    assert torch.equal(found[~hole], plane[~hole])
    assert (found - plane).abs().max() < 0.1
    torch.testing.assert_close(found, smooth(plane.masked_fill(hole, -9.0), hole))


@pytest.mark.core
def test_it_is_nearly_the_solution_of_laplaces_equation() -> None:
    torch.manual_seed(0)
    hole = hole_of(32, 32)
    image = torch.nn.functional.interpolate(torch.rand(1, 2, 6, 6) * 2 - 1, (32, 32), mode="bicubic")
    exact = image.masked_fill(hole, 0.0)
    for _ in range(4000):  # Jacobi
        around = sum(exact.roll(shift, dim) for dim in (2, 3) for shift in (1, -1)) / 4
        exact = torch.where(hole, around, exact)
    found = smooth(image, hole)
    assert (found - exact).square().mean().sqrt() < 0.15 * exact.std()


@pytest.mark.core
def test_a_hole_as_large_as_the_image_is_filled_with_nothing_and_no_hole_with_itself() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert not smooth(image, torch.ones(1, 1, 8, 8, dtype=torch.bool)).any()
    condition = torch.cat([image, torch.full((1, 1, 8, 8), -1.0)], dim=1)
    assert torch.equal(filled(condition), condition)
