"""Auto-encoders: whether the vector is used, and what squared error makes of what it leaves open."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from variegate.core.capabilities import HasLikelihood
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Generator, Shapes
from variegate.methods import method
from variegate.networks.pixelcnn.bottleneck import Bottleneck

SIZE = (8, 8)


def pictures(count: int, seed: int = 0) -> Tensor:
    """Plain images of one random colour each, with a texture of two levels that no vector can tell: (B, 3, H, W)."""
    rng = torch.Generator().manual_seed(seed)
    colour = torch.randint(2, 14, (count, 3, 1, 1), generator=rng)
    texture = torch.randint(0, 2, (count, 1, *SIZE), generator=rng)
    level = (colour + texture).float()
    return (level * 17) / 127.5 - 1  # 4-bit levels


def trained(name: str, steps: int, **options: str) -> Generator:
    torch.manual_seed(0)
    preset = method(name, {"encoder_scale": 0.2, "bottleneck": 3, **options})
    generator, objective = preset.build_generator(Shapes(3, 3, SIZE)), preset.build_objective(Shapes(3, 3, SIZE))
    optimiser = torch.optim.Adam(generator.parameters(), 4e-3)
    for step in range(steps):
        images, numbers = pictures(32, 1 + step), torch.arange(32)
        for losses in objective.updates(generator, Batch(images, images, numbers, numbers), step):
            optimiser.zero_grad()
            sum(losses["generator"].values(), torch.zeros(())).backward()
            optimiser.step()
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def decoder() -> Generator:
    small = {"layers": 2, "width": 12, "bits": 4, "generator.first_filter": 3}
    return trained("pixelcnn-autoencoder", 250, **small)


def test_the_vector_of_another_image_makes_an_image_less_likely(decoder: Generator) -> None:
    assert isinstance(decoder, HasLikelihood)
    images = pictures(64, 1000)
    own, others = decoder.log_prob(images, images), decoder.log_prob(images.roll(1, 0), images)
    assert (own > others).float().mean() > 0.9
    assert (own - others).mean() > 5  # nats


def test_images_drawn_from_a_vector_have_its_colour_and_a_texture_of_their_own(decoder: Generator) -> None:
    images = pictures(16, 1000)
    drawn = decoder(images, decoder.draw([(0, i) for i in range(4)]).expand(16, -1, -1))
    colours = drawn.mean(dim=(3, 4))
    gaps = (colours.unsqueeze(1) - images.mean(dim=(2, 3)).view(1, 16, 1, 3)).abs().mean(dim=3)
    nearest = gaps.mean(dim=2).argmin(dim=1)
    assert (nearest == torch.arange(16)).sum() >= 8, "its own image is nearest far more often than one time in 16"
    assert drawn.std(dim=1).mean() > 0.02


def test_squared_error_averages_what_the_vector_leaves_open(decoder: Generator) -> None:
    generator, images = trained("conv-autoencoder", 300, maps=12), pictures(32, 1000)
    averages = generator(images, torch.zeros(32, 1, 0))[:, 0]
    drawn = decoder(images, decoder.draw([(0, 0)]).expand(32, -1, -1))[:, 0]
    texture = images.std(dim=(2, 3)).mean()
    flat, rough = (found.std(dim=(2, 3)).mean() / texture for found in (averages, drawn))
    assert flat < 0.8 < rough


def test_an_image_of_another_size_gives_a_vector_of_the_same_length() -> None:
    encoder = Bottleneck(3, 10, (32, 32), 0.1)
    assert encoder(torch.zeros(2, 3, 48, 40)).shape == (2, 10, 1, 1)


def test_the_encoder_is_the_public_one() -> None:
    """28x28x1: convolutions of 100, 150 and 200 maps, then 9800 numbers to 10."""
    encoder = Bottleneck(1, 10, (28, 28))
    shapes = [tuple(p.shape) for name, p in encoder.named_parameters() if name.endswith("weight")]
    assert shapes == [(100, 1, 5, 5), (150, 100, 5, 5), (200, 150, 3, 3), (10, 200, 7, 7)]


@pytest.mark.parametrize("name", ["pixelcnn-autoencoder", "conv-autoencoder"])
def test_images_too_small_to_be_halved_twice_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"images of 3x8 .* cannot be halved twice.*--size 4 or more"):
        method(name).build_generator(Shapes(3, 3, (3, 8)))
    assert Bottleneck(3, 10, (4, 7), 0.1)(torch.zeros(1, 3, 4, 7)).shape == (1, 10, 1, 1)


def test_the_loss_of_the_baseline_is_the_mean_square() -> None:
    preset = method("conv-autoencoder", {"encoder_scale": 0.1, "bottleneck": 3, "maps": 6})
    generator, objective = preset.build_generator(Shapes(3, 3, SIZE)), preset.build_objective(Shapes(3, 3, SIZE))
    images, numbers = pictures(4), torch.arange(4)
    (losses,) = objective.updates(generator, Batch(images, images, numbers, numbers), 0)
    drawn = generator(images, torch.zeros(4, 1, 0))[:, 0].detach()
    expected = sum(float(gap) ** 2 for gap in (drawn - images).flatten()) / images.numel()
    assert losses["generator"]["squared_error"].item() == pytest.approx(expected, rel=1e-5)
