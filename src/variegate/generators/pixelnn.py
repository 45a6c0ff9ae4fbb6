"""PixelNN (Bansal, Sheikh, Ramanan, ICLR 2018): a smooth image by regression, and its details from training images.

    image_i(x) = f_i(x) + y_jk - f_j(x_k)

f is a regression network; pixel j of training image k is the one whose descriptor of the *regressed* image is nearest
to that of pixel i. Only the globally nearest images are searched, and only their pixels in a window around i. The
number of images, the rank of the first and the window size define one output; the code selects one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

from ..core.errors import ConfigError
from ..core.images import to_float, to_uint8
from ..core.interfaces import Features, Generator, Randomness, Shapes, Size
from ..core.method import GeneratorConfig
from ..networks.perceptual import PerceptualKind, build_unfilled, perceptual
from .crn import CRNConfig
from .pixelnn_search import WHOLE, best_matches, comparable, stack, surroundings
from .resnet import ResNetConfig
from .staged import Staged
from .unet import UNetConfig

CELLS = (4, 4)  # a whole image is described by means of its coarsest features over this grid


class Output(NamedTuple):
    """What is searched for one output."""

    window: int  # index into the generator's windows
    first: int  # rank of the first image that takes part, from 0
    number: int  # number of images that take part


class PixelNN(Generator):
    """Until training images are remembered, all images of a condition are the regression f itself.

    Remembered images take 9 bytes per pixel and are resized to the condition's size to be searched. Regressed images
    are compared in 8 bits, as released, so that float rounding seldom changes a choice.

    A network's feature maps, stacked per pixel, describe an image (a hypercolumn).

    Attributes:
        images: uint8 (N, C, H, W), the training images.
        smooth: float16 (N, C, H, W), their regression in [-1, 1].
        whole: float16 (N, G), their global descriptors, of length 1.
        filters: float32 (P,), all weights of the network that described them, so that queries are always described by
            the same network.
    """

    prior = "uniform"
    images: Tensor
    smooth: Tensor
    whole: Tensor
    filters: Tensor

    def __init__(self, backbone: Staged, config: PixelNNConfig, image_channels: int) -> None:
        super().__init__()
        self.backbone, self.descriptor, self.levels = backbone, config.descriptor, config.levels
        self.windows = config.windows
        self.features: tuple[nn.Module, ...] = ()  # a tuple, so that it is neither trained nor averaged
        self.outputs = [Output(i, first - 1, number) for i in range(len(self.windows)) for number, first in config.sets]
        self.ranks = max(output.first + output.number for output in self.outputs)
        self.code_size = 1
        self.register_buffer("images", torch.empty(0, image_channels, 1, 1, dtype=torch.uint8))
        self.register_buffer("smooth", torch.empty(0, image_channels, 1, 1, dtype=torch.float16))
        self.register_buffer("whole", torch.empty(0, 0, dtype=torch.float16))
        self.register_buffer("filters", torch.empty(0))
        self.register_load_state_dict_pre_hook(make_room)

    def get_ready(self) -> None:
        """Load the descriptor network, unless it was saved with the images.

        Raises:
            WeightsError: its weights are not available.
        """
        if not self.features:
            self.features = (perceptual(self.descriptor, None)[0],)

    def adopt(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The images of an earlier run are left out, since their regression changes."""
        return weights | {name: getattr(self, name)[:0] for name in MEMORY}

    @torch.no_grad()
    def remember(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Conditions (B, K, H, W) and images uint8 (B, C, H, W), batch by batch, replace all remembered before."""
        images, smooth, whole = [], [], []
        for condition, image in pairs:
            images.append(image)
            smooth.append(self.regress(condition).clamp(-1, 1).half())
            whole.append(self.describe_whole(in_8_bits(smooth[-1])).half())
        self.images, self.smooth, self.whole = torch.cat(images), torch.cat(smooth), torch.cat(whole)
        weights = list(self.features[0].parameters())
        self.filters = parameters_to_vector(weights) if weights else self.filters[:0]

    def regress(self, condition: Tensor) -> Tensor:
        """f: one image (B, C, H, W) of each condition."""
        return self.backbone.decode(self.backbone.encode(condition), condition.new_zeros(len(condition), 0))

    def encode(self, condition: Tensor) -> Features:
        """The regression, and every search that any code may ask for."""
        regressed, size = self.regress(condition), (condition.shape[-2], condition.shape[-1])
        if not len(self.images):
            return Features(condition, (regressed,), size)
        with torch.no_grad(), torch.autocast(condition.device.type, enabled=False):
            found = [self.search(in_8_bits(one[None].half())) for one in regressed]  # never as a batch
        scores, details = zip(*found)
        return Features(condition, (regressed, torch.stack(scores), torch.stack(details)), size)

    def search(self, regressed: Tensor) -> tuple[Tensor, Tensor]:
        """Best match of every pixel in each of T windows of each of the R nearest training images.

        Args:
            regressed: (1, C, H, W) in 8 bits.

        Returns:
            The greatest cosine, (T, R, H, W), and y_jk - f_j(x_k) at that pixel, (T, R, C, H, W).
        """
        size = (regressed.shape[-2], regressed.shape[-1])
        own, near = stack(self.describe(regressed), size), surroundings(size, self.windows, regressed.device)
        scores, details = [], []
        for k in self.nearest(regressed):
            image = resize_image(to_float(self.images[k : k + 1]), size)
            smooth = resize_image(self.smooth[k : k + 1].float(), size)
            detail = (image - smooth)[0].flatten(1)
            score, place = best_matches(*comparable(own, self.describe(in_8_bits(smooth))), near)
            scores.append(score)
            details.append(detail[:, place].movedim(0, 1))
        return torch.stack(scores, dim=1), torch.stack(details, dim=1)

    def nearest(self, regressed: Tensor) -> list[int]:
        """Indices of the training images by rank, starting over if there are fewer images than ranks."""
        query = self.describe_whole(resize_image(regressed, (self.smooth.shape[-2], self.smooth.shape[-1])))
        order = (self.whole.float() @ query[0]).argsort(descending=True, stable=True)
        return [int(order[rank % len(order)]) for rank in range(self.ranks)]

    def describe(self, image: Tensor) -> list[Tensor]:
        """Maps (1, D, h, w) that describe the pixels of one image (1, C, H, W) once resized to its size."""
        maps = self.maps(image)
        if self.levels is None:
            return maps
        return [maps[i] for i in self.levels if i < len(maps)] or maps[:1]

    def describe_whole(self, image: Tensor) -> Tensor:
        """Global descriptors of length 1: (B, C, H, W) to (B, G)."""
        return F.normalize(F.adaptive_avg_pool2d(self.maps(image)[-1], CELLS).flatten(1), dim=1)

    def maps(self, image: Tensor) -> list[Tensor]:
        self.get_ready()
        found: list[Tensor] = self.features[0].to(image.device)(image)
        return found

    def decode(self, features: Features, code: Tensor) -> Tensor:
        regressed, *found = features.state
        if not found:
            return regressed
        chosen = (code[:, 0] * len(self.outputs)).long().clamp(0, len(self.outputs) - 1).tolist()
        details = [compose(self.outputs[k], *row) for k, *row in zip(chosen, *found)]
        return regressed.clamp(-1, 1) + torch.stack(details)

    def decode_all(self, features: Features, code: Tensor) -> Tensor:
        """Decode code by code, without copying the search results for each."""
        return torch.stack([self.decode(features, codes) for codes in code.unbind(dim=1)], dim=1)


MEMORY = ("images", "smooth", "whole", "filters")


def make_room(module: PixelNN, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Resize the buffers: the number of images and their descriptor network are known only when they are loaded.

    Args:
        rest: further arguments of torch's hook; the last is its list of errors.
    """
    errors: list[str] = rest[-1]
    state.setdefault(prefix + "filters", module.filters[:0])  # older models did not save them
    for name in MEMORY:
        if prefix + name in state:
            setattr(module, name, torch.empty_like(state[prefix + name], device=getattr(module, name).device))
    filters, module.features = state[prefix + "filters"], ()
    if len(filters):
        network = build_unfilled(module.descriptor)
        weights = list(network.parameters())
        counts = [weight.numel() for weight in weights]
        if len(filters) != sum(counts):
            errors.append(f"filters has {len(filters)} values, but descriptor {module.descriptor} has {sum(counts)}")
            return
        for weight, values in zip(weights, filters.split(counts)):
            weight.data.copy_(values.view_as(weight))
        module.features = (network,)


def compose(output: Output, scores: Tensor, details: Tensor) -> Tensor:
    """Each pixel's detail from its nearest image: (T, R, H, W) and (T, R, C, H, W) to (C, H, W)."""
    images = slice(output.first, output.first + output.number)
    nearest = scores[output.window, images].argmax(dim=0)
    offered = details[output.window, images]
    return offered.gather(0, nearest.expand(1, offered.shape[1], -1, -1))[0]


def in_8_bits(images: Tensor) -> Tensor:
    """Images in [-1, 1] rounded to 8 bits, as in an image file."""
    return to_float(to_uint8(images.float()))


def resize_image(images: Tensor, size: Size) -> Tensor:
    """(1, C, H, W) at another size, or unchanged at its own."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True)


# (number of images, rank of the first), as released; with four windows these are 72 outputs
SETS = (*((1, i) for i in range(1, 11)), (3, 1), (3, 3), (3, 5), (3, 7), (3, 9), (5, 1), (5, 4), (5, 7))


class PixelNNConfig(GeneratorConfig):
    """Outputs in the released order: all sets with the first window, then all with the second, ..."""

    summary: ClassVar[str] = "a smooth regression, and details copied from training images"

    kind: Literal["pixelnn"] = "pixelnn"
    backbone: Annotated[CRNConfig | UNetConfig | ResNetConfig, Field(discriminator="kind")]
    descriptor: PerceptualKind = Field("vgg19", description="network whose feature maps describe a pixel")
    levels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, min_length=1, description="indices of the maps to use, from 0; default: all"
    )
    windows: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (1, 3, 5, WHOLE), min_length=1, description="sides of windows in pixels; 0: the whole image"
    )
    sets: tuple[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], ...] = Field(
        SETS, min_length=1, description="images that take part: their number and the rank of the first"
    )

    def build(self, randomness: Randomness, shapes: Shapes) -> PixelNN:
        backbone = self.backbone.build(randomness, shapes)
        if backbone.code_size:
            raise ConfigError("generator pixelnn varies what it copies, not what it regresses; randomness must be none")
        return PixelNN(backbone, self, shapes.image_channels)
