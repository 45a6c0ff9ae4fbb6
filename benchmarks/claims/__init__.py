"""The papers' claims, measured here: `python -m benchmarks.claims NAME` trains, measures, judges and writes JSON."""

from __future__ import annotations

from . import anchor, basisgan, basisgan_cost, cimle, latent_dropout, latent_dropout_rivals, mrgan, pixelcnn
from .runs import Parts

CLAIMS: dict[str, Parts] = {  # the claims of a file by what they train
    "basisgan": {**basisgan.PARTS, "figure": basisgan_cost.against_cost},
    "mrgan": mrgan.PARTS,
    "cimle": cimle.PARTS,
    "latent_dropout": {
        "streets": latent_dropout.on_streets,
        "faces": latent_dropout.on_faces,
        "rivals": latent_dropout_rivals.rivals,
    },
    "pixelcnn": pixelcnn.PARTS,
    "anchor": anchor.PARTS,
}
