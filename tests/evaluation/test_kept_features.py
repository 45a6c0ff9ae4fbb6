"""Features are computed once for each image, whoever asks, and nothing depends on the file that keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from variegate.core.errors import DataError
from variegate.core.images import to_float
from variegate.evaluation.metrics.extractors import Extractor
from variegate.evaluation.metrics.features import features_of, kept_features

pytestmark = pytest.mark.core


class Counting(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.seen, self.factor = 0, factor

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.mean(dim=(2, 3)) * self.factor


def named(network: nn.Module, digest: str | None = "abc") -> Extractor:
    return Extractor(network, "means", 3, "means", "none", {} if digest is None else {"w": digest}, ("torch",))


def pictures(count: int, seed: int = 0, side: int = 8) -> Tensor:
    levels = torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed))
    return levels.to(torch.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path))
    return tmp_path


def test_only_new_images_are_computed_and_all_features_are_exact() -> None:
    images, network = pictures(12), Counting()
    whole = features_of([to_float(images)], Counting())
    first = kept_features(images[:8].split(4), named(network))
    assert network.seen == 8
    again = kept_features(images.split(5), named(network))
    assert network.seen == 12
    assert torch.equal(first.values, whole.values[:8])
    assert torch.equal(again.values, whole.values)
    assert again.size == (8, 8)


def test_another_network_or_shape_is_computed_anew() -> None:
    images = pictures(4)
    kept_features([images], named(Counting()))
    other = Counting(2.0)
    doubled = kept_features([images], named(other, "other"))
    assert other.seen == 4
    reshaped = Counting()
    kept_features([images.reshape(4, 3, 4, 16)], named(reshaped))
    assert reshaped.seen == 4
    assert torch.equal(doubled.values, 2 * features_of([to_float(images)], Counting()).values)


def test_a_network_without_a_hash_of_its_weights_is_not_kept() -> None:
    images, network = pictures(3), Counting()
    for _ in range(2):
        kept_features([images], named(network, None))
    assert network.seen == 6


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like one" * 20])
def test_a_damaged_file_costs_time_and_nothing_else(folder: Path, content: bytes) -> None:
    (folder / "features.sqlite").write_bytes(content)
    images, network = pictures(3), Counting()
    found = kept_features([images], named(network))
    assert torch.equal(found.values, features_of([to_float(images)], Counting()).values)


def test_a_folder_that_cannot_be_written_to_costs_time_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("VARIEGATE_CACHE", str(folder / "file"))
    network = Counting()
    assert len(kept_features([pictures(3)], named(network)).values) == 3


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="must have shape"):
        kept_features([pictures(3)[:, :1]], named(Counting()))
    with pytest.raises(DataError, match="at least two images"):
        kept_features([pictures(1)], named(Counting()))
