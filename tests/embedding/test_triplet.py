"""The triplet loss against a plain loop over FaceNet's text, and what it does at its limits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from variegate.losses.triplet import semi_hard, triplet_loss


def by_hand(vectors: Tensor, people: list[int], margin: float) -> float:
    """Every anchor and positive in turn, with its negative looked for one by one."""

    def distance(i: int, j: int) -> float:
        return float(((vectors[i] - vectors[j]) ** 2).sum())

    losses = []
    for a, person in enumerate(people):
        negatives = [n for n, other in enumerate(people) if other != person]
        for p, other in enumerate(people):
            if p == a or other != person:
                continue
            farther = [distance(a, n) for n in negatives if distance(a, n) > distance(a, p)]
            negative = min(farther) if farther else max(distance(a, n) for n in negatives)
            losses.append(max(0.0, distance(a, p) - negative + margin))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("people", [[0, 0, 1, 1, 2, 2], [3, 5, 3, 3, 7, 5, 9], [0, 0, 1]])
def test_the_loss_is_that_of_a_plain_loop(people: list[int], margin: float) -> None:
    torch.manual_seed(len(people))
    for _ in range(5):
        vectors = F.normalize(torch.randn(len(people), 3, dtype=torch.float64), dim=1)
        found = triplet_loss(vectors, torch.tensor(people), margin)
        assert float(found) == pytest.approx(by_hand(vectors, people, margin), abs=1e-12)


def test_where_no_negative_is_farther_the_farthest_is_taken() -> None:
    angles = torch.tensor([0.0, 3.0, 0.1, 0.3])
    vectors, people = torch.stack([angles.cos(), angles.sin()], dim=1), torch.tensor([0, 0, 1, 1])
    anchor, positive, negative = semi_hard(vectors, people)
    chosen = {(int(a), int(p)): int(n) for a, p, n in zip(anchor, positive, negative)}
    assert chosen == {(0, 1): 3, (1, 0): 2, (2, 3): 1, (3, 2): 0}


def test_far_clusters_cost_nothing_and_one_point_costs_the_margin() -> None:
    people = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    assert float(triplet_loss(apart, people, 0.2)) == 0
    assert float(triplet_loss(torch.ones(4, 2) / 2**0.5, people, 0.2)) == pytest.approx(0.2)


def test_gradients_pull_images_of_a_person_together_and_push_others_away() -> None:
    vectors = F.normalize(torch.tensor([[1.0, 0.2], [1.0, -0.2], [0.2, 1.0]]), dim=1).requires_grad_()
    triplet_loss(vectors, torch.tensor([0, 0, 1]), 4.0).backward()
    moved = vectors.detach() - 0.01 * vectors.grad
    assert (moved[0] - moved[1]).norm() < (vectors[0] - vectors[1]).norm()
    assert (moved[0] - moved[2]).norm() > (vectors[0] - vectors[2]).norm()
