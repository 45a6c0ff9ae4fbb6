"""The toy problem of MR-GAN (Lee, Ha, Kim, ICLR 2019), appendix C: eight Gaussians on a ring, without a condition.

According to the paper, a three-layer perceptron trained with a GAN loss alone, or with GAN + L2, captures one of the
eight modes; with a moment reconstruction loss it captures all eight. The paper gives no sizes, learning rates or
weights; those in `Settings` were found by search. The learning rates are deliberately uneven, with the discriminator
learning more slowly: with equal rates a plain GAN often covers the whole ring by itself, and there is nothing to see.
All variants share everything but the extra term.

Axes: V variants, N points, B conditions (here all B are the same: none), S samples for each.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor, nn

from ..core.errors import ConfigError
from ..core.files import write_text
from ..losses.adversarial import discriminator_loss, generator_loss
from ..losses.moments import Family, Moments, mle
from ..losses.moments import moment_reconstruction_1 as mr1
from ..losses.moments import moment_reconstruction_2 as mr2
from ..losses.moments import proxy_reconstruction as proxy

logger = logging.getLogger(__name__)

MODES = 8
Term = Literal["none", "L2", "MR1", "MR2", "proxy MR1", "proxy MR2"]


@dataclass(frozen=True)
class Settings:
    """Settings shared by all variants; lengths are in units of the ring's radius."""

    deviation: float = 0.05  # standard deviation of a mode
    noise: int = 8  # generator inputs, standard normal
    width: int = 32  # of both hidden layers, in the generator and the discriminator
    batch: int = 128  # real points, and as many generated ones, per discriminator step
    conditions: int = 8  # B of a generator step
    samples: int = 32  # S
    weight: float = 0.3  # of the extra term, relative to 1 for the GAN
    generator_rate: float = 1e-3
    discriminator_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    min_noise: float = 1e-4  # added to the error inside MR2
    steps: int = 7000


SETTINGS = Settings()


class Variant(NamedTuple):
    """A GAN with one extra term, or none."""

    term: Term
    family: Family | None = None

    @property
    def name(self) -> str:
        plain = {"none": "GAN", "L2": "GAN + L2"}
        return plain.get(self.term) or f"{self.term}, {'Gaussian' if self.family == 'gaussian' else 'Laplace'}"


TERMS: tuple[Term, ...] = ("MR1", "MR2", "proxy MR1", "proxy MR2")
FAMILIES: tuple[Family, ...] = ("gaussian", "laplace")
VARIANTS = (Variant("none"), Variant("L2"), *(Variant(term, family) for family in FAMILIES for term in TERMS))


