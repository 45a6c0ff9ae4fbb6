"""How different the images of one condition are: pairwise LPIPS, embedding each image only once, or pixel distance.

Where only a hole is to be filled, both are of the pixels inside it: those around it are the same in all samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import islice, repeat

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...core.errors import DataError
from ...networks.features import feature_maps, lpips_weights
from ...runs.measured import Measured, Protocol, libraries
from ..protocols import NamedProtocol, Pairing, named_protocol
from .fidelity import pixels_of

Embedding = list[Tensor]  # one (n, F_l) per layer

# LPIPS v0.1 (richzhang/PerceptualSimilarity, ScalingLayer), for images in [-1, 1]; v0.0 left it out.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
BLOCK = 1 << 15  # columns processed together for a Gram matrix, so that they stay in the processor's cache
STRIP = 1 << 10  # columns summed in single precision before they are added to the double-precision total


class Distance(nn.Module, ABC):
    """A distance between images that is computed from one embedding per image."""

    name: str
    unit: str

    @abstractmethod
    def embed(self, images: Tensor, where: Tensor | None = None) -> Embedding:
        """Embed images (n, 3, H, W) in [-1, 1] for the distance.

        Args:
            where: the pixels (H, W) that count, bool; None: all.
        """

    @abstractmethod
    def pairwise(self, embedding: Embedding) -> Tensor:
        """All distances of n embedded images: (n, n), symmetric, zero diagonal, float64 if the device supports it."""

    @abstractmethod
    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances between corresponding images: (n, 3, H, W) and (n, 3, H, W) in [-1, 1] to (n,)."""

    @abstractmethod
    def protocol(self) -> Protocol:
        """The part of the protocol that does not depend on images."""


