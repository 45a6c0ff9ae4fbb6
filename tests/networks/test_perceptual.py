"""Which features and weights a perceptual regression has."""

from __future__ import annotations

import pytest
import torch

from helpers.shared import shared_weights
from variegate.cli.options import value_in
from variegate.core.errors import ConfigError, WeightsError
from variegate.methods import method
from variegate.networks import weights as network_weights
from variegate.networks.features import BACKBONES, feature_maps
from variegate.networks.perceptual import CITYSCAPES, CITYSCAPES_LARGER, GTA, PerceptualKind, hd_features, perceptual

pytestmark = pytest.mark.core


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_weights(monkeypatch, "squeezenet1_1.safetensors")


@pytest.mark.parametrize("kind", ["squeeze", "alex"])
def test_squeeze_and_alex_compare_the_image_and_what_lpips_reads(at_hand: None, kind: PerceptualKind) -> None:
    features, weights = perceptual(kind, None)
    assert weights is None
    image = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first, *maps = features(image)
    assert torch.equal(first, image)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = feature_maps(kind)(((image + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    assert [layer.shape[1] for layer in maps] == list(BACKBONES[kind].channels)
    for one, other in zip(maps, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-5 * float(other.abs().max()))  # of another memory layout
    without, none = hd_features(kind)
    assert (len(without(image)), none) == (len(maps), [])


@pytest.mark.parametrize("kind", ["squeeze", "alex"])
def test_gradients_reach_the_image_and_not_the_network(at_hand: None, kind: PerceptualKind) -> None:
    features, _ = perceptual(kind, None)
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    sum(layer.square().mean() for layer in features.train()(image)).backward()  # type: ignore[union-attr]
    assert image.grad is not None
    assert not any(parameter.requires_grad for parameter in features.parameters())


@pytest.mark.parametrize("side", [8, 12, 17, 40])
@pytest.mark.parametrize("kind", ["squeeze", "alex"])
def test_small_images_have_fewer_maps(at_hand: None, kind: PerceptualKind, side: int) -> None:
    features, _ = perceptual(kind, None)
    maps = features(torch.rand(1, 3, side, side))
    assert all(min(layer.shape) > 0 for layer in maps)
    assert 1 < len(maps) <= 8


def test_published_weights_are_those_of_vgg19_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_weights, "fill", lambda network, state, name: None)
    state = network_weights.Weights({}, "", "")
    monkeypatch.setattr(network_weights, "load", lambda name: state)
    assert perceptual("vgg19", None)[1] == GTA
    assert perceptual("vgg19", None, CITYSCAPES)[1] == CITYSCAPES
    assert perceptual("vgg19", (1.0,) * 6)[1] == (1.0,) * 6
    assert perceptual("laplacian", None)[1] is None
    assert perceptual("random", (2.0,) * 6)[1] == (2.0,) * 6


def test_published_weights_are_the_inverse_of_the_layer_losses_in_the_paper() -> None:
    tables = {
        GTA: (1, 1.4, 1.8, 1.3, 2.2, 0.062),
        CITYSCAPES: (1, 1.6, 2.3, 1.8, 2.8, 0.08),
        CITYSCAPES_LARGER: (1, 2.6, 4.8, 3.7, 5.6, 0.15),
    }
    for weights, losses in tables.items():
        assert [1 / w for w in weights] == pytest.approx(losses)


@pytest.mark.parametrize("text", ["calibrate", "[1, 2, 3, 4, -5]", "[0, 0]", "[.nan, 1]", "[.inf]", "[]", "[one]", "3"])
@pytest.mark.parametrize("name", ["cimle", "crn", "latent-dropout"])
def test_weights_that_weigh_nothing_are_refused_in_one_sentence(name: str, text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^objective\.weights must be calibrated, or one number per feature map, .*, got "
    ):
        method(name, {"objective.weights": value_in(text, "")})


def test_weights_may_be_zero_in_part_and_written_as_powers() -> None:
    chosen = method("cimle", {"objective.weights": [0, "1e-3", 2]})
    assert chosen.objective.weights == (0, 1e-3, 2)  # type: ignore[union-attr]


def test_weights_of_other_names_are_refused_and_do_not_leave_filters_random() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    state = {"0.weight": torch.ones(4, 3, 3, 3), "0.bias": torch.ones(4), "classifier.weight": torch.ones(1)}
    network_weights.fill(network, state, "vgg16")
    assert torch.equal(network[0].weight, state["0.weight"])
    for wrong in ({"features.0.weight": state["0.weight"]}, state | {"0.weight": torch.ones(4, 1, 3, 3)}):
        with pytest.raises(WeightsError, match=r"vgg16_features\.safetensors has no 0\.weight of shape \(4, 3, 3, 3\)"):
            network_weights.fill(network, wrong, "vgg16")