class Perceptrons(nn.Module):
    """V three-layer perceptrons in one batch: all start from the same weights and learn independently."""

    def __init__(self, count: int, sizes: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inner, outer in pairwise(sizes):
            for parameters, rows in ((self.weights, inner), (self.biases, 1)):
                start = (torch.rand(rows, outer, generator=generator) * 2 - 1) / math.sqrt(inner)
                parameters.append(start.repeat(count, 1, 1))

    def forward(self, points: Tensor) -> Tensor:
        """Map points (V, N, inputs), or (N, inputs) shared by all of them, to (V, N, outputs)."""
        points = points.expand(len(self.weights[0]), *points.shape[-2:])
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            points = torch.baddbmm(bias, points.relu() if layer else points, weight)
        return points


def centres() -> Tensor:
    """Return the means of the modes (8, 2), on a circle of radius 1."""
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def ring_points(count: int, generator: torch.Generator) -> Tensor:
    """Sample real points (N, 2); all modes are equally likely."""
    mode = torch.randint(MODES, (count,), generator=generator)
    return centres()[mode] + SETTINGS.deviation * torch.randn(count, 2, generator=generator)


class Coverage(NamedTuple):
    """How many modes the samples cover, and the fraction of samples that lie on any mode."""

    modes: int
    precision: float


def on_mode(points: Tensor) -> Tensor:
    """Return which of the points (N, 2) are on which mode: bool (N, 8)."""
    return torch.cdist(points, centres()) <= 3 * SETTINGS.deviation


def covers(points: Tensor) -> Tensor:
    """Return which modes are covered by the points (N, 2): bool (8,)."""
    return on_mode(points).float().mean(dim=0) >= 1 / (4 * MODES)


def coverage(points: Tensor) -> Coverage:
    """A point is on a mode within 3 standard deviations of it, as 98.9 % of real points are; precision is the share of
    points on any mode. A mode is covered if at least 1/32 of all points are on it, a quarter of its fair share.
    """
    modes, precise = covers(points).sum(), on_mode(points).any(dim=1).float().mean()
    return Coverage(int(modes), float(precise))


def predict(family: Family, points: Tensor, steps: int = 300) -> Moments:
    """Fit the predictor, which has no condition here: the maximum-likelihood centre and dispersion of points (N, 2).

    Both are (1, 2, 1, 1), learned with equation (7) or (8) on all points at once, then frozen.
    """
    image = points.view(-1, 2, 1, 1)
    centre, log_dispersion = (torch.zeros(1, 2, 1, 1, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.Adam([centre, log_dispersion], lr=0.05)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        mle(family, image, centre, log_dispersion).mean().backward()
        optimizer.step()
        decay.step()
    return Moments(centre.detach(), log_dispersion.detach().exp())


def extra_term(variant: Variant, real: Tensor, samples: Tensor, predicted: Moments) -> Tensor:
    """Return the term added to the GAN loss, a mean over conditions and coordinates; only proxies use `predicted`.

    `real` is (B, 2, 1, 1), `samples` (B, S, 2, 1, 1). Equations (3) and (10) to (12).
    """
    term, family = variant
    if term == "L2":
        return (real.unsqueeze(1) - samples).square().mean()
    if family is None:
        return samples.new_zeros(())
    if term == "MR1":
        return mr1(family, real, samples).mean()
    if term == "MR2":
        return mr2(family, real, samples, SETTINGS.min_noise).mean()
    errors = proxy(family, predicted if term == "proxy MR2" else Moments(predicted.centre, None), samples)
    return torch.stack([error.mean() for error in errors if error is not None]).sum()


def train(variants: Sequence[Variant], seed: int, steps: int) -> Tensor:
    """Train all variants on the same points and noise; returns 2,000 samples of each, (V, 2000, 2).

    Losses are summed over the variants, but the variants share no parameters and Adam works element-wise, so each one
    learns as it would alone.
    """
    rng = torch.Generator().manual_seed(seed)
    at_hand = ring_points(8192, rng)
    predicted = {family: predict(family, at_hand) for family in FAMILIES}
    generator = Perceptrons(len(variants), (SETTINGS.noise, SETTINGS.width, SETTINGS.width, 2), rng)
    discriminator = Perceptrons(len(variants), (2, SETTINGS.width, SETTINGS.width, 1), rng)
    players = ((generator, SETTINGS.generator_rate), (discriminator, SETTINGS.discriminator_rate))
    for_g, for_d = (torch.optim.Adam(net.parameters(), lr=rate, betas=SETTINGS.betas) for net, rate in players)

    def draw(count: int) -> Tensor:
        return generator(torch.randn(count, SETTINGS.noise, generator=rng))

    for _ in range(steps):
        real, fake = ring_points(SETTINGS.batch, rng), draw(SETTINGS.batch).detach()
        for_d.zero_grad()
        discriminator_loss(list(discriminator(real)), list(discriminator(fake)), "vanilla").backward()
        for_d.step()

        drawn = draw(SETTINGS.conditions * SETTINGS.samples)
        loss = generator_loss(list(discriminator(drawn)), "vanilla")
        some = real[: SETTINGS.conditions].view(-1, 2, 1, 1)
        for variant, own in zip(variants, drawn):
            samples = own.view(SETTINGS.conditions, SETTINGS.samples, 2, 1, 1)
            guide = predicted[variant.family or "gaussian"]
            loss = loss + SETTINGS.weight * extra_term(variant, some, samples, guide)
        for_g.zero_grad()
        loss.backward(inputs=list(generator.parameters()))
        for_g.step()
    return draw(2000).detach()


def ring(out: Path, seed: int = 0, steps: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Train the ten variants, count modes, write `ring.png` and `ring.json` to `out`; returns the latter's content."""
    steps = (20 if quick else SETTINGS.steps) if steps is None else steps
    if steps < 1:
        raise ConfigError(f"steps must be at least 1, got {steps}")
    logger.info(f"ring: {len(VARIANTS)} variants, {steps} steps")
    started = time.monotonic()
    samples = train(VARIANTS, seed, steps)
    seconds = time.monotonic() - started
    real = ring_points(2000, torch.Generator().manual_seed(seed))
    found = {variant.name: coverage(points) for variant, points in zip(VARIANTS, samples)}
    content: dict[str, Any] = {
        "variants": {
            # All are trained in one batch, so each is assigned an equal share of the time.
            name: {**one._asdict(), "seconds": round(seconds / len(VARIANTS), 2)}
            for name, one in found.items()
        },
        "real": coverage(real)._asdict(),
        "definition": " ".join((coverage.__doc__ or "").split()),
        "settings": {**asdict(SETTINGS), "steps": steps},
        "seed": seed,
        "seconds": round(seconds, 1),
        "versions": {name: version(name) for name in ("variegate", "torch")},
    }
    out.mkdir(parents=True, exist_ok=True)
    image(real, samples, seed, steps).save(out / "ring.png", optimize=True)
    write_text(out / "ring.json", json.dumps(content, indent=2))
    for name, one in found.items():
        logger.info(f"{name}: {one.modes} of {MODES} modes, {one.precision:.0%} of the samples on a mode")
    logger.info(f"see {out / 'ring.png'}")
    return content


SIDE, HEAD, GAP, DOT = 250, 50, 12, 1.6  # pixels: panel, its title, space right and below, radius of a point
FINE = 3  # supersampling factor, for smooth edges
REACH = 1.45  # the largest coordinate a panel shows
PAPER, FRAME, GREY, INK = "#ffffff", "#d9d9d9", "#bdbdbd", "#262626"
COLOURS = {None: "#d55e00", "gaussian": "#0072b2", "laplace": "#008f68"}  # colour-blind safe


def image(real: Tensor, samples: Tensor, seed: int, steps: int) -> Image.Image:
    """Render real data and the variants without a family in the first row, and one row per family below it."""
    sheet = Image.new("RGB", ((4 * SIDE - GAP) * FINE, (3 * (SIDE + HEAD) - GAP) * FINE), PAPER)
    panel(sheet, 0, "Real data", real, real, INK)
    for place, (variant, points) in enumerate(zip(VARIANTS, samples)):
        panel(sheet, place + (1 if place < 2 else 2), variant.name, real, points, COLOURS[variant.family])
    note = (
        f"Eight modes on a ring,\nwithout a condition.\n\nGrey: real points.\nColour: 500 samples.\n"
        f"Circle: a covered mode.\n\nSeed {seed}, {steps:,} steps."
    )
    corner = ((3 * SIDE + GAP) * FINE, HEAD * FINE)
    ImageDraw.Draw(sheet).multiline_text(corner, note, INK, font(15), spacing=6 * FINE)
    return ImageOps.expand(sheet.reduce(FINE), GAP, PAPER)


def panel(sheet: Image.Image, place: int, title: str, real: Tensor, points: Tensor, colour: str) -> None:
    """Draw a variant in cell `place` of a four-column sheet: title, count, real points, samples, covered modes."""
    left, top, found = place % 4 * SIDE * FINE, place // 4 * (SIDE + HEAD) * FINE, coverage(points)
    pen = ImageDraw.Draw(sheet)
    pen.text((left, top), title, colour, font(17))
    pen.text((left, top + 24 * FINE), f"{found.modes} of {MODES} modes, {found.precision:.0%} on a mode", INK, font(14))
    side = (SIDE - GAP) * FINE
    plot = Image.new("RGB", (side, side), PAPER)  # separate, so that points outside are clipped
    pen, scale = ImageDraw.Draw(plot), side / (2 * REACH)

    def circle(middle: Tensor, radius: float, **look: Any) -> None:
        x, y = side / 2 + float(middle[0]) * scale, side / 2 - float(middle[1]) * scale
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), **look)

    for dots, fill in ((real[:800], GREY), (points[:500], colour)):
        for dot in dots:
            circle(dot, DOT * FINE, fill=fill)
    for centre in centres()[covers(points)]:
        circle(centre, 3.6 * SETTINGS.deviation * scale, outline=colour, width=FINE)
    pen.rectangle((0, 0, side - 1, side - 1), outline=FRAME, width=FINE)
    sheet.paste(plot, (left, top + HEAD * FINE))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * FINE)