class LPIPS(Distance):
    """Learned perceptual distance (Zhang et al. 2018, eq. 1), equal to the package lpips.

    Features are unit-normalised over channels and multiplied by sqrt(w_l / (H_l W_l)), so that the distance of two
    images is sum_l ||e_l - e'_l||^2 and all pairs follow from one Gram matrix.

    Of some pixels, it is the mean over them of the map that the package gives with spatial=True. The network sees whole
    images, so a hole may have any shape and size; a crop to the hole's bounding box would be too small for the network
    in small images, and its border would be one that no image has.
    """

    unit = "LPIPS"
    shift: Tensor
    scale: Tensor

    def __init__(self, net: str = "alex", version: str = "0.1") -> None:
        super().__init__()
        self.net, self.version = net, version
        self.name = "lpips" if net == "alex" else f"lpips_{net}"
        linear = lpips_weights(net, version)
        self.maps = feature_maps(net).to(memory_format=torch.channels_last)
        self.roots = nn.ParameterList([value.sqrt() for value in linear.state.values()]).requires_grad_(False)
        self.digests = {f"{net} ({self.maps.source})": self.maps.digest, linear.source: linear.digest}
        shift, scale = (SHIFT, SCALE) if version == "0.1" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("shift", torch.tensor(shift).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor(scale).view(3, 1, 1))

    @torch.no_grad()
    def embed(self, images: Tensor, where: Tensor | None = None) -> Embedding:
        """Images (n, 3, H, W) in [-1, 1] to one (n, H_l W_l C_l) per tap."""
        check_images(images)
        scaled = ((images - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        return [self.flatten(features, root, where) for features, root in zip(self.maps(scaled), self.roots)]

    @staticmethod
    def flatten(features: Tensor, root: Tensor, where: Tensor | None = None) -> Tensor:
        """(n, C, H, W) to (n, H W C): unit length over channels, then the root of weight times `shares`. In place."""
        plane = features.permute(0, 2, 3, 1)  # already in this order in memory, so reducing over channels is fast
        norm = torch.linalg.vector_norm(plane, dim=-1, keepdim=True).add_(1e-10)
        plane.div_(norm).mul_(root / (plane.shape[1] * plane.shape[2]) ** 0.5)
        if where is not None:
            cells = shares(where.to(plane.device), (plane.shape[1], plane.shape[2]))
            plane.mul_((cells * cells.numel()).sqrt().unsqueeze(-1))
        return plane.flatten(1)

    @torch.no_grad()
    def pairwise(self, embedding: Embedding) -> Tensor:
        return torch.stack([squared_distances(layer) for layer in embedding]).sum(dim=0)

    @torch.no_grad()
    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        both = zip(self.embed(a), self.embed(b))
        return torch.stack([(x - y).square().sum(dim=1, dtype=accumulator(x)) for x, y in both]).sum(dim=0)

    def protocol(self) -> Protocol:
        return Protocol(
            name=self.name,
            metric=f"LPIPS v{self.version}, network {self.net}",
            libraries=libraries("lpips", "torchvision", "torch"),
            extractor=f"torchvision {self.net}",
            weights=self.digests,
            value_range="[-1, 1]",
        )


class Pixel(Distance):
    """Mean absolute difference of pixels, images scaled to [0, 1]; needs no weights."""

    name = "pixel"
    unit = "mean |difference| in [0, 1]"

    def embed(self, images: Tensor, where: Tensor | None = None) -> Embedding:
        check_images(images)
        return [pixels_of(images, where).flatten(1) / 2]  # differences of [-1, 1] become differences of [0, 1]

    def pairwise(self, embedding: Embedding) -> Tensor:
        (values,) = embedding
        return torch.cdist(values.to(accumulator(values)), values.to(accumulator(values)), p=1) / values.shape[1]

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        (x,), (y,) = self.embed(a), self.embed(b)
        return (x - y).abs().mean(dim=1, dtype=accumulator(x))

    def protocol(self) -> Protocol:
        metric = "mean absolute difference over pixels and channels"
        return Protocol(name=self.name, metric=metric, libraries=libraries("torch"), value_range="[0, 1]")


def shares(where: Tensor, cells: tuple[int, int]) -> Tensor:
    """How much each cell of a map counts in the mean over pixels `where` (H, W) of its bilinear enlargement; sum 1."""

    def mean(plane: Tensor) -> Tensor:
        enlarged = F.interpolate(plane[None, None], where.shape, mode="bilinear", align_corners=False)
        return enlarged[0, 0][where].mean()

    found: Tensor = torch.func.grad(mean)(torch.zeros(cells, device=where.device))
    return found


def check_images(images: Tensor) -> None:
    """Raise DataError for images that a distance would silently misread."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(
            f"images must have shape (n, 3, H, W), got {tuple(images.shape)}; repeat a grey channel three times"
        )
    # the margin allows for overshoot from resizing; values of 0..255 are far outside it
    if images.numel() and images.abs().amax() > 1.5:
        raise DataError(f"images must be in [-1, 1], got values up to {float(images.abs().amax()):.3g}")


def accumulator(values: Tensor) -> torch.dtype:
    """Double precision, except on Apple's GPUs, which do not support it."""
    return torch.float32 if values.device.type == "mps" else torch.float64


def squared_distances(rows: Tensor) -> Tensor:
    """||r_i - r_j||^2 of all rows (n, F) from one Gram matrix: (n, n).

    The first row is subtracted from all; otherwise, cancellation would lose the small distances of a collapsed
    generator.
    """
    gram = torch.zeros(len(rows), len(rows), dtype=accumulator(rows), device=rows.device)
    for block in rows.split(BLOCK, dim=1):
        moved = block - block[0]
        whole = moved.shape[1] // STRIP * STRIP
        strips = moved[:, :whole].unflatten(1, (-1, STRIP)).transpose(0, 1)  # (strips, n, STRIP)
        gram += torch.bmm(strips, strips.transpose(1, 2)).sum(dim=0, dtype=gram.dtype)
        gram += moved[:, whole:] @ moved[:, whole:].T
    squares = gram.diagonal()
    # a matrix product may be asymmetric in its last bit; distances must not be
    distances = (squares[:, None] + squares[None, :] - gram - gram.T).clamp_(min=0)
    return distances.fill_diagonal_(0)


def choose_pairs(samples: int, pairing: Pairing, pairs: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """First and second members of the pairs of 0 .. samples-1; random ones are distinct and depend on `seed` only."""
    if samples < 2:
        raise DataError(f"diversity needs at least 2 samples per condition, got {samples}")
    if pairing == "consecutive":
        return np.arange(samples - 1), np.arange(1, samples)
    if pairing == "disjoint":
        first = np.arange(0, samples - 1, 2)
        return first, first + 1
    first, second = np.triu_indices(samples, k=1)
    if pairing == "random":
        count = len(first) if pairs is None else pairs
        if count > len(first):
            raise DataError(f"pairs must be at most {len(first)} for {samples} samples, got {count}")
        chosen = np.sort(np.random.default_rng(seed).choice(len(first), size=count, replace=False))
        return first[chosen], second[chosen]
    return first, second


def pairwise_diversity(
    images: Tensor,
    metric: Distance,
    pairs: Pairing | int = "all",
    seed: int = 0,
    batch: int = 32,
    where: Tensor | None = None,
) -> float:
    """Mean distance over pairs of the samples of one condition, (S, 3, H, W) in [-1, 1].

    Args:
        pairs: "all", "consecutive" or "disjoint", or the number of random pairs.
        batch: images embedded at a time.
        where: the pixels (H, W) that count, bool; None: all.
    """
    count = pairs if isinstance(pairs, int) else None
    pairing: Pairing = "random" if isinstance(pairs, int) else pairs
    first, second = choose_pairs(len(images), pairing, count, seed)
    chunks = [metric.embed(chunk, where) for chunk in images.split(batch)]
    embedding = [torch.cat(layer) for layer in zip(*chunks)] if len(chunks) > 1 else chunks[0]
    return float(metric.pairwise(embedding).cpu()[first, second].mean())


def diversity(
    conditions: Iterable[Tensor],
    metric: Distance,
    preset: NamedProtocol | str = "default",
    seed: int = 0,
    holes: Iterable[Tensor | None] = repeat(None),
) -> Measured:
    """Mean over conditions of the mean distance of their samples, with a 95 % interval; higher is more diverse.

    Args:
        conditions: the samples of one condition at a time, (S, 3, H, W) in [-1, 1]; an iterator saves memory. Stops at
            the preset's number of inputs; if there are fewer, the protocol says so.
        preset: which pairs to compare, and how many samples of each condition.
        holes: the pixels (H, W) that count, one of each condition; None: all.

    Raises:
        DataError: a condition has fewer samples than the preset requires, or leaves no pixel open.
    """
    chosen = named_protocol(preset) if isinstance(preset, str) else preset
    values: list[float] = []
    size: tuple[int, int] | None = None
    for index, (images, hole) in enumerate(islice(zip(conditions, holes), chosen.inputs)):
        if len(images) < chosen.samples:
            raise DataError(f"condition {index} has {len(images)} samples, but {chosen.name!r} needs {chosen.samples}")
        if hole is not None and not hole.any():
            raise DataError(f"diversity needs pixels that are not given, but condition {index} has no hole")
        size = (images.shape[-2], images.shape[-1])
        pairs = chosen.count() if chosen.pairing == "random" else chosen.pairing
        values.append(pairwise_diversity(images[: chosen.samples], metric, pairs, seed + index, where=hole))
    protocol = complete(metric.protocol(), chosen, len(values), size, seed)
    return Measured.mean(values, unit=metric.unit, better="higher", protocol=protocol)


def complete(record: Protocol, preset: NamedProtocol, inputs: int, size: tuple[int, int] | None, seed: int) -> Protocol:
    """Complete the metric's protocol with the preset and the properties of the images."""
    notes = [*preset.notes()]
    if preset.inputs is not None and inputs < preset.inputs:
        notes.append(f"{inputs} inputs instead of the {preset.inputs} of the protocol {preset.name!r}")
    changes = {
        "name": f"{record.name}/{preset.name}",
        "inputs": inputs,
        "samples": preset.samples,
        "pairs": f"{preset.count()} {preset.pairing}",
        "seed": seed if preset.pairing == "random" else None,
        "size": size,
        "notes": (*record.notes, *notes),
    }
    return record.model_copy(update=changes)
