"""Samples of drawn streets, as they should be and with one fault each; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from variegate.data.dataset.pairs import Pairs
from variegate.data.streets.scene import FACTORS
from variegate.data.streets.streets import draw_factors, paint
from variegate.evaluation.measuring.drawn import Drawn

LAYOUTS, SAMPLES = 40, 10
FIXED = 9  # looks, as the heads of a CRN
Look = Mapping[str, float]


@dataclass(frozen=True)
class Scene:
    """What samples are made from: held-out streets, training images, and random numbers."""

    held: Pairs
    training: Pairs
    rng: np.random.Generator

    def look(self) -> Look:
        return draw_factors(self.rng)

    def paint(self, index: int, looks: list[Look]) -> Tensor:
        """A layout in these looks: uint8 (S, 3, H, W). Fine textures differ."""
        layout = self.held.raw(index)[0]
        return torch.stack([paint(layout, look, int(self.rng.integers(2**31))) for look in looks])


def true(scene: Scene) -> list[Tensor]:
    return [scene.paint(i, [scene.look() for _ in range(SAMPLES)]) for i in range(LAYOUTS)]


def fixed(count: int) -> Callable[[Scene], list[Tensor]]:
    """Only so many looks, the same for every layout."""

    def make(scene: Scene) -> list[Tensor]:
        looks = [scene.look() for _ in range(count)]
        return [scene.paint(i, [looks[k % count] for k in range(SAMPLES)]) for i in range(LAYOUTS)]

    return make


def by_day(scene: Scene) -> list[Tensor]:
    """A mode is missing: it is always day."""
    return [scene.paint(i, [{**scene.look(), FACTORS[0].name: 0} for _ in range(SAMPLES)]) for i in range(LAYOUTS)]


def often(scene: Scene) -> list[Tensor]:
    """Half of all samples have one look: nothing is missing, but odds are wrong."""
    favourite = scene.look()
    looks = [[favourite if scene.rng.random() < 0.5 else scene.look() for _ in range(SAMPLES)] for _ in range(LAYOUTS)]
    return [scene.paint(i, looks[i]) for i in range(LAYOUTS)]


def blurred(scene: Scene) -> list[Tensor]:
    return [gaussian_blur(images, [9, 9], [1.5, 1.5]) for images in true(scene)]


def grained(scene: Scene) -> list[Tensor]:
    samples = [images + torch.from_numpy(scene.rng.normal(0, 20, images.shape)) for images in true(scene)]
    return [images.round().clamp(0, 255).to(torch.uint8) for images in samples]


def averaged(scene: Scene) -> list[Tensor]:
    """The mean of a layout's true images, with a little left of each: nearly what squared error gives."""
    return [(0.9 * images.double().mean(dim=0) + 0.1 * images).round().to(torch.uint8) for images in true(scene)]


def other_layouts(scene: Scene) -> list[Tensor]:
    """Good streets of another layout."""
    samples = true(scene)
    return [samples[(i + 1) % LAYOUTS] for i in range(LAYOUTS)]


def copies(scene: Scene) -> list[Tensor]:
    """Training images, whatever the condition."""
    chosen = scene.rng.permutation(len(scene.training))[: LAYOUTS * SAMPLES]
    images = torch.stack([scene.training.raw(int(i))[1] for i in chosen])
    return list(images.split(SAMPLES))


def outliers(scene: Scene) -> list[Tensor]:
    """A twentieth of the samples is noise."""
    samples = true(scene)
    for images in samples:
        for k in np.flatnonzero(scene.rng.random(SAMPLES) < 0.05):
            images[int(k)] = torch.from_numpy(scene.rng.integers(0, 256, images.shape[1:], dtype=np.uint8))
    return samples


FAULTS: dict[str, Callable[[Scene], list[Tensor]]] = {
    "one look": fixed(1),
    "nine looks": fixed(FIXED),
    "always day": by_day,
    "half of one look": often,
    "averaged": averaged,
    "blurred": blurred,
    "grain": grained,
    "5 % noise images": outliers,
    "other layouts": other_layouts,
    "training images": copies,
}


def drawn(make: Callable[[Scene], list[Tensor]], held: Pairs, training: Pairs, seed: int) -> Drawn:
    """The samples of a seed, beside the held-out images."""
    samples = make(Scene(held, training, np.random.default_rng(seed)))
    shown = [held.condition.to_image(held.raw(i)[0]) for i in range(LAYOUTS)]
    return Drawn(samples, [held.raw(i)[1] for i in range(LAYOUTS)], [None] * LAYOUTS, pictures=shown)
