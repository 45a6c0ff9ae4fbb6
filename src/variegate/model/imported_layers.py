"""Recognise the layers of public generators by the names and shapes of their tensors, and rename them to ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ..core.errors import CheckpointError
from ..core.interfaces import Shapes

Weights = dict[str, Tensor]
Layers = dict[str, Weights]  # our layer, such as down1 or block1.conv1 -> conv.weight, norm.running_mean, ...
Options = dict[str, Any]
Noise = Literal["none", "dropout"]
KNOWN = "pix2pix's U-Nets and ResNets and BicycleGAN's U-Nets can be imported"
RUNNING = ("running_mean", "running_var", "num_batches_tracked")
USUAL_CODE = 8  # BicycleGAN's --nz


class Understood(NamedTuple):
    """The network recognised in a file.

    Attributes:
        method: builds the network with `options`.
        sites: layers that read a code.
        shapes: its size is where a U-Net's bottleneck is one pixel; for ResNets, the size they were published for.
        words: description of the network.
    """

    method: str
    layers: Layers
    options: Options
    sites: set[str]
    shapes: Shapes
    words: str

    def check_all_used(self, weights: Weights) -> None:
        """Raise CheckpointError if a tensor is neither in a layer nor a running statistic (unused by instance
        normalisation): images of the imported network would differ."""
        used = {id(tensor) for layer in self.layers.values() for tensor in layer.values()}
        left = [
            name
            for name, tensor in weights.items()
            if id(tensor) not in used and name.rpartition(".")[2] not in RUNNING
        ]
        if left:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            raise CheckpointError(
                f"recognised as {self.words}, but tensor {left[0]!r}{more} would be left out and images would differ; "
                f"{KNOWN}"
            )


def modules_of(weights: Weights, prefix: str) -> dict[int, Weights]:
    """The entries of the sequence at `prefix`, in order: index -> the tensors below it."""
    found: dict[int, Weights] = {}
    for name, tensor in weights.items():
        index, _, rest = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and index.isdecimal() and rest:
            found.setdefault(int(index), {})[rest] = tensor
    return dict(sorted(found.items()))


def convolutions(modules: Iterable[Weights]) -> list[Weights]:
    """Convolutions in order, each together with the normalisation that follows it."""
    found: list[Weights] = []
    for module in modules:  # running statistics without a gain belong to instance normalisation: dropped
        weight = module.get("weight")
        if weight is not None and weight.ndim == 4:
            found.append({f"conv.{name}": tensor for name, tensor in module.items()})
        elif weight is not None and found:
            found[-1] |= {"norm.num_batches_tracked": torch.tensor(0)}  # files before PyTorch 0.4.1 lack it
            found[-1] |= {f"norm.{name}": tensor for name, tensor in module.items()}
    return found


def understand(weights: Weights, code_size: int | None, noise: Noise) -> Understood:
    """Recognise a network by the names of its tensors."""
    if "model.down.0.weight" in weights:
        return unet_with_codes(weights)
    if "model.model.0.weight" in weights and any(name.startswith("model.model.1.model.") for name in weights):
        return unet(weights, code_size, noise)
    if any(re.match(r"model\.\d+\.conv_block\.", name) for name in weights):
        return resnet(weights, noise)
    raise CheckpointError(f"its first tensor {next(iter(weights))!r} belongs to no known generator; {KNOWN}")


def unet(weights: Weights, code_size: int | None, noise: Noise) -> Understood:
    """A U-Net in which each level is a sequence: convolution, the sequence of the level below, convolution."""
    levels: list[list[Weights]] = []
    prefix, bare = "model.model.", False
    while prefix:
        modules = modules_of(weights, prefix)
        levels.append(convolutions(modules.values()))
        below = [index for index, module in modules.items() if any(name.startswith("model.") for name in module)]
        bare = bare or (len(levels) > 1 and below == [2])  # no place for a normalisation before the level below
        prefix = f"{prefix}{below[0]}.model." if below else ""
    layers = unet_layers(levels)
    inputs, depth = layers["down1"]["conv.weight"].shape[1], len(levels)
    if "conv.bias" not in layers["down1"]:
        code_size = 0  # BicycleGAN's convolutions all have a bias
    elif code_size is None:
        code_size = USUAL_CODE if inputs - USUAL_CODE in (1, 3) else 0
    norm = norm_of(layers, "up1", bare)
    if code_size:
        return bicyclegan(layers, norm, code_size, {"randomness.sites": ["down1"]}, {"down1"}, "G_Unet_add_input")
    dropped = [f"up{k}" for k in range(5, depth)] if noise == "dropout" else []
    options: Options = {"backbone": "unet", "generator.depth": depth, "noise": "dropout" if dropped else "none"}
    if dropped:
        options["randomness.sites"] = dropped
    channels, size = (inputs, layers["up1"]["conv.weight"].shape[1]), (2**depth, 2**depth)
    words = f"pix2pix's U-Net with {depth} halvings"
    return Understood(
        "pix2pix", layers, {**options, "generator.norm": norm}, set(dropped), Shapes(*channels, size), words
    )


def unet_with_codes(weights: Weights) -> Understood:
    """A U-Net whose levels have `down`, `submodule` (the level below) and `up`; every `down` also reads the code."""
    levels: list[list[Weights]] = []
    prefix = "model."
    while any(name.startswith(prefix) for name in weights):
        sides = [modules_of(weights, prefix + side).values() for side in ("down.", "up.")]
        levels.append([conv for side in sides for conv in convolutions(side)])
        prefix += "submodule."
    if len(levels) < 2:
        raise CheckpointError(f"its U-Net has only one level; {KNOWN}")
    layers = unet_layers(levels)
    code_size = layers["down2"]["conv.weight"].shape[1] - layers["down1"]["conv.weight"].shape[0]
    sites = {name for name in layers if name.startswith("down")}
    # the public network concatenates code and features before its LeakyReLU, which the first level lacks
    options: Options = {"randomness.leaky": ["down[!1]"]}
    return bicyclegan(layers, norm_of(layers, "up1"), code_size, options, sites, "G_Unet_add_all")


def unet_layers(levels: list[list[Weights]]) -> Layers:
    """`down1 .. downN`, `up1 .. upN` from (down, up) of every level, outermost first."""
    layers: Layers = {}
    for k, level in enumerate(levels, start=1):
        if len(level) != 2:
            raise CheckpointError(f"level {k} of its U-Net must have 2 convolutions, got {len(level)}; {KNOWN}")
        layers |= {f"down{k}": level[0], f"up{k}": level[1]}
    for name, layer in layers.items():
        height, width = layer["conv.weight"].shape[2:]
        if (height, width) != (4, 4):
            raise CheckpointError(
                f"its layer {name} must have 4x4 filters, got {height}x{width}; it may upsample by resizing"
            )
    return layers


def resnet(weights: Weights, noise: Noise) -> Understood:
    """A ResNet, which is a sequence: convolutions, residual blocks (sequences of two convolutions), convolutions."""
    modules = modules_of(weights, "model.")
    residual = [index for index, module in modules.items() if any(name.startswith("conv_block.") for name in module)]
    before = convolutions(module for index, module in modules.items() if index < residual[0])
    after = convolutions(module for index, module in modules.items() if index > residual[0] and index not in residual)
    downs, blocks = len(before) - 1, len(residual)
    if downs < 1 or len(before) != len(after):
        raise CheckpointError(f"its ResNet has {len(before)} convolutions before and {len(after)} after its blocks")
    names = ["inner", *(f"down{k}" for k in range(1, downs + 1)), *(f"up{k}" for k in range(downs, 0, -1)), "outer"]
    layers = dict(zip(names, before + after, strict=True))
    for name, layer in layers.items():
        if name.startswith("up") and layer["conv.weight"].shape[0] < layer["conv.weight"].shape[1]:
            raise CheckpointError("its ResNet upsamples by resizing; only transposed convolutions can be imported")
    for block, index in enumerate(residual, start=1):
        inside = modules_of(weights, f"model.{index}.conv_block.")
        pair = convolutions(inside.values())
        if len(pair) != 2 or min(inside) == 0:
            raise CheckpointError(f"its block {block} is not two convolutions with reflection padding; {KNOWN}")
        layers |= {f"block{block}.conv{i}": conv for i, conv in enumerate(pair, start=1)}
    norm = norm_of(layers, "outer")
    dropped = {f"block{block}.conv1" for block in range(1, blocks + 1)} if noise == "dropout" else set()
    options: Options = {"backbone": "resnet", "generator.blocks": blocks, "generator.downs": downs, "noise": noise}
    channels = (layers["inner"]["conv.weight"].shape[1], layers["outer"]["conv.weight"].shape[0])
    size = (128, 128) if blocks == 6 else (256, 256)
    words = f"pix2pix's ResNet with {blocks} blocks"
    return Understood("pix2pix", layers, {**options, "generator.norm": norm}, dropped, Shapes(*channels, size), words)


def norm_of(layers: Layers, last: str, bare: bool = False) -> str:
    """The kind of normalisation. Without any, pix2pix lacks some biases that our network has: they become 0."""
    biased = [name for name, layer in layers.items() if "conv.bias" in layer and name != last]
    if any("norm.weight" in layer for layer in layers.values()):
        if biased:
            raise CheckpointError(
                f"its layer {biased[0]} has both a bias and batch normalisation, which is not supported; "
                "BicycleGAN must be trained with --norm instance"
            )
        return "batch"
    if biased and not bare:
        return "instance"
    for name, layer in layers.items():
        outputs = layer["conv.weight"].shape[1 if name.startswith("up") else 0]
        layer.setdefault("conv.bias", torch.zeros(outputs))
    return "none"


def bicyclegan(layers: Layers, norm: str, code_size: int, options: Options, sites: set[str], words: str) -> Understood:
    inputs = layers["down1"]["conv.weight"].shape[1] - code_size
    if code_size < 1 or inputs < 1:
        raise CheckpointError(f"its first convolution would read {inputs} channels and a code of {code_size} values")
    depth = len(layers) // 2
    for k in range(1, depth):  # it concatenates (up-sampled, skip), we (skip, up-sampled)
        weight = layers[f"up{k}"]["conv.weight"]
        weight.copy_(torch.cat(weight.chunk(2)[::-1]))
    options = options | {"code_size": code_size, "generator.depth": depth, "generator.norm": norm}
    channels = (inputs, layers["up1"]["conv.weight"].shape[1])
    words = f"BicycleGAN's {words} with {depth} halvings and a code of {code_size} values"
    return Understood("bicyclegan", layers, options, sites, Shapes(*channels, (2**depth, 2**depth)), words)


def rename_layers(layers: Layers, sites: set[str]) -> Weights:
    """The state dict under our names; layers that read a code hold their convolution one level deeper."""
    state: Weights = {}
    for name, layer in layers.items():
        where = f"stages.{name}" if "." in name else f"stages.{name}.layer"
        inner = ".inner" if name in sites else ""
        state |= {f"{where}{inner}.{part}": tensor for part, tensor in layer.items()}
    return state
