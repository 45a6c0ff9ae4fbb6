"""The papers' claims, measured here: `python -m benchmarks.claims NAME` trains, measures, judges and writes JSON."""

from __future__ import annotations

from collections.abc import Callable

from . import anchor, basisgan, cimle, latent_dropout, mrgan, pixelcnn
from .runs import Claim, Settings

CLAIMS: dict[str, Callable[[Settings], list[Claim]]] = {
    "basisgan": basisgan.claims,
    "mrgan": mrgan.claims,
    "cimle": cimle.claims,
    "latent_dropout": latent_dropout.claims,
    "pixelcnn": pixelcnn.claims,
    "anchor": anchor.claims,
}
