"""BasisGAN's generator against its hosts, pix2pix's ResNet and pix2pixHD's global network: time, size, training memory.

Every `ratio` is BasisGAN over host. BasisGAN's times include drawing the codes.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from variegate.core.interfaces import Generator, Shapes, Size
from variegate.core.method import Method
from variegate.methods.basisgan import basisgan, basisgan_hd
from variegate.methods.pix2pix import pix2pix
from variegate.methods.pix2pixhd import pix2pixhd

from .measure import LAYOUTS, Task, parameters, peak_bytes
from .results import Row, Settings, row

LIMIT_ONE, LIMIT_BATCH, LIMIT_HD = 1.05, 1.15, 1.1  # in Table A.2: 1.01 and, of pix2pixHD, 1.08
BATCH = 16
Pair = tuple[Method, Method]  # BasisGAN and its host


def rows(settings: Settings) -> list[Row]:
    width = 4 if settings.quick else 64
    pair = basisgan(width=width), pix2pix(noise="none", backbone="resnet", width=width)
    large = basisgan_hd(width=width), pix2pixhd(width=width)
    sides = (16,) if settings.quick else (128, 256)
    layouts = list(LAYOUTS) if settings.every else ["channels_last"]
    cases = [(side, batch) for side in sides for batch in (1, BATCH) if settings.every or side < 256 or batch == 1]
    found = [size(pair)]
    found += [speed(pair, (side, side), batch, layout, settings) for layout in layouts for side, batch in cases]
    found += [memory(pair, (side, side), batch, settings.seed) for side in sides for batch in (1, 4)]
    wide = (32, 64) if settings.quick else (128, 256)
    hd = [
        size(large),
        speed(large, wide, 1, "channels_last", settings, LIMIT_HD),
        memory(large, wide, 1, settings.seed),
    ]
    return found + [one | {"case": f"HD, {one['case']}"} for one in hd]


def size(pair: Pair) -> Row:
    counts = [parameters(built(method, (64, 64), 0)) for method in pair]
    return row("parameters, millions", counts[0] / counts[1], 1.0, basisgan=counts[0] / 1e6, host=counts[1] / 1e6)


@torch.no_grad()
def speed(pair: Pair, image: Size, batch: int, layout: str, settings: Settings, limit: float = LIMIT_ONE) -> Row:
    tasks = [drawing(method, image, batch, layout, settings.seed) for method in pair]
    timed = settings.compare(*tasks, seconds=5.0 if limit == LIMIT_ONE else 20.0)  # a large network is timed as often
    name = "one image" if batch == 1 else f"batch of {batch}"
    a, b = timed.seconds
    details = {"layout": layout, "basisgan": a, "host": b, "spread": timed.spread, "pairs": timed.pairs}
    most = limit if batch == 1 else LIMIT_BATCH
    return row(f"{name}, {image[0]}x{image[1]}, seconds", timed.ratio, most, **details)


def built(method: Method, image: Size, seed: int, layout: str = "channels_last") -> Generator:
    torch.manual_seed(seed)
    return method.build_generator(Shapes(3, 3, image)).to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload]


def drawing(method: Method, image: Size, batch: int, layout: str, seed: int) -> Task:
    """Return a task that generates `batch` images of as many conditions, each with its own code."""
    network = built(method, image, seed, layout).eval()
    condition = torch.rand(batch, 3, *image).mul(2).sub(1).contiguous(memory_format=LAYOUTS[layout])
    seeds = [(seed, index) for index in range(batch)]
    return lambda: network(condition, network.draw(seeds)[:, None])


def memory(pair: Pair, image: Size, batch: int, seed: int) -> Row:
    """Measure training memory; the paper does so at batch 1 and finds BasisGAN slightly below its host (Table A.2)."""
    peaks = [peak_bytes(lambda m=method: train(m, image, batch, seed)) for method in pair]  # type: ignore[misc]
    limit = 1.0 if batch == 1 else None
    case = f"training memory, {image[0]}x{image[1]}, batch {batch}, megabytes"
    return row(case, peaks[0] / peaks[1], limit, basisgan=peaks[0] / 1e6, host=peaks[1] / 1e6)


def train(method: Method, image: Size, batch: int, seed: int) -> None:
    """Train for two steps from scratch: like all later ones, the second starts with Adam's moments in memory."""
    network = built(method, image, seed).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
    condition, real = torch.rand(2, batch, 3, *image)
    for step in range(2):
        codes = network.draw([(seed, step * batch + index) for index in range(batch)])[:, None]
        optimizer.zero_grad()
        F.l1_loss(network(condition, codes)[:, 0], real).backward()
        optimizer.step()
