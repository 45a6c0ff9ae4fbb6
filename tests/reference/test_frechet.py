"""Fréchet and kernel distances equal the closed form and torch-fidelity, and are named by their network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from helpers.shared import shared_weights
from variegate.core.errors import ConfigError, DataError, WeightsError
from variegate.evaluation.metrics import extractors
from variegate.evaluation.metrics.extractors import Extractor, extractor
from variegate.evaluation.metrics.features import features_of
from variegate.evaluation.metrics.frechet import (
    Given,
    bias,
    frechet_distance,
    kernel_distance,
    set_distances,
)
from variegate.networks import weights


def features(count: int, size: int, seed: int, spread: float = 1.0) -> Tensor:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(size, size))
    return torch.from_numpy(spread * random.normal(size=(count, size)) @ mixing + random.normal(size=size))


def closed_form(a: Tensor, b: Tensor) -> float:
    x, y = a.numpy(), b.numpy()
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


@pytest.mark.core
@pytest.mark.parametrize(("count", "size"), [(200, 8), (300, 32)])
def test_frechet_distance_equals_the_closed_form_and_torch_fidelity(count: int, size: int) -> None:
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    a, b = features(count, size, 0), features(count + 50, size, 1, spread=1.5)
    statistics = [fid.fid_features_to_statistics(rows) for rows in (a, b)]
    theirs = fid.fid_statistics_to_metric(*statistics, verbose=False)[fid.KEY_METRIC_FID]
    assert frechet_distance(a, b) == pytest.approx(closed_form(a, b), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.core
@pytest.mark.parametrize("count", [5, 40])
def test_frechet_distance_equals_torchmetrics_also_of_fewer_images_than_features(count: int) -> None:
    metric = FrechetInceptionDistance(feature=Given(16)).set_dtype(torch.float64)
    a, b = features(count, 16, 0), features(count + 3, 16, 1)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert frechet_distance(a, b) == pytest.approx(float(metric.compute()), rel=1e-4)


@pytest.mark.core
def test_frechet_distance_of_identical_images_is_a_number() -> None:
    one = features(1, 32, 0).expand(50, -1)
    repeated = features(50, 4, 1).repeat(1, 8)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(repeated, repeated) == pytest.approx(0, abs=1e-6)
    assert math.isfinite(frechet_distance(one, repeated))


@pytest.mark.core
def test_kernel_distance_equals_torch_fidelity() -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    a, b = features(120, 16, 0), features(120, 16, 1)
    options = {"kid_subsets": 1, "kid_subset_size": 120, "verbose": False}
    theirs = kid.kid_features_to_metric(a, b, **options)[kid.KEY_METRIC_KID_MEAN]
    assert kernel_distance(a, b) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.core
def test_kernel_distance_depends_on_its_seed_only() -> None:
    a, b = features(90, 8, 0), features(90, 8, 1)
    state = torch.random.get_rng_state()
    first = kernel_distance(a, b, subsets=5, size=30, seed=1)
    assert torch.equal(state, torch.random.get_rng_state()), "the caller's random numbers must not move"
    torch.manual_seed(99)
    assert kernel_distance(a, b, subsets=5, size=30, seed=1) == first
    assert kernel_distance(a, b, subsets=5, size=30, seed=2) != first


@pytest.mark.core
def test_too_few_images_are_said_to_bias_the_number() -> None:
    assert "biased upward" in bias(1023, 512)[0]
    assert bias(1024, 512) == ()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    return shared_weights(monkeypatch, "squeezenet1_1.safetensors")


def pictures(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 40, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_distances_carry_the_name_of_their_network_and_a_full_protocol(folder: Path) -> None:
    network = extractor("squeezenet")
    real, fake = [pictures(6, 0), pictures(2, 1)], [pictures(8, 2)]
    features = [features_of(images, network.network) for images in (real, fake)]
    results = set_distances(*features, network, sets="test against training")
    assert set(results) == {"frechet_squeezenet", "kid_squeezenet"}
    value = results["frechet_squeezenet"]
    assert value.value == pytest.approx(frechet_distance(*(each.values for each in features)))
    assert value.protocol.size == (40, 48)
    assert list(value.protocol.weights.values()) == [weights.file_digest(folder / "squeezenet1_1.safetensors")]
    assert any("biased upward" in note for note in value.protocol.notes)
    assert any("8 against 8" in note for note in value.protocol.notes)


def test_without_inception_the_number_is_not_called_fid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Extractor:
        raise WeightsError("not at hand")

    monkeypatch.setattr(extractors, "inception", absent)
    network = extractor("auto")
    assert (network.frechet, network.kernel) == ("frechet_squeezenet", "kid_squeezenet")
    assert "not FID" in network.notes[0]


def test_inception_comes_from_the_folder_and_its_number_is_called_fid(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With random weights of the right shapes: the same features as torch-fidelity's network itself."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: {})
    with monkeypatch.context() as patch:
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        theirs = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    torch.save(theirs.state_dict(), tmp_path / weights.KNOWN["inception"].file)
    monkeypatch.setenv(weights.FOLDER, str(tmp_path))
    network = extractor("auto")
    levels = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    ours = network.network(levels / 127.5 - 1)
    assert torch.equal(ours, theirs(levels.to(torch.uint8))[0])
    assert (network.frechet, network.kernel) == ("fid", "kid")


@pytest.mark.core
def test_one_image_is_no_set() -> None:
    with pytest.raises(DataError, match="two images"):
        features_of([pictures(1, 0)], torch.nn.Flatten())


@pytest.mark.core
def test_images_that_are_not_finite_are_refused() -> None:
    broken = torch.full((3, 3, 4, 4), float("nan"))
    pixels = Extractor(torch.nn.Flatten(), 48, "frechet_pixels", "kid_pixels", "pixels", "none", {}, ("torch",))
    features = features_of([broken], pixels.network)
    with pytest.raises(DataError, match="NaN or infinite"):
        set_distances(features, features, pixels)


@pytest.mark.core
def test_given_features_pass_unchanged() -> None:
    rows = torch.randn(3, 5)
    assert Given(5)(rows) is rows


@pytest.mark.core
def test_a_network_that_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'dinov2'"):
        extractor("dinov3")  # type: ignore[arg-type]
    pytest.importorskip("torch_fidelity")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsError, match=r"dinov2 needs .*facebookresearch_dinov2_main, which is not there; run"):
        extractor("dinov2")


def test_dinov2_is_read_from_the_hubs_folder_through_torch_fidelity(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a stand-in for the network of the hub: its class token of images at 224 x 224, as torch-fidelity gives."""
    pytest.importorskip("torch_fidelity")
    code = tmp_path / "facebookresearch_dinov2_main"
    code.mkdir()
    (code / "hubconf.py").write_text(
        "import torch\n\n\nclass Token(torch.nn.Module):\n    def forward(self, x):\n"
        "        assert x.shape[-2:] == (224, 224)\n        return x.mean(dim=(2, 3)).repeat(1, 342)[:, :1024]\n\n\n"
        "def dinov2_vitl14():\n    return Token()\n"
    )
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "dinov2_vitl14_pretrain.pth").write_bytes(b"weights")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    network = extractor("dinov2")
    features = network.network(torch.rand(2, 3, 32, 40) * 2 - 1)
    assert features.shape == (2, network.features)
    assert network.frechet == "frechet_dinov2"
    assert list(network.digests) == ["dinov2_vitl14_pretrain.pth"]
