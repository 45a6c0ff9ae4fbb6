"""Every method in the variants that its options offer, small enough to build in milliseconds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from variegate.core.capabilities import HasMemory
from variegate.core.interfaces import Generator, Shapes, Size
from variegate.core.method import Method
from variegate.data.conditions import Labels
from variegate.methods import METHODS, method
from variegate.methods.pix2pix import pix2pix
from variegate.model.model import Model
from variegate.randomness.latent import LatentConfig
from variegate.randomness.noise_maps import NoiseMapsConfig
from variegate.runs.saved_model import ModelRecord, versions

CONDITION, IMAGE = 4, 3  # channels
COLOURS = ((0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200))

RESNET = {"width": 4, "blocks": 2}
CRN = {"generator.widths": [8, 8, 6, 4], "randomness.channels": 3, "randomness.hidden": 6}
PLAIN = {"randomness.encoder": False}
SPLIT = {"generator.widths": [8, 32, 32, 32]}
BRANCHES = {**SPLIT, "branches": 6}
WIDTHS = {"generator.widths": [8, 8, 6, 4]}
LAPLACIAN = {"descriptor": "laplacian"}
PIXELS = {"layers": 3, "width": 6, "generator.head": 6, "generator.first_filter": 5}
OPTIONS: dict[str, tuple[str, dict[str, Any], Size]] = {
    "pix2pix dropout unet": ("pix2pix", {"width": 4}, (32, 32)),
    "pix2pix input unet": ("pix2pix", {"width": 4, "noise": "input"}, (16, 32)),
    "pix2pix none unet": ("pix2pix", {"width": 4, "noise": "none"}, (16, 16)),
    "pix2pix dropout resnet": ("pix2pix", {"width": 4, "backbone": "resnet", "generator.blocks": 2}, (16, 16)),
    "pix2pix input resnet": (
        "pix2pix",
        {"width": 4, "noise": "input", "backbone": "resnet", "generator.blocks": 2},
        (16, 16),
    ),
    "pix2pix none resnet": (
        "pix2pix",
        {"width": 4, "noise": "none", "backbone": "resnet", "generator.blocks": 2},
        (16, 16),
    ),
    "basisgan": ("basisgan", RESNET, (16, 16)),
    "basisgan separate": ("basisgan", {**RESNET, "randomness.separate": True}, (16, 16)),
    "basisgan shared": ("basisgan", {**RESNET, "randomness.shared": True}, (16, 16)),
    "basisgan transposed": ("basisgan", {**RESNET, "randomness.sites": ["up*", "block2.conv1"]}, (16, 16)),
    "pix2pixhd none global": ("pix2pixhd", {**RESNET, "generator.downs": 2}, (16, 16)),
    "pix2pixhd input": ("pix2pixhd", {**RESNET, "generator.downs": 2, "noise": "input"}, (16, 16)),
    "pix2pixhd none fine": ("pix2pixhd", {**RESNET, "generator.downs": 1, "fine": True}, (16, 16)),
    "pix2pix resized": ("pix2pix", {"width": 4, "noise": "input", "generator.upsampling": "resize"}, (16, 32)),
    "basisgan resized": (
        "basisgan",
        {**RESNET, "generator.upsampling": "resize", "randomness.sites": ["up*"]},
        (16, 16),
    ),
    "flow": ("flow", {"generator.widths": [8, 8]}, (16, 16)),
    "rcgan": ("rcgan", {"width": 4}, (32, 32)),
    "rcgan superres": ("rcgan", {"task": "superres", "width": 4, "scale": 2}, (16, 16)),
    "rcgan inpainting": ("rcgan", {"task": "inpainting", "width": 4}, (16, 16)),
    "flow-student": ("flow-student", {"scale": 0.25}, (16, 16)),
    "flow-student nearest": ("flow-student", {"scale": 0.25, "matching": "nearest"}, (16, 32)),
    "flow concat": ("flow", {"generator.widths": [8, 8], "generator.conditioning": "concat"}, (16, 16)),
    "flow earlier": (
        "flow",
        {
            "generator.widths": [8, 8],
            "generator.earlier_at": 0.5,
            "generator.sampler.guide": "earlier",
            "generator.sampler.guidance": 2,
        },
        (16, 16),
    ),
    "flow image": ("flow", {"generator.widths": [8, 8], "generator.predicts": "image"}, (16, 16)),
    "bicyclegan": ("bicyclegan", {"width": 4}, (16, 16)),
    "msgan": ("msgan", {"width": 4}, (16, 16)),
    "dsgan": ("dsgan", {"width": 4}, (16, 16)),
    "dsgan inpainting": ("dsgan", {"width": 4, "task": "inpainting", "generator.blocks": 1}, (16, 16)),
    "basisgan hd": ("basisgan-hd", {**RESNET, "generator.downs": 2}, (16, 16)),
    "basisgan hd fine": ("basisgan-hd", {**RESNET, "generator.downs": 1, "fine": True}, (16, 16)),
    "basisgan inpainting": ("basisgan-inpainting", RESNET, (16, 16)),
    "basisgan autoencoder": ("basisgan-autoencoder", RESNET, (16, 16)),
    "basisgan dsgan": ("basisgan-dsgan", RESNET, (16, 16)),
    "munit": ("munit", {"width": 4, "generator.blocks": 1, "objective.layers": 2}, (16, 16)),
    "filtergan": ("filtergan", {**RESNET, "randomness.latent": 6, "randomness.hidden": 6}, (16, 16)),
    "filtergan up": ("filtergan", {**RESNET, "randomness.sites": ["up*"], "randomness.hidden": 6}, (16, 16)),
    "srgan none x2": ("srgan", {**RESNET, "scale": 2}, (16, 16)),
    "srgan input": ("srgan", {**RESNET, "noise": "input"}, (16, 16)),
    "glcic none whole": ("glcic", {"width": 4}, (16, 16)),
    "glcic input": ("glcic", {"width": 4, "noise": "input"}, (16, 16)),
    "mrgan": ("mrgan", {"width": 4}, (16, 16)),
    "mrgan direct": ("mrgan", {"width": 4, "proxy": False, "family": "laplace"}, (16, 16)),
    "mrgan superres": ("mrgan-superres", RESNET, (16, 16)),
    "mrgan inpainting": ("mrgan-inpainting", {"width": 4}, (16, 16)),
    "moment predictor": ("moment-predictor", {"width": 4}, (16, 16)),
    "moment predictor laplace superres": (
        "moment-predictor",
        {"width": 4, "family": "laplace", "task": "superres", "generator.backbone.blocks": 1},
        (16, 16),
    ),
    "moment predictor inpainting": ("moment-predictor", {"width": 4, "task": "inpainting"}, (16, 16)),
    "crn heads": ("crn", {**WIDTHS, "heads": 99}, (16, 32)),
    "crn none plain": ("crn", {**WIDTHS, "heads": 1}, (16, 32)),
    "crn input": ("crn", {**CRN, "noise": "input"}, (16, 32)),
    "latent dropout": ("latent-dropout", {**BRANCHES}, (16, 32)),
    "latent dropout fine split": ("latent-dropout", {**BRANCHES, "generator.split": 1}, (16, 32)),
    "latent dropout early split": ("latent-dropout", {**BRANCHES, "generator.split": 3}, (16, 32)),
    "latent dropout elements": ("latent-dropout", {**BRANCHES, "dropout": "element"}, (16, 32)),
    "latent dropout separate": ("latent-dropout", {**SPLIT, "architecture": "separate", "branches": 99}, (16, 32)),
    "latent dropout late": ("latent-dropout", {**SPLIT, "architecture": "late", "branches": 99}, (16, 32)),
    "pixelnn": ("pixelnn", {"widths": [8, 8, 6, 4], **LAPLACIAN}, (16, 32)),
    "pixelnn unet": ("pixelnn", {"backbone": "unet", "backbone.width": 4, **LAPLACIAN}, (16, 16)),
    "gated pixelcnn": ("gated-pixelcnn", PIXELS, (8, 10)),
    "gated pixelcnn 3 bits": ("gated-pixelcnn", {**PIXELS, "filter": 5, "bits": 3}, (8, 10)),
    "gated pixelcnn mixture": ("gated-pixelcnn", {**PIXELS, "generator.output": "mixture"}, (8, 10)),
    "gated pixelcnn residual": (
        "gated-pixelcnn",
        {**PIXELS, "generator.stacks": "residual", "generator.halvings": 1, "bits": 3},
        (8, 10),
    ),
    "pixelcnn": ("pixelcnn", PIXELS, (8, 10)),
    "pixelcnn autoencoder": ("pixelcnn-autoencoder", {**PIXELS, "encoder_scale": 0.05}, (8, 10)),
    "conv autoencoder none code": ("conv-autoencoder", {"encoder_scale": 0.05, "maps": 6}, (16, 32)),
    "cimle field encoder": ("cimle", CRN, (16, 32)),
    "cimle field": ("cimle", {**CRN, **PLAIN}, (16, 32)),
    "cimle vector encoder": ("cimle", {**CRN, "randomness.vector": 5, "randomness.mapping": 6}, (16, 32)),
    "cimle class codes": (
        "cimle",
        {**CRN, "randomness.vector": 5, "randomness.mapping": 6, "randomness.per_class": 2},
        (16, 32),
    ),
    "cimle vector": ("cimle", {**CRN, **PLAIN, "randomness.vector": 3, "randomness.mapping": 0}, (16, 32)),
}
# the objective decides nothing about a generator; laplacian features need no download
SETTINGS = {name: {"objective.perceptual": "laplacian"} for name in ("cimle", "crn", "latent-dropout")}
OTHER: dict[str, tuple[Method, Size]] = {
    "noise maps unet": (
        pix2pix(width=4).model_copy(update={"randomness": NoiseMapsConfig(sites=("up[23]",))}),
        (16, 16),
    ),
    "latent in every down of unet": (
        pix2pix(width=4).model_copy(update={"randomness": LatentConfig(sites=("down*",))}),
        (16, 16),
    ),
}


def preset(name: str) -> Method:
    if name in OTHER:
        return OTHER[name][0]
    kind, options, _ = OPTIONS[name]
    return method(kind, {**options, **SETTINGS.get(kind, {})})


def size_of(name: str) -> Size:
    return OTHER[name][1] if name in OTHER else OPTIONS[name][2]


ALL = [*OPTIONS, *OTHER]
NOISY = [name for name in ALL if " none " not in name]
assert {kind for kind, _, _ in OPTIONS.values()} == set(METHODS), "a method of the registry has no variant here"


def generator_of(name: str) -> Generator:
    """In eval mode, with running statistics that have seen data: at pix2pix's start they would shrink every signal."""
    torch.manual_seed(5)
    generator = preset(name).build_generator(Shapes(CONDITION, IMAGE, size_of(name)))
    norms = [module for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        generator.train()(conditions(name, 4), generator.draw([(99, i) for i in range(8)]).unflatten(0, (4, 2)))
    for norm in norms:
        norm.momentum = 0.1
    if isinstance(generator.eval(), HasMemory):
        generator.remember([(conditions(name, 13), pictures(13, size_of(name)))])
    return generator


def pictures(count: int, size: Size) -> Tensor:
    """Noise, uint8 (B, C, H, W)."""
    stream = torch.Generator().manual_seed(count)
    return torch.randint(256, (count, IMAGE, *size), dtype=torch.uint8, generator=stream)


def conditions(name: str, count: int, size: Size | None = None) -> Tensor:
    """One-hot label maps (B, K, H, W) made of 4x4 squares."""
    height, width = size or size_of(name)
    stream = torch.Generator().manual_seed(count)
    ids = torch.randint(CONDITION, (count, -(-height // 4), -(-width // 4)), generator=stream)
    ids = ids.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :height, :width]
    return nn.functional.one_hot(ids, CONDITION).permute(0, 3, 1, 2).float()


def codes(generator: Generator, seed: int, count: int, first: int = 0) -> Tensor:
    return generator.draw([(seed, first + i) for i in range(count)])


def model_of(name: str) -> Model:
    """Untrained, with label maps of four classes."""
    labels = Labels(names=("a", "b", "c", "d"), palette=COLOURS)
    record = ModelRecord(
        method=preset(name).model_dump(mode="json"),
        condition=labels.model_dump(mode="json"),
        condition_channels=CONDITION,
        image_channels=IMAGE,
        size=size_of(name),
        data="squares",
        step=3,
        seed=0,
        versions=versions(),
    )
    return Model(generator_of(name), labels, record)
