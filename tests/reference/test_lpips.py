"""Pairwise LPIPS from features computed once equals the package lpips, pair by pair."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from helpers.shared import SHARED, shared_weights
from variegate.core.errors import DataError, WeightsError
from variegate.evaluation.metrics import diversity
from variegate.evaluation.metrics.diversity import LPIPS, Pixel, pairwise_diversity
from variegate.networks import weights
from variegate.networks.features import BACKBONES, assemble

EXAMPLES = SHARED / "data" / "lpips_examples"
NETS = ("alex", "squeeze")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    return shared_weights(monkeypatch, *(weights.KNOWN[name].file for name in ("alexnet", "squeezenet1_1")))


def reference(net: str, version: str) -> nn.Module:
    """The package's own metric; the backbone, which its constructor would download, is handed to it."""
    lpips = pytest.importorskip("lpips")
    model = BACKBONES[net].model
    layers = assemble(model, weights.load(model).state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchvision.models, model, lambda pretrained: SimpleNamespace(features=layers))
        metric: nn.Module = lpips.LPIPS(net=net, version=version, verbose=False)
    return metric.eval()


def images(count: int, height: int = 64, width: int = 64, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def example(name: str) -> Tensor:
    pixels = np.asarray(Image.open(EXAMPLES / f"ex_{name}.png").convert("RGB")).copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.core
@pytest.mark.parametrize("version", ["0.1", "0.0"])
@pytest.mark.parametrize("net", NETS)
def test_all_pairs_equal_the_package(folder: Path, net: str, version: str) -> None:
    batch = images(4, 40, 56)
    metric, other = LPIPS(net, version), reference(net, version)
    ours = metric.pairwise(metric.embed(batch))
    with torch.no_grad():
        theirs = torch.stack([other(batch, image.expand_as(batch)).flatten() for image in batch])
    assert torch.allclose(ours, theirs.double(), rtol=0, atol=1e-5)
    assert torch.equal(ours, ours.T)
    assert torch.equal(ours.diagonal(), torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("net", NETS)
def test_nearly_equal_images_keep_their_small_distances(folder: Path, net: str) -> None:
    """A collapsed generator: distances of 1e-5 and less come out to one per cent, not as rounding noise."""
    batch = (images(1) * 0.9) + 0.003 * images(4, seed=1)
    metric, other = LPIPS(net).double(), reference(net, "0.1").double()
    with torch.no_grad():
        theirs = torch.stack([other(batch.double(), x.double().expand_as(batch)).flatten() for x in batch])
    single = LPIPS(net)
    ours = single.pairwise(single.embed(batch))
    off = ~torch.eye(4, dtype=torch.bool)
    assert theirs[off].max() < 1e-3
    assert torch.allclose(ours[off], theirs[off], rtol=1e-2, atol=0)
    assert torch.allclose(metric.pairwise(metric.embed(batch.double()))[off], theirs[off], rtol=1e-4, atol=0)


@pytest.mark.core
@pytest.mark.parametrize(("net", "far", "near"), [("alex", 0.722, 0.138), ("squeeze", 0.711, 0.148)])
def test_published_example_values(folder: Path, net: str, far: float, near: float) -> None:
    if not EXAMPLES.is_dir():
        pytest.skip(f"the example images are not in {EXAMPLES}")
    metric = LPIPS(net)
    reference_image = example("ref")
    assert metric.distance(reference_image, example("p0")).item() == pytest.approx(far, abs=5e-4)
    assert metric.distance(reference_image, example("p1")).item() == pytest.approx(near, abs=5e-4)


def test_distance_is_the_entry_of_the_matrix(folder: Path) -> None:
    metric, batch = LPIPS("alex"), images(4)
    matrix = metric.pairwise(metric.embed(batch))
    assert torch.allclose(metric.distance(batch[:2], batch[2:]), matrix[[0, 1], [2, 3]], atol=1e-6)


def test_embedding_in_chunks_changes_nothing(folder: Path) -> None:
    metric, batch = LPIPS("alex"), images(7)
    whole = pairwise_diversity(batch, metric, batch=7)
    assert pairwise_diversity(batch, metric, batch=3) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("net", NETS)
def test_a_hole_counts_as_in_the_packages_map(folder: Path, net: str) -> None:
    batch, hole = images(3, 40, 56), torch.zeros(40, 56, dtype=torch.bool)
    hole[5:17, 20:33] = True
    hole[30, 3] = True
    metric, other = LPIPS(net), reference(net, "0.1")
    ours = metric.pairwise(metric.embed(batch, hole))
    other.spatial = True
    with torch.no_grad():
        theirs = torch.stack([other(batch, image.expand_as(batch))[:, 0, hole].mean(dim=1) for image in batch])
    assert torch.allclose(ours, theirs.double(), rtol=0, atol=1e-5)
    assert not torch.allclose(ours, metric.pairwise(metric.embed(batch)), rtol=0.01)


def test_lpips_of_samples_that_differ_in_a_hole_is_of_the_hole(folder: Path) -> None:
    """A hole of a quarter of the image: of the whole image, the distance would be about that of the pixels' share."""
    hole = torch.zeros(64, 64, dtype=torch.bool)
    hole[16:48, 16:48] = True
    drawn = torch.where(hole, images(5), images(1, seed=1))
    inside, whole = (diversity.diversity([drawn], LPIPS(), "quick", holes=[one]).value for one in (hole, None))
    assert 1.5 * whole < inside < 4 * whole
    with pytest.raises(DataError, match="condition 1 has no hole"):
        diversity.diversity([drawn, drawn], LPIPS(), "quick", holes=[hole, hole & False])


@pytest.mark.core
def test_gram_matrix_equals_direct_differences() -> None:
    rows = torch.randn(6, 2 * diversity.BLOCK + 17, generator=torch.Generator().manual_seed(0))
    direct = (rows[:, None].double() - rows[None].double()).square().sum(-1)
    assert torch.allclose(diversity.squared_distances(rows), direct, rtol=1e-5)


@pytest.mark.core
def test_pixel_distance_is_the_mean_absolute_difference_in_unit_range() -> None:
    batch = images(4)
    unit = (batch.double() + 1) / 2
    direct = (unit[:, None] - unit[None]).abs().mean(dim=(2, 3, 4))
    metric = Pixel()
    assert torch.allclose(metric.pairwise(metric.embed(batch)), direct, atol=1e-7)
    assert torch.allclose(metric.distance(batch[:2], batch[2:]), direct[[0, 1], [2, 3]], atol=1e-7)
    hole = torch.rand(64, 64, generator=torch.Generator().manual_seed(1)) < 0.2
    inside = (unit[:, None] - unit[None])[..., hole].abs().mean(dim=(2, 3))
    assert torch.allclose(metric.pairwise(metric.embed(batch, hole)), inside, atol=1e-7)


@pytest.mark.core
def test_images_of_another_range_or_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"\[-1, 1\]"):
        Pixel().embed(torch.full((1, 3, 8, 8), 255.0))
    with pytest.raises(DataError, match="grey"):
        Pixel().embed(torch.zeros(1, 1, 8, 8))


@pytest.mark.core
def test_missing_weights_are_reported_at_once_even_if_the_network_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(weights.FOLDER, str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(weights, "NETWORK_TIMEOUT", 0.2)

    def hang(*args: object, **kwargs: object) -> None:
        time.sleep(4)
        raise OSError("too late")

    monkeypatch.setattr("urllib.request.urlopen", hang)
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        weights.load("alexnet")
    assert time.monotonic() - start < 3
    message = str(caught.value)
    assert all(part in message for part in ("alexnet_features.safetensors", str(tmp_path), "pixel"))


@pytest.mark.core
def test_a_file_that_is_cut_short_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "alexnet_features.safetensors").write_bytes(b"\x40\x00\x00")
    monkeypatch.setenv(weights.FOLDER, str(tmp_path))
    with pytest.raises(WeightsError, match="alexnet_features"):
        weights.load("alexnet")


@pytest.mark.core
def test_digest_follows_the_tensors_not_their_order() -> None:
    a, b = torch.arange(3.0), torch.ones(2)
    assert weights.tensor_digest({"a": a, "b": b}) == weights.tensor_digest({"b": b, "a": a})
    assert weights.tensor_digest({"a": a, "b": b}) != weights.tensor_digest({"a": a + 1, "b": b})
