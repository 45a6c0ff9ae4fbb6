"""SRGAN's discriminator against an independent transcription of MR-GAN's table."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from variegate.networks.discriminators.patch import logits
from variegate.networks.discriminators.srgan import SRGANDiscriminator

pytestmark = pytest.mark.core


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Weights, biases and statistics that are all different, so that none can stand in for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim < 2:
            tensor.normal_(0.5, 0.2)


def table() -> nn.Sequential:
    """Of 2.2, 2 instead of 64 channels wide."""
    layers: list[nn.Module] = [nn.Conv2d(3, 2, 3, 1, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs, stride in (
        (2, 2, 2),
        (2, 4, 1),
        (4, 4, 2),
        (4, 8, 1),
        (8, 8, 2),
        (8, 16, 1),
        (16, 16, 2),
    ):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 32, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 1, 1)]
    return nn.Sequential(*layers)


def test_it_has_exactly_the_papers_parameters_when_it_sees_the_image_alone() -> None:
    with torch.device("meta"):
        discriminator = SRGANDiscriminator(3)
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 5_215_425


@pytest.mark.parametrize("size", [(64, 64), (20, 33)])
def test_it_computes_the_table_of_the_paper_for_images_of_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    # in training mode, where batch norms keep signals large
    discriminator, reference = SRGANDiscriminator(3, width=2), table()
    scramble(discriminator)
    own = discriminator.state_dict()
    reference.load_state_dict(dict(zip(reference.state_dict(), own.values(), strict=True)))
    image = torch.rand(3, 3, *size) * 2 - 1
    with torch.no_grad():
        [verdict] = logits(discriminator(None, image))
        expected = reference(image)
    assert verdict.shape == (3, 1, 1, 1)
    assert torch.allclose(verdict, expected, rtol=1e-4, atol=1e-5)
    assert float(verdict.std()) > 0.01


def test_the_judgement_holds_every_activated_map_and_the_logits_last() -> None:
    [maps] = SRGANDiscriminator(3, width=2)(None, torch.randn(2, 3, 32, 32))
    sides = [32, 16, 16, 8, 8, 4, 4, 2]
    assert [tuple(m.shape[1:]) for m in maps[:-1]] == [(2 << k // 2, side, side) for k, side in enumerate(sides)]


def test_a_condition_is_joined_to_the_image_if_there_is_one() -> None:
    torch.manual_seed(0)
    discriminator = SRGANDiscriminator(3 + 2, width=2).eval()
    condition, image = torch.randn(1, 2, 16, 16), torch.randn(1, 3, 16, 16)
    joined = discriminator(None, torch.cat([condition, image], dim=1))
    given = discriminator(condition, image)
    assert all(torch.equal(a, b) for a, b in zip(given[0], joined[0], strict=True))


def test_every_parameter_and_pixel_receives_a_gradient() -> None:
    torch.manual_seed(0)
    discriminator = SRGANDiscriminator(3, width=2).eval()  # in training a bias before batch norm has none
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    discriminator(None, image)[0][-1].sum().backward()
    missing = [name for name, value in discriminator.named_parameters() if value.grad is None or not value.grad.any()]
    assert missing == []
    assert image.grad is not None
    assert bool((image.grad != 0).all())
