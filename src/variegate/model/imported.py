"""Import generators trained with the public pix2pix, CycleGAN and BicycleGAN repositories from `.pth` files.

Supported: `unet_128`, `unet_256`, `resnet_6blocks` and `resnet_9blocks` of junyanz/pytorch-CycleGAN-and-pix2pix, and
the generators of junyanz/BicycleGAN with the code at every level (`G_Unet_add_all`) or at the input
(`G_Unet_add_input`). Width, depth, channels and normalisation are inferred from the names and shapes of the tensors.

After the import, both networks give equal images in eval mode, where batch normalisation uses running statistics. The
public pix2pix does not sample like that: without `--eval`, its test script leaves the network in training mode, so
dropout is on and each image (batch 1) is normalised by its own statistics. To get the same here, use
`noise="dropout"`, and `generator.train()` with one condition and one code at a time (which also updates the running
statistics). Instance normalisation uses the statistics of the image in either mode; running statistics that old files
contain for it are dropped, as in the public loader. BicycleGAN's test script samples in eval mode.
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
        note: description of the recognised network.
    """

    name: str
    options: Options
    shapes: Shapes
    state: Weights
    note: str


def import_weights(file: str | Path, out: str | Path, code_size: int | None = None, noise: str = "none") -> str:
    """Convert a generator's `.pth` file from the public pix2pix or BicycleGAN repositories to a model in `out`/model.

    Args:
        code_size, noise: see `read_pth`.

    Returns:
        A description of the recognised network.

    Raises:
        CheckpointError: the file is damaged or belongs to another network.
    """
    if noise not in ("none", "dropout"):
        raise ConfigError(f"noise must be none or dropout, got {noise!r}")
    found = read_pth(file, code_size, "dropout" if noise == "dropout" else "none")
    channels, image_channels, size = found.shapes
    if channels not in (1, 3):
        raise ConfigError(f"{file}: its generator reads {channels} channels; only grey or RGB images are supported")
    if image_channels not in (1, 3):
        raise ConfigError(
            f"{file}: its generator outputs {image_channels} channels (a and b of Lab?); "
            "only grey or RGB images are supported"
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
    """Read a generator's weights under our names, with the method that builds the network for them.

    Args:
        code_size: number of the first convolution's input channels that are BicycleGAN's code; 0 for pix2pix. A
            pix2pix U-Net with instance normalisation and `G_Unet_add_input` look alike in a file; by default, 9 or 11
            channels are read as a grey or colour image with an 8-dimensional code. Unused if the file is unambiguous.
        noise: whether pix2pix's dropout becomes the code. A U-Net's file does not tell if it was trained with dropout.

    Raises:
        CheckpointError: the file is missing, damaged or not a state dict, or its network cannot be imported.
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
    """Read a state dict from an untrusted file: only tensors are loaded, and no code is run."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"it cannot be opened ({error.strerror or error})") from None
    except Exception as error:  # damaged pickles can raise anything
        unknown = re.search(r"GLOBAL (\S+)|[Tt]ype (\S+) was not an allowed", str(error))
        if unknown:
            raise CheckpointError(
                f"it contains a Python object ({unknown[1] or unknown[2]}), which is not loaded because it could run "
                "code; save network.state_dict() instead"
            ) from None
        raise CheckpointError("it is truncated, damaged or not a .pth file; copy it again") from None
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"expected a state dict, got {type(content).__name__} {str(content)[:40]!r}")
    others = [name for name, value in content.items() if not isinstance(value, Tensor) or not isinstance(name, str)]
    if others:
        raise CheckpointError(
            f"its entry {str(others[0])[:40]!r} is not a tensor; give only the state dict of the generator"
        )
    floats = {name: value.detach().float() if value.is_floating_point() else value for name, value in content.items()}
    return {re.sub(r"^(module\.|_orig_mod\.)+", "", name): value for name, value in floats.items()}


def in_our_names(found: Understood) -> ImportedGenerator:
    """Convert a recognised network to the method that builds it and the state that it loads."""
    layers, (inputs, outputs, _) = found.layers, found.shapes
    width = layers["inner" if "inner" in layers else "down1"]["conv.weight"].shape[0]
    options = {**found.options, "width": width}
    norm = options["generator.norm"]
    note = f"{found.words}, {width} wide, {norm} normalisation, {inputs} channels to {outputs}"
    return ImportedGenerator(found.method, options, found.shapes, rename_layers(layers, found.sites), note)


def check(found: ImportedGenerator) -> None:
    """Compare names and shapes with those of the network to be built, without allocating it."""
    try:
        with torch.device("meta"):
            chosen = method(found.name, found.options)
            network = chosen.build_generator(found.shapes)
    except ConfigError as error:
        raise CheckpointError(f"recognised as {found.note}, but no such network can be built: {error}") from None
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in found.state.items()}
    for name in (*wanted, *given):
        if wanted.get(name) != given.get(name):
            have, want = (f"shape {shapes[name]}" if name in shapes else "nothing" for shapes in (given, wanted))
            raise CheckpointError(f"recognised as {found.note}, but {name}: expected {want}, got {have}")
