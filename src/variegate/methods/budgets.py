"""What each method gets when training must fit into a few minutes: tried at 64x64 for those of docs/gallery.md, guessed
from these for the others.

`training.minutes` takes the widest network with which this machine manages `enough` steps in the time.
"""

from __future__ import annotations

from typing import Any

from ..core.config import Budget


def by(option: str, *values: float) -> tuple[dict[str, Any], ...]:
    return tuple({option: value} for value in values)


BATCH = {"batch_size": 8}
RESIZED = {"generator.upsampling": "resize"}  # transposed convolutions leave a checker pattern for long
UNET = Budget(rungs=by("width", 64, 32, 16), options={**BATCH, **RESIZED})
RESIDUAL = Budget(rungs=UNET.rungs, options={**BATCH, "residual": True})
RESNET = Budget(rungs=by("width", 32, 16, 8), options={**BATCH, "blocks": 3, **RESIZED})
CRN = Budget(rungs=by("scale", 0.25, 0.125, 0.0625, 0.03125), options={**BATCH, "learning_rate.generator": 1e-3})
PIXELS = Budget(rungs=by("width", 48, 24), options={"batch_size": 8})
# after seven minutes of one core on 400 facades and four on drawn streets, both at 64x64, as docs/gallery.md shows; of
# pix2pix, after half a minute of the demo; of PixelCNNs and what fills holes of streets, after the trainings of their
# claims, which take as long; of methods without a row there, after seven minutes of a core shared with other work
EXPECT = {
    "basisgan": "blurred stripes where the layout has windows, in a few tints",
    "basisgan-autoencoder": "soft copies of its input that hardly differ",
    "basisgan-dsgan": "different colours and light, coarse, with coloured stripes",
    "basisgan-hd": "grey blotches that hardly vary",
    "basisgan-inpainting": "a bright pattern in the hole that hardly varies",
    "bicyclegan": "clean and blurred, in a few tints",
    "cimle": "clean and soft; many kinds of drawn streets, but photographs that hardly differ",
    "conv-autoencoder": "a soft copy of its input",
    "crn": "up to nine different images, soft",
    "dsgan": "different greys and browns, coarse",
    "filtergan": "blurred, and nearly always the same",
    "flow": "different kinds in recognisable detail: sharp at 32x32, rough at 64x64",
    "flow-student": "different kinds, but noisy; it wants an hour, or a trained flow as --teacher",
    "gated-pixelcnn": "textures in the right colours; scenes only at 16x16",
    "glcic": "one coloured pattern in the hole",
    "latent-dropout": "clean, grey, and nearly always the same",
    "moment-predictor": "a soft mean, and where it is uncertain",
    "mrgan": "blurred; some codes drift away in colour",
    "mrgan-inpainting": "soft bands or a pattern in the hole",
    "mrgan-superres": "soft images that hardly differ",
    "msgan": "patches of colour that ignore the layout; it wants hours",
    "munit": "noise; it wants hours",
    "pix2pix": "one blurred image",
    "pix2pixhd": "one image of rough patches",
    "pixelcnn": "textures in the right colours",
    "pixelcnn-autoencoder": "at 16x16 images as sharp as real ones, roughly like their input",
    "pixelnn": "collages of training images: sharp, different and ragged",
    "rcgan": "blurred; some codes drift away in colour",
    "srgan": "one soft image",
}
BUDGETS: dict[str, Budget] = {
    "basisgan": RESNET,
    "basisgan-autoencoder": RESNET,
    "basisgan-dsgan": RESNET,
    "basisgan-hd": RESNET,
    "basisgan-inpainting": RESNET,
    "bicyclegan": UNET,
    "cimle": Budget(
        rungs=CRN.rungs,
        options={
            "batch_size": 32,
            "candidates": 12,
            "chunk": 256,
            "match_scale": 2,
            "inner_steps": 16,
            "inner_batch": 8,
            "randomness.vector": 8,
            "randomness.hidden": 32,
            "learning_rate.generator": 1e-3,
            "restart.at": 0,
        },
        enough=100,
    ),
    "conv-autoencoder": Budget(rungs=by("encoder_scale", 1, 0.5, 0.25)),
    "crn": CRN,
    "dsgan": UNET,
    "filtergan": RESNET,
    "flow": Budget(rungs=by("scale", 1.5, 1, 0.5), options={"learning_rate.generator": 2e-3}, enough=1200),
    "flow-student": Budget(rungs=by("scale", 1.5, 1, 0.5), enough=60, first=0.5),
    "gated-pixelcnn": PIXELS,
    "glcic": RESIDUAL,
    "latent-dropout": CRN,
    "moment-predictor": RESIDUAL,
    "mrgan": UNET,
    "mrgan-inpainting": RESIDUAL,
    "mrgan-superres": RESIDUAL,
    "msgan": UNET,
    "munit": RESNET,
    "pix2pix": UNET,
    "pix2pixhd": RESNET,
    "pixelcnn": PIXELS,
    "pixelcnn-autoencoder": PIXELS,
    "pixelnn": Budget(
        rungs=by("generator.backbone.scale", 0.25, 0.125, 0.0625),
        options={**BATCH, "learning_rate.generator": 1e-3},
        enough=300,
    ),
    "rcgan": RESIDUAL,
    "srgan": RESIDUAL,
}
