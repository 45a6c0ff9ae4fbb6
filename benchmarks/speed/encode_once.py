"""Many images of one condition: running the deterministic stages once, against the whole network for each image.

A row's `ratio` is the time of encoding once over the time allowed, which is that of whole runs divided by the bound
from multiply-adds. `speed_up` is the plain factor, `bound` the most that encoding once could give. "drawn" compares
`Model.sample` with as many runs of the whole network, as in public test scripts; the other rows isolate the effect of
encoding once by giving both sides the same batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from variegate.core.interfaces import Shapes, Size
from variegate.core.sampling import decode_in_chunks
from variegate.generators.crn import CRNConfig
from variegate.generators.resnet import ResNetConfig
from variegate.generators.staged import Staged
from variegate.generators.unet import UNetConfig
from variegate.randomness.basis_filters import BasisFiltersConfig
from variegate.randomness.noise_input import NoiseInputConfig
from variegate.randomness.noise_maps import NoiseMapsConfig

from .measure import LAYOUTS, bound, multiply_adds, processor_seconds, timed
from .results import Row, Settings, row

IMAGES = 20
LIMIT = 1.1
SLOW = 1.0  # maximum processor seconds of a pass at 256; slower networks are measured at 128
CONDITION_CHANNELS = 3


class Case(NamedTuple):
    name: str
    build: Callable[[Size], Staged]
    sizes: tuple[Size, ...]  # the first one at which a pass is not slow is used
    quick: Size


def unet(size: Size) -> Staged:
    """Build a U-Net with noise maps at the three innermost decoder layers, whatever its depth."""
    depth = UNetConfig.depth_for(size)
    sites = tuple(f"up{k}" for k in range(depth, max(depth - 3, 0), -1))
    width = 64 if min(size) > 64 else 4
    return UNetConfig(width=width).build(
        NoiseMapsConfig(sites=sites, channels=32).build(Shapes(CONDITION_CHANNELS, 3, size)),
        Shapes(CONDITION_CHANNELS, 3, size),
    )


def resnet(size: Size) -> Staged:
    width = 64 if min(size) > 64 else 4
    randomness = BasisFiltersConfig(sites=("block[789].conv2",)).build(Shapes(CONDITION_CHANNELS, 3, size))
    return ResNetConfig(width=width).build(randomness, Shapes(CONDITION_CHANNELS, 3, size))


def crn(size: Size) -> Staged:
    scale = 0.25 if min(size) > 64 else 1 / 128
    randomness = NoiseInputConfig().build(Shapes(CONDITION_CHANNELS, 3, size))
    return CRNConfig(scale=scale).build(randomness, Shapes(CONDITION_CHANNELS, 3, size))


CASES = (
    Case("unet, noise maps at the bottleneck", unet, ((256, 256), (128, 128)), (32, 32)),
    Case("resnet, basis filters in blocks 7-9", resnet, ((256, 256), (128, 128)), (16, 16)),
    Case("crn, noise at every level", crn, ((128, 256),), (16, 32)),
)


def rows(settings: Settings) -> list[Row]:
    layouts = list(LAYOUTS) if settings.every else ["channels_last"]
    return [r for case in CASES for layout in layouts for r in measure(case, layout, settings)]


@torch.no_grad()
def measure(case: Case, layout: str, settings: Settings) -> list[Row]:
    network, size = built(case, layout, settings)
    images = 4 if settings.quick else IMAGES
    condition = picture(size, layout, settings.seed)
    codes = network.draw([(settings.seed, index) for index in range(images)])
    prefix = multiply_adds(lambda: network.encode(condition))
    total = multiply_adds(lambda: network(condition, codes[None, :1]))
    most = bound(prefix, total, images)
    runs = runs_before_first_site(network, condition, codes)
    shared = {
        "layout": layout,
        "size": list(size),
        "images": images,
        "multiply_adds": total,
        "multiply_adds_prefix": prefix,
        "bound": most,
        "prefix_stages": len(network.deterministic),
        "prefix_runs": sorted(set(runs.values())),  # [1]: every stage before the first site ran once
    }
    together = shared | {"time_bound": time_bound(network, condition, codes, settings)}
    found = []
    for batching, chunk, limit, whole in (
        ("drawn", 16, LIMIT, lambda: one_by_one(network, condition, codes)),
        ("both in one batch", images, LIMIT, lambda: one_batch(network, condition, codes)),
        ("both one by one", 1, None, lambda: one_by_one(network, condition, codes)),
    ):
        taken = settings.compare(
            lambda chunk=chunk: decode_in_chunks(network, condition, codes, chunk),  # type: ignore[misc]
            whole,
        )
        details = {**taken.details("once", "whole"), "spread": [most * value for value in taken.spread]}
        facts = together if chunk == 1 else shared
        case_name = f"{case.name}; {batching}"
        found.append(row(case_name, taken.ratio * most, limit, speed_up=1 / taken.ratio, **facts, **details))
    return found


def time_bound(network: Staged, condition: Tensor, codes: Tensor, settings: Settings) -> float:
    """Return the bound from seconds of single images instead of multiply-adds; the two need not be proportional."""
    code = codes[None, :1]
    share = settings.compare(lambda: network.encode(condition), lambda: network(condition, code)).ratio
    return len(codes) / (share + len(codes) * (1 - share))


def built(case: Case, layout: str, settings: Settings) -> tuple[Staged, Size]:
    """Build the network at the largest size that is not slow."""
    for size in (case.quick,) if settings.quick else case.sizes:
        torch.manual_seed(settings.seed)
        network = case.build(size).eval().to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload]
        if settings.quick or fastest_pass(network, picture(size, layout, settings.seed)) < SLOW:
            break
    return network, size


def fastest_pass(network: Staged, condition: Tensor) -> float:
    code = network.draw([(0, 0)])[None]
    return min(timed(lambda: network(condition, code), processor_seconds) for _ in range(3))


def picture(size: Size, layout: str, seed: int) -> Tensor:
    noise = torch.rand(1, CONDITION_CHANNELS, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return noise.contiguous(memory_format=LAYOUTS[layout])


def one_by_one(network: Staged, condition: Tensor, codes: Tensor) -> list[Tensor]:
    return [network(condition, code[None, None]) for code in codes]


def one_batch(network: Staged, condition: Tensor, codes: Tensor) -> Tensor:
    """Generate all images in one batch; the condition is repeated in it, so every stage runs for every image."""
    repeated = condition.expand(len(codes), -1, -1, -1)
    images: Tensor = network(repeated, codes[:, None])
    return images


def runs_before_first_site(network: Staged, condition: Tensor, codes: Tensor) -> Counter[str]:
    """Count how often each stage before the first site runs while the library generates all images."""
    counts: Counter[str] = Counter()
    names = list(network.stages)[: network.split]

    def counting(name: str) -> Callable[..., None]:
        return lambda *_: counts.update([name])

    handles = [network.stages[name].register_forward_hook(counting(name)) for name in names]
    decode_in_chunks(network, condition, codes)
    for handle in handles:
        handle.remove()
    return counts
