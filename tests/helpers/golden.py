"""What every method learns in five steps and draws first, tiny, on one CPU thread: the behaviour that must not change.

`python tests/helpers/golden.py` writes `golden.json` anew, and with `runs` behind it the small runs of
`tests/house/runs`, which later versions must still load, sample and resume. Both go through the command line alone, so
that they outlive any move inside the library.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file

from variegate.cli import main
from variegate.core.device import one_thread

HERE = Path(__file__).parents[1] / "house"
FILE, RUNS = HERE / "golden.json", HERE / "runs"
STEPS = 5

SMALL = {"size": "16", "data": "streets:20", "batch-size": "2"}
GAN = {"width": "4", "objective.layers": "2"}
RESNET = {**GAN, "blocks": "1"}
HD = {**RESNET, "generator.downs": "2", "objective.scales": "1", "objective.perceptual-weight": "0"}
MR = {
    "width": "4",
    "batch-size": "4",
    "samples": "3",
    "previous.training.steps": "3",
    "previous.training.batch_size": "16",
}
CRN = {"generator.widths": "[6, 6, 4]", "objective.perceptual": "laplacian"}
CIMLE = {
    **CRN,
    "randomness.channels": "2",
    "randomness.hidden": "4",
    "candidates": "3",
    "inner-steps": "3",
    "inner-batch": "2",
    "batch-size": "4",
    "restart.at": "0.5",
}
PIXELS = {
    "layers": "3",
    "generator.width": "6",
    "generator.head": "6",
    "generator.first-filter": "5",
    "bits": "3",
}
METHODS: dict[str, dict[str, str]] = {
    "pix2pix": {**GAN, "noise": "input"},
    "pix2pixhd": HD,
    "bicyclegan": {**GAN, "objective.scales": "1"},
    "msgan": {**GAN, "objective.scales": "1"},
    "dsgan": {**GAN, "objective.scales": "1"},
    "munit": {
        "width": "4",
        "generator.blocks": "1",
        "randomness.hidden": "8",
        "objective.layers": "2",
        "objective.scales": "1",
    },
    "srgan": {"width": "4", "noise": "input", "generator.blocks": "1"},
    "glcic": {"width": "4", "noise": "input"},
    "mrgan": {**MR, "objective.layers": "2"},
    "mrgan-superres": {**MR, "generator.blocks": "1", "previous.training.batch_size": "32"},
    "mrgan-inpainting": MR,
    "moment-predictor": {"width": "4", "batch-size": "4", "family": "laplace"},
    "basisgan": RESNET,
    "basisgan-hd": HD,
    "basisgan-inpainting": {**RESNET, "objective.scales": "1"},
    "basisgan-autoencoder": RESNET,
    "basisgan-dsgan": RESNET,
    "filtergan": {**RESNET, "randomness.latent": "6", "randomness.hidden": "6"},
    "crn": {**CRN, "heads": "3"},
    "pixelnn": {"widths": "[6, 6, 4]", "descriptor": "laplacian", "objective.layers": "2"},
    "pixelcnn": PIXELS,
    "gated-pixelcnn": {**PIXELS, "data": "digits", "condition": "class", "size": "8"},
    "pixelcnn-autoencoder": {**PIXELS, "encoder-scale": "0.05"},
    "conv-autoencoder": {"encoder-scale": "0.05", "maps": "6"},
    "flow": {"generator.widths": "[8, 8]", "generator.blocks": "1"},
    "rcgan": {"width": "4", "batch-size": "4", "objective.layers": "2"},
    "flow-student": {
        "scale": "0.25",
        "batch-size": "4",
        "inner-steps": "2",
        "inner-batch": "2",
        "previous.training.steps": "3",
    },
    "cimle": CIMLE,
    "latent-dropout": {
        "generator.widths": "[6, 6, 4]",
        "objective.perceptual": "laplacian",
        "branches": "4",
        "warm-up": "2",
    },
}
NARROW = ("--width", "2", "--objective.width", "2")
# with an encoder, with a predictor, with fixed codes
KEPT: dict[str, tuple[str, ...]] = {"bicyclegan": NARROW, "mrgan": NARROW, "latent-dropout": ()}


def machine() -> str:
    """Where sums round alike."""
    told = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    known = {name.strip(): value.strip() for name, _, value in reversed(told)}  # processors of one name may differ
    names = [known[name] for name in ("model name", "cpu family", "model", "stepping") if name in known]
    return f"{' '.join(names) or platform.processor()}, torch {torch.__version__}"


def train(name: str, out: Path, steps: int = STEPS, *words: str) -> None:
    options = {**SMALL, **METHODS[name]}
    typed = [word for option, value in options.items() for word in (f"--{option}", value)]
    main(
        [
            "train",
            name,
            "--out",
            str(out),
            "--steps",
            str(steps),
            "--log-every",
            "1",
            "--save-every",
            str(STEPS),
            *typed,
            "--device",
            "cpu",
            "--quiet",
            *words,
        ]
    )


def sample(run: Path, out: Path) -> bytes:
    """The pixels of image 0 of seed 0 for the first test pair."""
    main(["sample", str(run), "test:0", "-n", "1", "--out", str(out)])
    with Image.open(out / "0-0.png") as image:
        return image.tobytes()


def digest_of(weights: Path) -> str:
    """Of all tensors, in the order of their names."""
    sums = hashlib.sha256()
    for _, tensor in sorted(load_file(weights).items()):
        sums.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sums.hexdigest()


def lived(name: str, folder: Path) -> dict[str, Any]:
    """Train, draw, and write down what came of it."""
    run = folder / name
    with one_thread(), contextlib.redirect_stdout(io.StringIO()):
        train(name, run)
        pixels = sample(run, folder / f"{name}-drawn")
    return {
        "losses": [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()],
        "weights": digest_of(run / "model" / "model.safetensors"),
        "sample": pixels.hex(),
    }


def write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        methods = {name: lived(name, Path(folder)) for name in METHODS}
    FILE.write_text(json.dumps({"machine": machine(), "methods": methods}, indent=1))


def write_runs() -> None:
    """Only what a run needs to be loaded, sampled and resumed, and beside it the first image it draws."""
    shutil.rmtree(RUNS, ignore_errors=True)
    for name, words in KEPT.items():
        with one_thread(), contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as drawn:
            train(name, RUNS / name, STEPS, *words)
            sample(RUNS / name, Path(drawn))
            shutil.copy(Path(drawn) / "0-0.png", RUNS / f"{name}.png")
        for path in (RUNS / name).rglob("events.out*"):
            path.unlink()
        for folder in ("samples", "previous/samples", "previous/checkpoints"):
            shutil.rmtree(RUNS / name / folder, ignore_errors=True)


if __name__ == "__main__":
    write_runs() if sys.argv[1:] == ["runs"] else write()
