"""Sampled filters in any PyTorch module: some of its convolutions are swapped for layers that read a code.

BasisGAN's filters w = psi(z) a (Wang, Cheng, Sapiro, Qiu, 2019, section 3) require only that the network has
convolutions. A third-party module calls `conv(x)` without a code, so each swapped convolution reads its code from a
buffer that `torch.func.functional_call` binds for the duration of one call; no state is left behind.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..core.errors import ConfigError
from ..core.interfaces import Conv, Features, Generator, Randomness, Shapes
from ..core.method import GeneratorConfig
from ..randomness.basis_filters import BasisFilters
from ..randomness.latent import Latent
from ..randomness.none import NoRandomness
from ..randomness.sites import AtSites, CodeLayer
from ..randomness.whole_filters import WholeFilters
from .staged import pad_to_multiple

# the other kinds need the size of every feature map in advance
POSSIBLE = (BasisFilters, WholeFilters, Latent, NoRandomness)


class Site(nn.Module):
    """Takes the place of a convolution and is called like one; `layer` gets the code bound for the call.

    Attributes:
        code: (B, D) during a call of `Plugged.decode`, empty otherwise and never saved.
    """

    code: Tensor

    def __init__(self, name: str, layer: nn.Module) -> None:
        super().__init__()
        self.name, self.layer = name, layer
        self.register_buffer("code", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] != self.code.shape[0]:
            raise ConfigError(
                f"generator: layer {self.name!r} of the plugged-in module got {len(x)} rows for {len(self.code)} "
                "codes; call the module through `Plugged`, and keep one row per image inside it"
            )
        out: Tensor = self.layer(x, self.code)
        return out


class Turn:
    """A lock that copies as a new lock, so that a generator can still be copied: `with turn.lock`.

    Codes bound by one call are visible in the module to all threads, so calls must not overlap.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def __reduce__(self) -> tuple[type[Turn], tuple[()]]:
        return Turn, ()


class Plugged(Generator):
    """A third-party module (B, K, H, W) -> (B, C, H, W), or -> a mapping with that under "out", made stochastic.

    Nothing is known about the order of its layers, so all of it runs once per code. Its own randomness (dropout,
    stochastic depth) is switched off, so that only the code matters.

    Args:
        module: left unchanged; a copy is modified. Swapped convolutions start from new filters.
        randomness: its sites are patterns of dotted module names, such as `classifier.*`, `backbone.layer4.*.conv2`.
        stride: height and width are padded to multiples of it on input and cropped on output.
        tanh: for modules whose output is unbounded; images lie in [-1, 1].

    Raises:
        ConfigError: a pattern matches no convolution, or one that sampled filters cannot replace.
    """

    def __init__(self, module: nn.Module, randomness: Randomness, stride: int = 1, tanh: bool = False) -> None:
        super().__init__()
        if not isinstance(randomness, POSSIBLE):
            names = ", ".join(kind.__name__ for kind in POSSIBLE)
            raise ConfigError(
                f"randomness: {type(randomness).__name__} cannot be used in a plugged-in module; use one of {names}"
            )
        self.module, self.randomness = copy.deepcopy(module), randomness
        self.stride, self.tanh, self.turn = stride, tanh, Turn()
        self.paths = swap(self.module, randomness)
        silence(self.module)
        randomness.finish()
        self.code_size, self.prior = randomness.size, randomness.prior
        self.alternatives, self.parts = randomness.alternatives, randomness.parts

    def encode(self, condition: Tensor) -> Features:
        height, width = condition.shape[-2:]
        return Features(pad_to_multiple(condition, self.stride), (), (height, width))

    def decode(self, features: Features, code: Tensor) -> Tensor:
        condition = features.condition
        bound = {f"{path}.code": code for path in self.paths}
        with self.turn.lock:
            try:
                out = functional_call(self.module, bound, (condition,), tie_weights=False)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ConfigError(
                    "training.batch_size must be at least 2: the plugged-in module normalises over the batch and "
                    "cannot be trained on one image at a time"
                ) from None
        image = images_of(out, condition)
        height, width = features.size
        return (torch.tanh(image) if self.tanh else image)[..., :height, :width]


def swap(module: nn.Module, randomness: AtSites) -> list[str]:
    """Put a `Site` in place of every convolution that the patterns match; returns the paths of the sites."""
    made: dict[nn.Module, Site] = {}  # a convolution used under two names stays one layer
    for name, conv in list(module.named_modules(remove_duplicate=False)):
        if not name or not isinstance(conv, nn.Conv2d | nn.ConvTranspose2d):
            continue
        if not any(fnmatchcase(name, pattern) for pattern in randomness.patterns):
            randomness.asked.append(name)  # as if asked for and left plain, so that errors can list it
            continue
        if conv not in made:
            layer = randomness.layer(name, conv.in_channels, conv.out_channels, **arguments_of(name, conv))
            assert isinstance(layer, CodeLayer)
            made[conv] = Site(name, layer.to(conv.weight).train(conv.training))
        parent, _, child = name.rpartition(".")
        setattr(module.get_submodule(parent), child, made[conv])
    return [site.name for site in made.values()]


