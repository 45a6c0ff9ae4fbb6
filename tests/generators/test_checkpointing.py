"""Activation checkpointing: less memory, and the same training to the last bit."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.variants import IMAGE, OPTIONS, conditions, generator_of, size_of
from variegate.core.chunks import Peak
from variegate.core.interfaces import Generator
from variegate.networks.checkpointing import checkpoint_activations
from variegate.training.train import train

FAMILIES = [
    "pix2pix dropout unet",  # masks come from the code
    "basisgan",
    "pix2pixhd none fine",
    "cimle field encoder",
    "latent dropout",
    "mrgan superres",
    "glcic input",
    "munit",
    "moment predictor",
    "flow-student",
]


def two_steps(generator: Generator, name: str) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Losses and gradients of two steps, with all weights and buffers after them."""
    generator.train()
    condition, codes = conditions(name, 2), generator.draw([(3, i) for i in range(4)]).unflatten(0, (2, 2))
    target = torch.linspace(-1, 1, IMAGE * size_of(name)[0] * size_of(name)[1]).view(IMAGE, *size_of(name))
    optimizer, seen = torch.optim.Adam(generator.parameters(), lr=1e-3), []
    for _ in range(2):
        loss = (generator(condition, codes) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        seen += [loss.detach(), *(p.grad.clone() for p in generator.parameters() if p.grad is not None)]
        optimizer.step()
    return seen, generator.state_dict()


@pytest.mark.parametrize("name", FAMILIES)
def test_losses_gradients_weights_and_running_statistics_have_the_same_bits(name: str) -> None:
    assert name in OPTIONS
    plain, other = generator_of(name), generator_of(name)
    assert checkpoint_activations(other)
    (seen, state), (seen_too, state_too) = two_steps(plain, name), two_steps(other, name)
    assert len(seen) == len(seen_too)
    assert all(torch.equal(a, b) for a, b in zip(seen, seen_too))
    assert state.keys() == state_too.keys()
    assert all(torch.equal(state[key], state_too[key]) for key in state)


def test_the_inside_of_stages_is_not_kept() -> None:
    kept = []
    for again in (False, True):
        generator = generator_of("pix2pixhd none global").train()
        checkpoint_activations(generator) if again else None
        condition = torch.randn(1, 4, 64, 64)
        with Peak() as peak:
            image = generator(condition, torch.zeros(1, 1, generator.code_size))
        kept.append(peak.alive)
        image.mean().backward()
    assert kept[1] < 0.5 * kept[0]


def test_nothing_is_computed_twice_without_gradients() -> None:
    generator, runs = generator_of("basisgan"), []
    checkpoint_activations(generator)
    generator.stages["block1"].register_forward_pre_hook(lambda *_: runs.append(1))
    codes = generator.draw([(0, 0)])[None]
    with torch.no_grad():
        generator(conditions("basisgan", 1), codes)
    assert len(runs) == 1
    generator(conditions("basisgan", 1), codes).mean().backward()
    assert len(runs) == 3


def test_other_networks_have_nothing_to_switch_on() -> None:
    assert not checkpoint_activations(nn.Sequential(nn.Conv2d(3, 3, 1)))
    assert not checkpoint_activations(generator_of("gated pixelcnn"))


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_training_with_it_writes_the_same_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shared = {"size": (32, 32), "steps": 2, "seed": 1, "quiet": True, "device": "cpu", "width": 4, "tracker": "none"}
    runs = [
        train("pix2pix", "streets:4", tmp_path / str(again), checkpoint_activations=again, **shared)
        for again in (False, True)
    ]
    assert weights(runs[0]) == weights(runs[1])
    with caplog.at_level(logging.WARNING, "variegate"):
        settings = {"size": (16, 16), "steps": 1, "quiet": True, "encoder_scale": 0.05, "maps": 6}
        train("conv-autoencoder", "streets:4", tmp_path / "other", checkpoint_activations=True, **settings)
    assert "conv-autoencoder has no stages, so checkpoint_activations changes nothing" in caplog.text
