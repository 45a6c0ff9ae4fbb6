"""The papers' claims, measured here: `python -m benchmarks.claims NAME` trains, measures, judges and writes JSON."""

from __future__ import annotations

from . import anchor, basisgan, cimle, latent_dropout, mrgan, pixelcnn
from .runs import Parts

CLAIMS: dict[str, Parts] = {  # the claims of a file by what they train
    "basisgan": {"all": basisgan.claims},
    "mrgan": mrgan.PARTS,
    "cimle": cimle.PARTS,
    "latent_dropout": {"all": latent_dropout.claims},
    "pixelcnn": {"all": pixelcnn.claims},
    "anchor": anchor.PARTS,
}