def arguments_of(name: str, conv: nn.Conv2d | nn.ConvTranspose2d) -> Conv:
    """The arguments of a convolution, as a `Conv`.

    Raises:
        ConfigError: it is of a kind that sampled filters cannot replace.
    """

    def refuse(reason: str) -> ConfigError:
        return ConfigError(f"randomness.sites: layer {name!r} cannot have sampled filters: {reason}")

    def side(what: str, values: Sequence[int]) -> int:
        if len(set(values)) > 1:
            raise refuse(f"its {what} is {'x'.join(map(str, values))}, but only square ones are supported")
        return values[0]

    if type(conv) not in (nn.Conv2d, nn.ConvTranspose2d):
        raise refuse(f"it is a {type(conv).__name__}, but only plain Conv2d and ConvTranspose2d are supported")
    if conv.groups != 1:
        raise refuse(f"it has {conv.groups} groups, but only one is supported")
    if conv.padding_mode not in ("zeros", "reflect"):
        raise refuse(f"its padding is {conv.padding_mode!r}, but only 'zeros' and 'reflect' are supported")
    kernel, dilation = side("kernel", conv.kernel_size), side("dilation", conv.dilation)
    if conv.padding == "same" and dilation * (kernel - 1) % 2:
        raise refuse("its padding 'same' is wider on one side than the other; use an odd kernel")
    same = dilation * (kernel - 1) // 2
    return Conv(
        kernel_size=kernel,
        stride=side("stride", conv.stride),
        padding=side("padding", conv.padding) if isinstance(conv.padding, tuple) else same * (conv.padding == "same"),
        output_padding=side("output padding", conv.output_padding),
        dilation=dilation,
        transposed=isinstance(conv, nn.ConvTranspose2d),
        bias=conv.bias is not None,
        padding_mode="reflect" if conv.padding_mode == "reflect" else "zeros",
    )


def silence(module: nn.Module) -> None:
    """Switch off dropout and stochastic depth, whose draws from the global generator no code could repeat."""
    from torchvision.ops import StochasticDepth  # torchvision takes a second to import

    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd | StochasticDepth):
            part.p = 0.0


def images_of(out: object, condition: Tensor) -> Tensor:
    """The images in a module's output, (B, C, H, W) with the condition's height and width.

    Raises:
        ConfigError: the module returned something else.
    """
    if isinstance(out, Mapping):
        if "out" not in out:
            raise ConfigError(
                f"generator: the plugged-in module returned a mapping of {', '.join(map(str, out)) or 'nothing'}; "
                'its images must be under "out"'
            )
        out = out["out"]
    if not isinstance(out, Tensor) or out.ndim != 4:
        what = f"a tensor of shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise ConfigError(
            f'generator: the plugged-in module returned {what}, expected (B, C, H, W) or a mapping with "out"'
        )
    expected, got = (condition.shape[0], *condition.shape[-2:]), (out.shape[0], *out.shape[-2:])
    if got != expected:
        raise ConfigError(
            f"generator: the plugged-in module turned {expected[0]} images of {expected[1]}x{expected[2]} into "
            f"{got[0]} of {got[1]}x{got[2]}; it must keep their number, height and width (padded to its stride)"
        )
    return out


STRIDE = 16  # upper bound for the stride of torchvision's segmentation networks


def read_other_channels(module: nn.Module, channels: int) -> None:
    """Replace the first convolution for conditions that are not RGB images, initialised as torchvision does."""
    name, first = next((name, part) for name, part in module.named_modules() if isinstance(part, nn.Conv2d))
    padding = first.padding if isinstance(first.padding, str) else (first.padding[0], first.padding[1])
    conv = nn.Conv2d(
        channels,
        first.out_channels,
        (first.kernel_size[0], first.kernel_size[1]),
        (first.stride[0], first.stride[1]),
        padding,
        bias=first.bias is not None,
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, conv)


class PluggedConfig(GeneratorConfig):
    """An untrained torchvision network that predicts images instead of class scores."""

    summary: ClassVar[str] = "a network from torchvision or your own"

    kind: Literal["plugged"] = "plugged"
    network: Literal["lraspp_mobilenet_v3_large", "fcn_resnet50", "deeplabv3_mobilenet_v3_large"] = (
        "lraspp_mobilenet_v3_large"
    )

    def build(self, randomness: Randomness, shapes: Shapes) -> Plugged:
        from torchvision.models import get_model

        module = get_model(self.network, weights=None, weights_backbone=None, num_classes=shapes.image_channels)
        if shapes.condition_channels != 3:
            read_other_channels(module, shapes.condition_channels)
        return Plugged(module, randomness, STRIDE, tanh=True)
