"""The nearest training image is found, and copies are told from new images."""

from __future__ import annotations

import torch

from variegate.data.dataset.opening import open_data
from variegate.evaluation.metrics.memorisation import TrainingImages


def test_copies_are_found_and_new_images_are_farther() -> None:
    training, held = open_data("streets:30", size=32), open_data("streets:30", split="test", size=32)
    copies = torch.stack([training.raw(item)[1] for item in (7, 0, 21)])
    kept = TrainingImages(training)
    found = kept.nearest(copies)
    assert found.items.tolist() == [7, 0, 21]
    assert float(found.distances.max()) < 1e-3
    noisy = (copies.float() + 5 * torch.randn(copies.shape)).round().clamp(0, 255).to(torch.uint8)
    assert kept.nearest(noisy).items.tolist() == [7, 0, 21]
    new = torch.stack([held.raw(item)[1] for item in range(3)])
    assert float(kept.nearest(new).distances.min()) > 0.05
