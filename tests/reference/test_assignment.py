"""Matching of branches to targets against the plain procedure, pair by pair."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from variegate.core.errors import ConfigError
from variegate.losses.assignment import assign

pytestmark = pytest.mark.core


def slow(distances: list[list[float]], present: list[bool]) -> list[int]:
    """One row: branches x targets, as the fact sheet lists the steps."""
    free, left = set(range(len(distances))), {j for j, there in enumerate(present) if there}
    chosen, first = [-1] * len(present), True
    while left:
        named = {j: min(free, key=lambda i: (distances[i][j], i)) for j in left}
        taken = {}
        if first:
            taken[named[0]] = 0
        for i in sorted(set(named.values())):
            if i not in taken:
                taken[i] = min((j for j in left if named[j] == i), key=lambda j: (distances[i][j], j))
        for i, j in taken.items():
            chosen[j] = i
        free, left, first = free - taken.keys(), left - set(taken.values()), False
    return chosen


@settings(max_examples=150)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 10_000), st.booleans())
def test_vectorised_rounds_are_the_plain_procedure(
    branches: int, targets: int, rows: int, seed: int, tied: bool
) -> None:
    targets = min(targets, branches)
    stream = torch.Generator().manual_seed(seed)
    distances = torch.rand(rows, branches, targets, generator=stream)
    if tied:
        distances = (distances * 3).round()
    present = torch.rand(rows, targets, generator=stream) > 0.3
    present[:, 0] = True
    found = assign(distances, present)
    for row in range(rows):
        assert found[row].tolist() == slow(distances[row].tolist(), present[row].tolist())


def test_no_branch_has_two_targets_and_no_target_is_left_out() -> None:
    found = assign(torch.rand(50, 12, 8, generator=torch.Generator().manual_seed(0)))
    assert all(len(set(row)) == 8 and min(row) >= 0 for row in found.tolist())


def test_the_true_image_keeps_its_nearest_branch_although_a_neighbour_is_nearer_to_it() -> None:
    distances = torch.tensor([[[2.0, 1.0], [3.0, 5.0], [9.0, 4.0]]])  # branch 0 is nearest to both
    assert assign(distances).tolist() == [[0, 2]]


def test_one_target_is_the_best_neighbour() -> None:
    distances = torch.rand(7, 5, 1, generator=torch.Generator().manual_seed(3))
    assert torch.equal(assign(distances)[:, 0], distances[:, :, 0].argmin(dim=1))


def test_more_targets_than_branches_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"raise objective\.count"):
        assign(torch.zeros(1, 2, 3))
