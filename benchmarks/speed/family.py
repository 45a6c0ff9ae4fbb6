"""The adversarial family against plain loops over the same networks: 20 images of one condition, a training step.

Sampling: the procedure of `Model.sample` against one run of the whole network per image at a batch size of one, as in
public test scripts. `ratio` is our time over the time allowed by the bound from multiply-adds (see `encode_once`),
`speed_up` the plain factor; a second row checks that sampling is never slower than the plain loop.

Training: the library's step against a step as written in the public scripts: one whole run of the generator for each of
its images, discriminators frozen and unfrozen by hand, PyTorch's default Adam.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from variegate.core.config import Training
from variegate.core.interfaces import Batch, Generator, Objective, Shapes
from variegate.core.method import Method
from variegate.core.sampling import decode_in_chunks
from variegate.losses.adversarial import generator_loss, towards
from variegate.methods import method
from variegate.networks.discriminators.patch import logits
from variegate.training.moves import update
from variegate.training.state import optimizer_for

from .encode_once import one_by_one
from .measure import LAYOUTS, bound, multiply_adds
from .results import Row, Settings, row

IMAGES = 20
LIMIT, NEVER_SLOWER = 1.1, 1.0
CHANNELS = 3  # of conditions and images
DRAWING: dict[str, dict[str, Any]] = {
    "pix2pix": {},
    "pix2pixhd": {"noise": "input"},
    "bicyclegan": {},
    "basisgan": {},
    "munit": {},
}  # msgan and dsgan use bicyclegan's network
TRAINING = ("pix2pix", "bicyclegan")


def rows(settings: Settings) -> list[Row]:
    drawn = [r for name, options in DRAWING.items() for r in drawing(name, options, settings)]
    return drawn + [training(name, settings) for name in TRAINING]


def small(name: str, settings: Settings) -> tuple[dict[str, Any], int]:
    """Return options and side: full width at 128 pixels, but half for pix2pixHD, whose 182 million parameters suit
    larger images."""
    if settings.quick:
        return {"width": 4, **({"generator.blocks": 1} if name in ("basisgan", "munit", "pix2pixhd") else {})}, 64
    return ({"width": 32} if name == "pix2pixhd" else {}), 128


def built(name: str, options: dict[str, Any], settings: Settings) -> tuple[Method, Generator, int]:
    narrow, side = small(name, settings)
    chosen = method(name, {**options, **narrow})
    torch.manual_seed(settings.seed)
    generator = chosen.build_generator(Shapes(CHANNELS, CHANNELS, (side, side)))
    return chosen, generator.to(memory_format=LAYOUTS["channels_last"]), side  # type: ignore[call-overload]


def pictures(count: int, side: int, seed: int) -> Tensor:
    noise = torch.rand(count, CHANNELS, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return noise.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def drawing(name: str, options: dict[str, Any], settings: Settings) -> list[Row]:
    _, generator, side = built(name, options, settings)
    generator.eval()
    images = 4 if settings.quick else IMAGES
    condition = pictures(1, side, settings.seed)
    codes = generator.draw([(settings.seed, index) for index in range(images)])
    prefix = multiply_adds(lambda: generator.encode(condition))
    whole = multiply_adds(lambda: generator(condition, codes[None, :1]))
    most = bound(prefix, whole, images)
    taken = settings.compare(
        lambda: decode_in_chunks(generator, condition, codes),
        lambda: one_by_one(generator, condition, codes),  # type: ignore[arg-type]
    )
    shared = {
        "size": [side, side],
        "images": images,
        "multiply_adds": whole,
        "bound": most,
        "speed_up": 1 / taken.ratio,
    }
    details = shared | taken.details("ours", "plain")
    scaled = {**details, "spread": [most * value for value in taken.spread]}
    return [
        row(f"{name}, {images} images, against the bound", taken.ratio * most, LIMIT, **scaled),
        row(f"{name}, {images} images, against the plain loop", taken.ratio, NEVER_SLOWER, **details),
    ]


def training(name: str, settings: Settings) -> Row:
    """Two copies of everything, so that both sides start from the same weights and neither moves the other's."""
    sides = []
    for plain in (False, True):
        chosen, generator, side = built(name, {}, settings)
        objective = chosen.build_objective(Shapes(CHANNELS, CHANNELS, (side, side)))
        objective.to(memory_format=LAYOUTS["channels_last"])  # type: ignore[call-overload]
        batch = batch_of(chosen.training.batch_size, side, settings.seed)
        make = PLAIN[name] if plain else ours
        sides.append(make(generator.train(), objective.train(), batch, chosen.training))
    taken = settings.compare(*sides, seconds=10.0)
    case = f"{name}, training step, batch {len(batch.image)}"
    return row(case, taken.ratio, NEVER_SLOWER, size=[side, side], **taken.details("ours", "plain"))


