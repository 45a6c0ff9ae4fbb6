"""Generators that were trained with the public pix2pix, CycleGAN and BicycleGAN repositories, read from `.pth` files.

Read: `unet_128`, `unet_256`, `resnet_6blocks` and `resnet_9blocks` of junyanz/pytorch-CycleGAN-and-pix2pix, and the
generators of junyanz/BicycleGAN with the code at every level (`G_Unet_add_all`) or at the input (`G_Unet_add_input`).
Width, depth, channels and normalisation follow from the names and shapes of the tensors.

What is equal afterwards: the images of both networks in eval mode, which for batch normalisation means with running
statistics. That is not how the public pix2pix draws: unless told `--eval`, its test script leaves the network in
training mode, so that dropout is on and each image (batch 1) is normalised by its own statistics. The same here:
`noise="dropout"`, and `generator.train()` with one condition and one code at a time (which also moves the running
statistics). Instance normalisation uses the statistics of the image in either mode; running ones that old files hold
for it are dropped, as the public loader does. BicycleGAN's test script draws in eval mode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.errors import CheckpointError, ConfigError
from ..core.interfaces import Shapes
from ..data.conditions import ImageCondition
from ..methods import method
from ..runs.saved_model import ModelRecord, load_weights, versions, write_model
from .imported_layers import Noise, Options, Understood, Weights, rename_layers, understand


@dataclass(frozen=True)
class ImportedGenerator:
    """`methods.method(name, options).build_generator(shapes)` loads `state`.

    Attributes:
        state: our names -> float32 tensors.
        note: what the file was understood to be, in words.
    """

    name: str
    options: Options
    shapes: Shapes
    state: Weights
    note: str


def import_weights(file: str | Path, out: str | Path, code_size: int | None = None, noise: str = "none") -> str:
    """Make a model of a generator's `.pth` file of the public pix2pix or BicycleGAN repositories, in `out`/model.

    Args:
        code_size, noise: see `read_pth`.

    Returns:
        What the file was understood to be, in words.

    Raises:
        CheckpointError: the file is damaged or of another network.
    """
    if noise not in ("none", "dropout"):
        raise ConfigError(f"noise {noise!r} is neither none nor dropout")
    found = read_pth(file, code_size, "dropout" if noise == "dropout" else "none")
    channels, image_channels, size = found.shapes
    if channels not in (1, 3):
        raise ConfigError(f"{file}: reads conditions of {channels} channels; only images can be given")
    if image_channels not in (1, 3):
        raise ConfigError(
            f"{file}: draws {image_channels} channels, such as a and b of Lab; only grey or RGB images can be drawn"
        )
    chosen = method(found.name, found.options)
    generator = chosen.build_generator(found.shapes)
    load_weights(generator, found.state, Path(file), "give a file of the public repositories")
    record = ModelRecord(
        method=chosen.model_dump(mode="json"),
        condition=ImageCondition(channels=1 if channels == 1 else 3).model_dump(mode="json"),
        condition_channels=channels,
        image_channels=image_channels,
        size=size,
        data=f"unknown: imported from {Path(file).name}",
        step=0,
        seed=0,
        versions=versions(),
    )
    write_model(Path(out) / "model", generator, record)
    return found.note


def read_pth(path: str | Path, code_size: int | None = None, noise: Noise = "none") -> ImportedGenerator:
    """A generator's weights in our names, with the method that builds the network for them.

    Args:
        code_size: how many of the channels that the first convolution reads are BicycleGAN's code; 0 for pix2pix.
            A pix2pix U-Net with instance normalisation and `G_Unet_add_input` look alike in a file; unless told, 9 or
            11 channels are taken for 8 numbers beside a grey or colour image. Unused where there is no doubt.
        noise: whether pix2pix's dropout becomes the code. A U-Net's file does not say if it was trained with it.

    Raises:
        CheckpointError: the file is missing, damaged, no state dict, or of a network that cannot be imported.
    """
    path = Path(path)
    try:
        weights = tensors_of(path)
        understood = understand(weights, code_size, noise)
        understood.check_all_used(weights)
        found = in_our_names(understood)
        check(found)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return found


def tensors_of(path: Path) -> Weights:
    """A state dict from a file that is not trusted: tensors only, nothing is run."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"it cannot be opened ({error.strerror or error})") from None
    except Exception as error:  # pickles raise anything when they are damaged
        unknown = re.search(r"GLOBAL (\S+)|[Tt]ype (\S+) was not an allowed", str(error))
        if unknown:
            raise CheckpointError(
                f"it holds a Python object ({unknown[1] or unknown[2]}), which is not opened because it could run "
                "code; save network.state_dict() instead"
            ) from None
        raise CheckpointError("it is cut short, damaged or no .pth file; copy it again") from None
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"it holds {type(content).__name__} {str(content)[:40]!r}, not a state dict")
    others = [name for name, value in content.items() if not isinstance(value, Tensor) or not isinstance(name, str)]
    if others:
        raise CheckpointError(
            f"it holds {str(others[0])[:40]!r}, which is no tensor; give the state dict of the generator alone"
        )
    floats = {name: value.detach().float() if value.is_floating_point() else value for name, value in content.items()}
    return {re.sub(r"^(module\.|_orig_mod\.)+", "", name): value for name, value in floats.items()}


def in_our_names(found: Understood) -> ImportedGenerator:
    """What was understood, as the method that builds it and the state that it loads."""
    layers, (inputs, outputs, _) = found.layers, found.shapes
    width = layers["inner" if "inner" in layers else "down1"]["conv.weight"].shape[0]
    options = {**found.options, "width": width}
    norm = options["generator.norm"]
    note = f"{found.words}, {width} wide, {norm} normalisation, {inputs} channels to {outputs}"
    return ImportedGenerator(found.method, options, found.shapes, rename_layers(layers, found.sites), note)


def check(found: ImportedGenerator) -> None:
    """Compare names and shapes with those of the network that will be built, without its memory."""
    try:
        with torch.device("meta"):
            chosen = method(found.name, found.options)
            network = chosen.build_generator(found.shapes)
    except ConfigError as error:
        raise CheckpointError(f"taken for {found.note}, it fits no network: {error}") from None
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in found.state.items()}
    for name in (*wanted, *given):
        if wanted.get(name) != given.get(name):
            have, want = (f"shape {shapes[name]}" if name in shapes else "nothing" for shapes in (given, wanted))
            raise CheckpointError(f"taken for {found.note}, it has {have} where {want} belongs: {name}")
