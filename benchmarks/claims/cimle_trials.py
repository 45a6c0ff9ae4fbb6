"""The trials of conditional IMLE's claims: narrow networks, equal updates of equal batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .runs import Trial

POOLS, POOL, INNER, BATCH = 96, 64, 64, 8  # outer epochs, S, K, updates' batch: 6,144 updates
WIDTHS = [32, 24, 16, 12]
STREETS: dict[str, Any] = {
    "generator.widths": WIDTHS,
    "objective.perceptual": "laplacian",
    "learning_rate.generator": 2e-3,
    "schedule.kind": "linear",
}
NOISE = {"randomness.vector": 5, "randomness.channels": 12, "randomness.encoder": True, "randomness.hidden": 16}
PLAIN = {"randomness.vector": 12, "randomness.channels": 12, "randomness.mapping": 0, "randomness.encoder": False}
IMLE = {
    **STREETS,
    "objective.candidates": 64,
    "objective.chunk": 1024,
    "objective.match_scale": 2,
    "objective.inner_steps": INNER,
    "objective.inner_batch": BATCH,
    "batch_size": POOL,
    "ema_decay": 0.98,
    "restart.at": 0,  # at the published fraction, training this short would leave no time to recover from a restart
}
REBALANCED = {"rebalance": "both"}


def imle(name: str, **options: Any) -> Trial:
    return Trial(name, "cimle", {**IMLE, **options}, data="streets:2000", steps=POOLS, saves=6)


def crn(name: str, **options: Any) -> Trial:
    settings = {**STREETS, "batch_size": BATCH, "ema_decay": 0.99, **options}
    return Trial(name, "crn", settings, data="streets:2000", steps=POOLS * INNER)


FULL = imle("cimle", **NOISE, **REBALANCED)
UNBALANCED = imle("cimle without rebalancing", **NOISE)
UNENCODED = imle("cimle without noise encoder", **PLAIN, **REBALANCED)
CRN = crn("crn")
CRN_HEADS_BALANCED = crn("crn, rebalanced", **REBALANCED)
CRN_NOISE = crn("crn + noise", noise="input", **NOISE)
CRN_BALANCED = crn("crn + noise, rebalanced", noise="input", **NOISE, **REBALANCED)
GAN = {
    "width": 12,
    "blocks": 2,
    "noise": "input",
    "objective.perceptual": "laplacian",
    "objective.layers": 2,
    "learning_rate.generator": 4e-4,
    "learning_rate.discriminator": 4e-4,
    "ema_decay": 0.99,
    "flip": False,
    "batch_size": BATCH,
}
BICYCLE_GAN = {
    "width": 16,
    "jitter": 1.0,
    "objective.layers": 2,
    "ema_decay": 0.99,
    "flip": False,
    "batch_size": BATCH,
    **{f"learning_rate.{player}": 8e-4 for player in ("generator", "posterior", "discriminator", "discriminator2")},
}


def rebalanced_and_not(name: str, method: str, options: dict[str, Any]) -> tuple[Trial, Trial]:
    without = Trial(name, method, options, data="streets:2000", steps=1500)
    return replace(without, name=f"{name}, rebalanced", options={**options, "rebalance": "data"}), without


HD_BALANCED, HD = rebalanced_and_not("pix2pixhd + noise", "pix2pixhd", GAN)
BICYCLE_BALANCED, BICYCLE = rebalanced_and_not("bicyclegan", "bicyclegan", BICYCLE_GAN)
OURS = (FULL, UNBALANCED, UNENCODED)
REBALANCED_OTHERS = (  # each with rebalancing and without
    (CRN_HEADS_BALANCED, CRN),
    (CRN_BALANCED, CRN_NOISE),
    (HD_BALANCED, HD),
    (BICYCLE_BALANCED, BICYCLE),
)
OTHERS = tuple(trial for pair in REBALANCED_OTHERS for trial in reversed(pair))
