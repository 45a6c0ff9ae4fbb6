"""The images that participants judged best and worst."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from ...data.files.images import read_image
from ...evaluation.pages.contact_sheets import page
from ...evaluation.pages.page import Figure
from .answers import Judgement, Responses
from .schema import image_file

MOST = 6  # images of each row
FEWEST = 2  # judgements of an image that is shown


def examples(responses: Responses, without: Iterable[int], folder: Path) -> list[Figure]:
    """The images of the methods that were called real, or chosen, most and least often; none without answers."""
    judged: dict[str, list[float]] = {}
    for one in responses.of_role("main", without):
        for image, value in values_of(one):
            if responses.study.images[image].method is not None:
                judged.setdefault(image, []).append(value)
    shares = {image: sum(each) / len(each) for image, each in judged.items() if len(each) >= FEWEST}
    ranked = sorted(shares, key=lambda image: (-shares[image], image))
    count = min(MOST, len(ranked) // 2)
    if not count:
        return []
    best, worst = ranked[:count], ranked[-count:]
    verb = "called real" if responses.study.kind == "real-or-fake" else "chosen"
    caption = (
        f"Upper row: {verb} in {shares[best[0]]:.0%} to {shares[best[-1]]:.0%} of the answers; lower row: in "
        f"{shares[worst[0]]:.0%} to {shares[worst[-1]]:.0%}. Only images with {FEWEST} answers or more; above each "
        "other are images of different conditions. Shares of few answers are extreme by chance."
    )
    rows = [
        [torch.from_numpy(read_image(image_file(folder, name))).permute(2, 0, 1) for name in each]
        for each in (best, worst)
    ]
    return [Figure(f"Most and least often {verb}", caption, page(rows), ("",) * count, ("most", "least"))]


def values_of(one: Judgement) -> list[tuple[str, float]]:
    """For each image of a trial, whether it was called real or chosen, or its place in a ranking from 1 to 0."""
    images = one.trial.images
    if len(images) == 1:
        return [(images[0], float(one.choice == "real"))]
    order = one.places if len(one.places) > 1 else (one.places[0], 1 - one.places[0])
    return [(images[place], 1 - rank / (len(order) - 1)) for rank, place in enumerate(order)]
