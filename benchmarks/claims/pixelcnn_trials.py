"""Trials for PixelCNN's claims: digits (8x8, 16 levels), CIFAR-10 (7,000 of its images, 32x32), and streets from label
maps and portraits from embeddings at 16x16, since such short training at 32x32 yields only their textures.

Narrow networks, few steps, three seeds. The plain network has as many parameters as the gated one, or up to 7 % more,
and as much time: more steps, by the ratio of the seconds that a step takes (`IN_THE_TIME`).
Classes of CIFAR-10 are judged at 16x16 and with a mixture of logistics as output (PixelCNN++, 2017): at 32x32, so short
a training only learns textures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from variegate.embedding import Embedding, embed_folder, train_embedding
from variegate.embedding.saved import Settings as EmbeddingSettings
from variegate.runs.settings import ExecutionSettings

from .runs import Settings, Trial, say

SHARED = Path(__file__).parents[3] / "shared" / "data"
CIFAR, PEOPLE = SHARED / "cifar10_train.npz", SHARED / "faces_identity"
UNSEEN = 50  # the last people, whom neither the embedding nor the PixelCNN is trained on
SIDE = 16
CROP = 64  # portraits: the centre of 96x96 images, then reduced
STEPS = {"digits": 2400, "CIFAR-10": 1000, "streets": 3000}  # of gated networks
IN_THE_TIME = {"digits": 1.4, "CIFAR-10": 1.1, "streets": 1.4}  # steps of the plain network in one of the gated one

SHORT: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate.generator": 2e-3,
    "schedule.kind": "linear",
    "ema_decay": 0.99,
}
AT_8 = {**SHORT, "bits": 4, "layers": 4, "batch_size": 32}
AT_32 = {**SHORT, "layers": 6, "batch_size": 8}


GATED, PLAIN = "gated-pixelcnn", "pixelcnn"


def steps_of(data: str, method: str) -> int:
    return round(STEPS[data] * (IN_THE_TIME[data] if method == PLAIN else 1))


def digits(name: str, method: str, **options: Any) -> Trial:
    steps = steps_of("digits", method)
    return Trial(f"digits, {name}", method, {**AT_8, **options}, "digits", size=8, steps=steps, saves=6)


def cifar(name: str, method: str, **options: Any) -> Trial:
    options = {**AT_32, "bits": 8, **options}
    return Trial(f"CIFAR-10, {name}", method, options, str(CIFAR), steps=steps_of("CIFAR-10", method))


def streets(name: str, method: str, **options: Any) -> Trial:
    options = {**AT_32, "bits": 5, **options}
    return Trial(f"streets, {name}", method, options, "streets:2000", size=SIDE, steps=steps_of("streets", method))


GATED_AND_PLAIN = {
    "digits": (
        digits("gated", GATED, width=32, condition="class"),
        digits("plain", PLAIN, width=47, condition="class"),
    ),
    "CIFAR-10": (
        cifar("gated", GATED, width=36, condition="class"),
        cifar("plain", PLAIN, width=51, condition="class"),
    ),
    "streets": (streets("gated", GATED, width=36), streets("plain", PLAIN, width=54)),
}
SMALL = {**AT_32, "bits": 8, "width": 36, "output": "mixture"}
SMALL_CIFAR = {
    condition: Trial(
        f"CIFAR-10 at 16x16, {condition}", GATED, {**SMALL, "condition": condition}, str(CIFAR), size=SIDE, steps=2500
    )
    for condition in ("class", "none")
}
BY_CLASS = {  # with the class and without
    "digits": (
        GATED_AND_PLAIN["digits"][0],
        digits("gated, without class", GATED, width=32, condition="none"),
    ),
    "CIFAR-10 at 16x16": (SMALL_CIFAR["class"], SMALL_CIFAR["none"]),
}
WIDE = "100 numbers"
ENCODED = {"bottleneck": 10, "encoder_scale": 0.25}
RISING = {**ENCODED, "schedule.warmup_steps": 100}  # otherwise RMSProp's first steps may kill all ReLUs


def squared(pixels: Trial) -> Trial:
    """Build the squared-error counterpart of a PixelCNN auto-encoder: the same data, steps and batches."""
    kept = {name: pixels.options[name] for name in ("batch_size", "ema_decay")}
    data, *_, wide = pixels.name.split(", ")
    name = f"{data}, auto-encoder by squared error" + (f", {wide}" if wide == WIDE else "")
    options = {**ENCODED, "bottleneck": pixels.options["bottleneck"], **kept}
    return Trial(name, "conv-autoencoder", options, pixels.data, pixels.size, pixels.steps)


OF_PIXELS = "PixelCNN auto-encoder", "pixelcnn-autoencoder"
CODERS = {"digits": digits(*OF_PIXELS, width=32, **RISING), "streets": streets(*OF_PIXELS, width=36, **RISING)}
AUTOENCODERS = {name: (pixels, squared(pixels)) for name, pixels in CODERS.items()}
HUNDRED = {**RISING, "bottleneck": 100}  # the paper's other length
OF_HUNDRED = f"{OF_PIXELS[0]}, {WIDE}", OF_PIXELS[1]
WIDE_CODERS = {"digits": digits(*OF_HUNDRED, width=32, **HUNDRED), "streets": streets(*OF_HUNDRED, width=36, **HUNDRED)}
WIDE_AUTOENCODERS = {name: (pixels, squared(pixels)) for name, pixels in WIDE_CODERS.items()}


def portraits(settings: Settings) -> Trial:
    """Build the trial of portraits from the embedding of one image of a person; the last people are its test split."""
    place = settings.cache.resolve() / ("portraits-quick" if settings.quick else "portraits")
    vectors = place / "people.npy"
    if not vectors.is_file():
        make_portraits(place, vectors, 2 if settings.quick else 1000)
    options = {**SHORT, "bits": 4, "layers": 8, "width": 48, "batch_size": 16, "condition": f"vectors:{vectors}"}
    return Trial("portraits, gated", GATED, options, str(place / "people_train.npz"), size=SIDE, steps=3000)


def make_portraits(place: Path, vectors: Path, steps: int) -> None:
    """Write grey images as arrays, and the vectors of their originals by an embedding trained here."""
    say("portraits: training the embedding")
    embedding = EmbeddingSettings(size=(48, 48), length=32, width=16, people=32, steps=steps)
    quiet = ExecutionSettings(quiet=True)
    run = train_embedding(PEOPLE, place / "embedding", embedding, (place / "embedding").exists(), quiet)
    whole = vectors.with_name("names.npz")
    whole.unlink(missing_ok=True)
    names, rows = embed_folder(Embedding.load(run), PEOPLE, whole)
    grey = np.stack([middle(PEOPLE / name) for name in names])
    people = sorted({name.split("/")[0] for name in names})
    held = np.array([name.split("/")[0] in people[-UNSEEN:] for name in names])
    np.savez(place / "people_train.npz", images=grey[~held])
    np.savez(place / "people_test.npz", images=grey[held])
    order = torch.from_numpy(np.concatenate([np.flatnonzero(~held), np.flatnonzero(held)]))
    np.save(vectors, rows[order].numpy())


def middle(file: Path) -> NDArray[np.uint8]:
    """Read the centre of an image, reduced and grey: (H, W)."""
    picture = Image.open(file).convert("L")
    left, top = (picture.width - CROP) // 2, (picture.height - CROP) // 2
    box = (left, top, left + CROP, top + CROP)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX, box))
