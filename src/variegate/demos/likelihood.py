"""`variegate demo likelihood`: sample handwritten digits value by value, and measure the likelihood of held-out ones.

A gated PixelCNN learns scikit-learn's digits by class. Its likelihood is exact: the bits per dimension of held-out
digits are the storage they would need as a file.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..core.images import sheet, to_pil, unit_to_uint8
from ..data.dataset.pairs import Pairs
from ..evaluation.evaluate import evaluate
from ..model.model import Model
from ..runs.folder import RunFolder
from ..runs.settings import ExecutionSettings
from ..training.train import train

logger = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {
    "bits": 4,
    "layers": 4,
    "width": 32,
    "batch_size": 32,
    "learning_rate.generator": 2e-3,
    "schedule.kind": "linear",
    "ema_decay": 0.99,
}
STEPS, SAVES = 1200, 4
REAL, DRAWN, SCALE = 4, 12, 4


def demo_likelihood(out: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Train in `out`, evaluate and sample each digit; returns the content of `metrics.json`. A finished run is kept."""
    steps = 2 if quick else STEPS
    given = {"condition": "class", "run": ExecutionSettings(save_every=max(1, steps // SAVES)), **SETTINGS}
    train("gated-pixelcnn", "digits", out, steps=steps, seed=seed, resume=out.exists(), **given)
    content = evaluate(out, protocol="pixelcnn", seed=seed)
    draw_digits(Model.load(out), RunFolder(out).pairs("test"), seed).save(out / "digits.png")
    measured = content["metrics"]["bits_per_dim"]
    logger.info(
        f"{measured['n']} held-out digits: {measured['value']:.3f} bits per dimension; uncompressed: {SETTINGS['bits']}"
    )
    logger.info(f"see {out / 'digits.png'} ({REAL} real digits and {DRAWN} samples per row) and {out / 'report.html'}")
    return content


def draw_digits(model: Model, held: Pairs, seed: int) -> Image.Image:
    """Render one row per class: real digits, a gap, samples."""
    pairs = [held.raw(i) for i in range(len(held))]
    rows = []
    for digit in range(10):
        real = [image for raw, image in pairs if int(raw[0, 0, 0]) == digit][:REAL]
        drawn = unit_to_uint8(model.sample(f"class:{digit}", n=DRAWN, seed=seed).images)
        rows.append([*real, torch.full_like(real[0], 255), *drawn])
    page = to_pil(sheet(rows))
    return page.resize((page.width * SCALE, page.height * SCALE), Image.Resampling.NEAREST)
