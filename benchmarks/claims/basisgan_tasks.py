"""BasisGAN beside DSGAN where the paper's tables 2 and 3 have them: in pix2pixHD's network, and in faces with a hole.

Streets at 64x64, so that pix2pixHD's four reductions leave 4x4 maps, and faces at 32x32 without their central square.
A Laplacian pyramid stands for VGG. DSGAN's noise enters pix2pixHD's smallest maps, as in its code.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from .runs import Claim, Settings, Trial, prepare, table, words

PAPER = "Wang, Cheng, Sapiro, Qiu 2019"
FACES = Path(__file__).parents[3] / "shared" / "data" / "faces_landmarks"
SHOWN = ("lpips", "diversity_pixel", "code_sensitivity", "frechet_squeezenet")
claim = partial(Claim, paper=PAPER)
SHARED: dict[str, Any] = {
    "batch_size": 8,
    "ema_decay": 0.99,
    "jitter": 1.0,
    "schedule.kind": "linear",
}
OF_BASES = {"rate_factors": {"*basis_generator*": 0.1}}  # as on streets: see `basisgan.sampled`

HD = {
    **SHARED,
    "width": 12,
    "blocks": 4,
    "objective.perceptual": "laplacian",
    "objective.layers": 2,
    "flip": False,
}
on_streets = partial(Trial, data="streets:6000", size=64, steps=1500)
DSGAN_TERM = {"kind": "dsgan", "weight": 10, "judge_both": False}
PIX2PIXHD = on_streets("pix2pixhd", "pix2pixhd", HD)
SEEKING = {"noise": "input", **{f"objective.seeking.{k}": v for k, v in DSGAN_TERM.items()}}
DSGAN_HD = on_streets("pix2pixhd + noise, DSGAN", "pix2pixhd", {**HD, **SEEKING})
BASISGAN_HD = on_streets("basisgan-hd", "basisgan-hd", {**HD, **OF_BASES})

HOLES = {**SHARED, "width": 16, "objective.layers": 2}
of_faces = partial(Trial, data=str(FACES), size=32, steps=2000)
DSGAN = of_faces("dsgan", "dsgan", {**HOLES, "task": "inpainting", "generator.blocks": 4})
BASISGAN = of_faces("basisgan-inpainting", "basisgan-inpainting", {**HOLES, **OF_BASES, "blocks": 4})
TOGETHER = of_faces("basisgan-inpainting, DSGAN", BASISGAN.method, {**BASISGAN.options, "dsgan": True})

Rows = dict[str, dict[str, list[float]]]


def high_definition(settings: Settings) -> list[Claim]:
    rows = measured((PIX2PIXHD, DSGAN_HD, BASISGAN_HD), settings)
    host, seeking, ours = rows.values()
    more = mean(ours["lpips"]) > mean(seeking["lpips"])
    nearer = mean(ours["frechet_squeezenet"]) < min(mean(row["frechet_squeezenet"]) for row in (seeking, host))
    return [
        claim(
            "hd",
            "in pix2pixHD's network BasisGAN has a higher LPIPS than DSGAN, and a smaller Fréchet distance than that "
            "and than pix2pixHD, which draws one image (means of seeds)",
            more and nearer,
            told(rows),
            table(rows, *SHOWN),
            data="streets:6000 at 64x64",
        )
    ]


def inpainting(settings: Settings) -> list[Claim]:
    if not FACES.is_dir():
        return []
    rows = measured((DSGAN, BASISGAN, TOGETHER), settings)
    seeking, ours, both = rows.values()
    more = mean(both["lpips"]) > mean(ours["lpips"]) > mean(seeking["lpips"])
    nearer = max(mean(row["frechet_squeezenet"]) for row in (ours, both)) < mean(seeking["frechet_squeezenet"])
    return [
        claim(
            "inpainting",
            "in holes BasisGAN + DSGAN has a higher LPIPS than BasisGAN alone, and that than DSGAN, both at a smaller "
            "Fréchet distance than DSGAN (means of seeds)",
            more and nearer,
            told(rows),
            table(rows, *SHOWN),
            data="faces at 32x32, without the central square",
        )
    ]


def measured(trials: tuple[Trial, ...], settings: Settings) -> Rows:
    prepare(trials, settings)
    return {trial.name: trial.over_seeds(settings) for trial in trials}


def told(rows: Rows) -> str:
    each = (
        f"{name}: {words(row['lpips']) if 'lpips' in row else 'one image'}, {words(row['frechet_squeezenet'])}"
        for name, row in rows.items()
    )
    return "LPIPS and Fréchet distance (not FID): " + "; ".join(each)