def batch_of(count: int, side: int, seed: int) -> Batch:
    index = torch.arange(count)
    return Batch(pictures(count, side, seed), pictures(count, side, seed + 1), index, index + 1)


def ours(
    generator: Generator, objective: Objective, batch: Batch, settings: Training, at: int = 0
) -> Callable[[], None]:
    """Return the library's step number `at`."""
    fabric = Fabric(accelerator="cpu", devices=1)
    players = {name: list(own) for name, own in objective.players(generator).items()}
    optimizers: dict[str, Any] = {
        name: fabric.setup_optimizers(optimizer_for(name, own, settings)) for name, own in players.items()
    }

    def step() -> None:
        for losses in objective.updates(generator, batch, at):
            update(fabric, losses, players, optimizers, settings)

    return step


def adam(*modules: nn.Module) -> torch.optim.Adam:
    parameters = itertools.chain.from_iterable(module.parameters() for module in modules)
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))


def frozen(module: nn.Module, yes: bool) -> None:
    for parameter in module.parameters():
        parameter.requires_grad_(not yes)


def drawn(generator: Generator, condition: Tensor, code: Tensor) -> Tensor:
    image: Tensor = generator(condition, code[:, None])[:, 0]
    return image


def verdict(discriminator: nn.Module, condition: Tensor | None, image: Tensor, target: float, mode: Any) -> Tensor:
    return torch.stack([towards(m, target, mode) for m in logits(discriminator(condition, image))]).sum()


def plain_pix2pix(generator: Generator, objective: Any, batch: Batch, settings: Training) -> Callable[[], None]:
    judge, condition, image = objective.discriminator, batch.condition, batch.image
    of_generator, of_judge = adam(generator), adam(judge)

    def step() -> None:
        fake = drawn(generator, condition, generator.draw_for(batch.key, 1)[:, 0])
        frozen(judge, False)
        of_judge.zero_grad()
        real = verdict(judge, condition, image, 1.0, "vanilla")
        ((real + verdict(judge, condition, fake.detach(), 0.0, "vanilla")) / 2).backward()
        of_judge.step()
        frozen(judge, True)
        of_generator.zero_grad()
        fooled = generator_loss(logits(judge(condition, fake)), "vanilla")
        (fooled + 100 * F.l1_loss(fake, image)).backward()
        of_generator.step()

    return step


def plain_bicyclegan(generator: Generator, objective: Any, batch: Batch, settings: Training) -> Callable[[], None]:
    judges, encoder = (objective.discriminator, objective.discriminator2), objective.posterior
    half = len(batch.image) // 2
    condition, image, other = batch.condition[:half], batch.image[:half], batch.image[half:]
    of_generator, of_encoder = adam(generator), adam(encoder)
    of_judges = [adam(judge) for judge in judges]

    def step() -> None:
        random, noise = generator.draw_for(batch.key[:half], 2).unbind(1)
        mean, log_variance = encoder(image)
        fakes = [
            drawn(generator, condition, mean + noise * (log_variance / 2).exp()),
            drawn(generator, condition, random),
        ]
        found = encoder(fakes[1])[0]
        for judge in judges:
            frozen(judge, True)
        of_generator.zero_grad()
        of_encoder.zero_grad()
        fooled = sum(verdict(judge, None, fake, 1.0, "lsgan") for judge, fake in zip(judges, fakes))
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        (fooled + 10 * F.l1_loss(fakes[0], image) + 0.01 * kl).backward(retain_graph=True)
        frozen(encoder, True)
        (0.5 * F.l1_loss(found, random)).backward(inputs=list(generator.parameters()))
        frozen(encoder, False)
        of_generator.step()
        of_encoder.step()
        for judge, optimizer, real, fake in zip(judges, of_judges, (image, other), fakes):
            frozen(judge, False)
            optimizer.zero_grad()
            loss = verdict(judge, None, real, 1.0, "lsgan") + verdict(judge, None, fake.detach(), 0.0, "lsgan")
            loss.backward()
            optimizer.step()

    return step


PLAIN: dict[str, Callable[..., Callable[[], None]]] = {"pix2pix": plain_pix2pix, "bicyclegan": plain_bicyclegan}
