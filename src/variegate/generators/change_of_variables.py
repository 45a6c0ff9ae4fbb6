"""The density of what an ordinary differential equation carries normal noise to (Chen et al., NeurIPS 2018).

    dx / dt = v(x_t, t)        log p(x_1) = log N(x_0) - integral of div v(x_t, t) dt

The divergence is exact, or estimated by random signs (Hutchinson, 1990).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]  # x (B, C, H, W) and time to dx / dt


def log_density(
    velocity: Velocity, x: Tensor, hole: Tensor | None, probes: int, steps: int, seed: int
) -> tuple[Tensor, Tensor]:
    """log p of x (B, C, H, W) in nats, and its standard error, both (B,), by Heun's method with even steps.

    Args:
        hole: bool (B, 1, H, W), the values that count; None: all.
        probes: random signs with which the divergence is estimated; 0: exactly, one pass per value.
        seed: of the signs.
    """
    stream = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (probes, *x.shape[1:]), generator=stream).to(x) * 2 - 1
    if not probes:
        signs = torch.eye(x[0].numel(), device=x.device).unflatten(1, x.shape[1:])
    total = torch.zeros(len(signs), len(x), device=x.device)
    step = 1 / steps
    for i in range(steps, 0, -1):
        slope, stretch = divergence(velocity, x, i * step, signs)
        back, more = divergence(velocity, x - step * slope, (i - 1) * step, signs)
        x, total = x - step / 2 * (slope + back), total + step / 2 * (stretch + more)
    normal = -0.5 * (x.square() + math.log(2 * math.pi))
    normal = (normal if hole is None else normal * hole).flatten(1).sum(1)
    if not probes:
        return normal - total.sum(0), torch.zeros_like(normal)
    error = total.std(dim=0) / math.sqrt(probes) if probes > 1 else torch.full_like(normal, math.inf)
    return normal - total.mean(0), error


def divergence(velocity: Velocity, x: Tensor, time: float, signs: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity at x (B, C, H, W), and sign . (dv / dx) sign for each of the signs (P, C, H, W): (P, B)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        slope = velocity(x, time)
        products = [
            torch.autograd.grad(slope, x, sign.expand_as(x), retain_graph=True)[0].mul(sign).flatten(1).sum(1)
            for sign in signs
        ]
    return slope.detach(), torch.stack(products)
