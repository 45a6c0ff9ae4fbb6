"""The nearest training image is found, and copies are told from new images."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from variegate.data.dataset.opening import open_data
from variegate.evaluation.metrics.memorisation import NearestBy, TrainingImages
from variegate.evaluation.pages import sheets


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


@pytest.mark.parametrize("by", ["rmse", "l1"])
def test_the_nearest_is_that_of_the_distance_and_of_the_hole(by: NearestBy) -> None:
    training, held = open_data("streets:30", size=32), open_data("streets:30", split="test", size=32)
    real = torch.stack([training.raw(i)[1] for i in range(len(training))]).flatten(1).double() / 127.5
    new = torch.stack([held.raw(i)[1] for i in range(3)])
    holes = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0)) < 0.1
    kept = TrainingImages(training)
    for given, chosen in ((None, torch.ones(3, 3072, dtype=torch.bool)), (holes, holes.expand(-1, 3, -1, -1))):
        found = kept.nearest(new, given, by)
        for i, where in enumerate(chosen.flatten(1)):
            apart = (real - new[i].flatten().double() / 127.5)[:, where]
            each = apart.abs().mean(dim=1) if by == "l1" else apart.square().mean(dim=1).sqrt()
            assert int(found.items[i]) == int(each.argmin())
            assert float(found.distances[i]) == pytest.approx(float(each.min()), rel=1e-4)


class Two(list[torch.Tensor]):
    """Enough of pairs: images alone."""

    def raw(self, index: int) -> tuple[None, torch.Tensor]:
        return None, self[index]


def test_far_outliers_matter_less_in_l1() -> None:
    """An image that is the same but for one bright square, beside one that is a little off everywhere."""
    base = torch.full((3, 32, 32), 100, dtype=torch.uint8)
    square, off = base.clone(), base + 20
    square[:, :6, :6] = 255
    kept = TrainingImages(Two([square, off]))  # type: ignore[arg-type]
    found = {by: int(kept.nearest(base[None], by=by).items[0]) for by in ("rmse", "l1")}  # type: ignore[arg-type]
    assert found == {"rmse": 1, "l1": 0}


def test_the_report_shows_the_nearest_by_both_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    training, held = open_data("streets:30", size=32), open_data("streets:30", split="test", size=32)
    drawn = torch.stack([held.raw(i)[1] for i in range(len(held))])[:8, None]
    monkeypatch.setattr(sheets.contact_sheets, "sample", lambda *_: drawn)
    pages: list[list[list[torch.Tensor]]] = []
    monkeypatch.setattr(sheets.contact_sheets, "page", lambda rows: pages.append(rows))
    section = sheets.memory_section(SimpleNamespace(codes=lambda _: None), held, training)  # type: ignore[arg-type]
    assert section.items[0].rows == ("sample", "nearest (RMSE)", "nearest (L1)")
    real = torch.stack([training.raw(i)[1] for i in range(len(training))]).double()
    for sample, *shown in zip(*pages[0]):
        apart = (real - sample).flatten(1)
        for nearest, each in zip(shown, (apart.square().mean(dim=1), apart.abs().mean(dim=1))):
            assert torch.equal(nearest, real[int(each.argmin())].to(torch.uint8))
