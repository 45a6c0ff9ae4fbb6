"""The triplet loss on the unit sphere: images of one person lie closer to each other than to anyone else's.

Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, equations 1 to 4.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Triplets(NamedTuple):
    """Row indices into a batch, (T,) each."""

    anchor: Tensor
    positive: Tensor  # another image of the anchor's person
    negative: Tensor  # an image of another person


def squared_distance(first: Tensor, second: Tensor) -> Tensor:
    """|a - b|^2 along the last axis; 0 to 4 for vectors of length 1."""
    return (first - second).square().sum(dim=-1)


@torch.no_grad()
def semi_hard(vectors: Tensor, people: Tensor) -> Triplets:
    """One triplet for every ordered pair of images of a person, from vectors (B, D) and people (B,).

    The negative is the nearest one that is farther from the anchor than the positive (section 3.2: the hardest
    negatives make training collapse early on), or the farthest negative if there is none.
    """
    distance = squared_distance(vectors[:, None], vectors[None])
    same = people[:, None] == people[None]
    anchor, positive = (same & ~torch.eye(len(people), dtype=torch.bool, device=people.device)).nonzero(as_tuple=True)
    rows, others = distance[anchor], ~same[anchor]
    farther = others & (rows > distance[anchor, positive].unsqueeze(1))
    nearest = rows.masked_fill(~farther, torch.inf).argmin(dim=1)
    farthest = rows.masked_fill(~others, -torch.inf).argmax(dim=1)
    return Triplets(anchor, positive, torch.where(farther.any(dim=1), nearest, farthest))


def triplet_loss(vectors: Tensor, people: Tensor, margin: float) -> Tensor:
    """mean max(0, |a - p|^2 - |a - n|^2 + margin) over the semi-hard triplets of a batch.

    Args:
        vectors: (B, D), of length 1.
        people: (B,) the person in each image; at least two people, and two images of one of them.
        margin: alpha; 0.2 in the paper.
    """
    anchor, positive, negative = (vectors[rows] for rows in semi_hard(vectors, people))
    return F.triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=squared_distance, margin=margin
    )
