"""BasisGAN's generator against its host, pix2pix's ResNet: time of one image and of a batch, size, training memory.

Every `ratio` is BasisGAN over host. BasisGAN's times include drawing the codes.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from variegate.core.interfaces import Generator, Shapes
from variegate.core.method import Method
from variegate.methods.basisgan import basisgan
from variegate.methods.pix2pix import pix2pix

from .measure import LAYOUTS, Task, parameters, peak_bytes
from .results import Row, Settings, row

LIMIT_ONE, LIMIT_BATCH = 1.05, 1.15
BATCH = 16


def rows(settings: Settings) -> list[Row]:
    width = 4 if settings.quick else 64
    ours = basisgan(width=width)
    host = pix2pix(noise="none", backbone="resnet", width=width)
    sides = (16,) if settings.quick else (128, 256)
    layouts = list(LAYOUTS) if settings.every else ["channels_last"]
    cases = [(side, batch) for side in sides for batch in (1, BATCH) if settings.every or side < 256 or batch == 1]
    found = [size(ours, host)]
    found += [speed(ours, host, side, batch, layout, settings) for layout in layouts for side, batch in cases]
    return found + [memory(ours, host, side, batch, settings.seed) for side in sides for batch in (1, 4)]


def size(ours: Method, host: Method) -> Row:
    counts = [parameters(built(method, 64, 0)) for method in (ours, host)]
    return row("parameters, millions", counts[0] / counts[1], 1.0, basisgan=counts[0] / 1e6, host=counts[1] / 1e6)


@torch.no_grad()
def speed(ours: Method, host: Method, side: int, batch: int, layout: str, settings: Settings) -> Row:
    tasks = [drawing(method, side, batch, layout, settings.seed) for method in (ours, host)]
    timed = settings.compare(*tasks, seconds=5.0)
    name = "one image" if batch == 1 else f"batch of {batch}"
    limit = LIMIT_ONE if batch == 1 else LIMIT_BATCH
    a, b = timed.seconds
    details = {"layout": layout, "basisgan": a, "host": b, "spread": timed.spread, "pairs": timed.pairs}
    return row(f"{name}, {side}x{side}, seconds", timed.ratio, limit, **details)


def built(method: Method, side: int, seed: int, layout: str = "channels_last") -> Generator:
    torch.manual_seed(seed)
    return method.build_generator(Shapes(3, 3, (side, side))).to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload]


def drawing(method: Method, side: int, batch: int, layout: str, seed: int) -> Task:
    """Return a task that generates `batch` images of as many conditions, each with its own code."""
    network = built(method, side, seed, layout).eval()
    condition = torch.rand(batch, 3, side, side).mul(2).sub(1).contiguous(memory_format=LAYOUTS[layout])
    seeds = [(seed, index) for index in range(batch)]
    return lambda: network(condition, network.draw(seeds)[:, None])


def memory(ours: Method, host: Method, side: int, batch: int, seed: int) -> Row:
    """Measure training memory; the paper does so at batch 1 and finds BasisGAN slightly below its host (Table A.2)."""
    peaks = [peak_bytes(lambda m=method: train(m, side, batch, seed)) for method in (ours, host)]  # type: ignore[misc]
    limit = 1.0 if batch == 1 else None
    case = f"training memory, {side}x{side}, batch {batch}, megabytes"
    return row(case, peaks[0] / peaks[1], limit, basisgan=peaks[0] / 1e6, host=peaks[1] / 1e6)


def train(method: Method, side: int, batch: int, seed: int) -> None:
    """Train for two steps from scratch: like all later ones, the second starts with Adam's moments in memory."""
    network = built(method, side, seed).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
    condition, image = torch.rand(2, batch, 3, side, side)
    for step in range(2):
        codes = network.draw([(seed, step * batch + index) for index in range(batch)])[:, None]
        optimizer.zero_grad()
        F.l1_loss(network(condition, codes)[:, 0], image).backward()
        optimizer.step()
