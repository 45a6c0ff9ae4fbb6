"""What cannot be plugged in is refused in words."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from helpers.plugs import Hourglass, codes, conditions, images, sampled
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.generators.plugged import Plugged, PluggedConfig
from variegate.randomness.element_dropout import ElementDropoutConfig
from variegate.randomness.sites import AtSites

pytestmark = pytest.mark.core


def refused(module: nn.Module, randomness: AtSites, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        Plugged(module, randomness)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("conv", "words"),
    [
        (nn.Conv2d(4, 4, 3, groups=2), "'1' cannot have sampled filters: it has 2 groups"),
        (nn.Conv2d(4, 4, (3, 5)), "kernel is 3x5"),
        (nn.Conv2d(4, 4, 3, stride=(1, 2)), "stride is 1x2"),
        (nn.Conv2d(4, 4, 3, dilation=(2, 1)), "dilation is 2x1"),
        (nn.Conv2d(4, 4, 3, padding=(1, 0)), "padding is 1x0"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), "padding is 'circular'"),
        (nn.Conv2d(4, 4, 4, padding="same"), "wider on one side"),
        (nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=(1, 0)), "output padding is 1x0"),
        (nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)), "ParametrizedConv2d"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:60],
)
def test_convolutions_that_sampled_filters_cannot_replace_are_refused_by_name(conv: nn.Module, words: str) -> None:
    refused(nn.Sequential(nn.Identity(), conv), sampled(("1",)), words)


def test_patterns_that_match_nothing_are_refused_with_the_names_there_are() -> None:
    refused(Hourglass(), sampled(("down", "encoder.*")), r"no layer 'encoder\.\*'; it has inner, down, wide, .*outer")
    refused(nn.Linear(3, 3), sampled(("*",)), "no layer")


def test_randomness_that_must_know_every_feature_map_is_refused() -> None:
    refused(
        Hourglass(), ElementDropoutConfig(sites=("up",)).build(Shapes(3, 3, (16, 16))), "ElementDropout cannot be used"
    )


class Returns(nn.Module):
    def __init__(self, change: object) -> None:
        super().__init__()
        self.conv, self.change = nn.Conv2d(3, 3, 1), change

    def forward(self, x: Tensor) -> object:
        return self.change(self.conv(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: (y, y), "returned a tuple"),
        (lambda y: {"logits": y}, 'a mapping of logits; its images must be under "out"'),
        (lambda y: {"out": None}, "returned a NoneType"),
        (lambda y: y.mean(dim=(2, 3)), r"a tensor of shape \(1, 3\)"),
        (lambda y: y[..., ::2], "1 images of 8x8 into 1 of 8x4"),
        (lambda y: y.repeat(2, 1, 1, 1), "1 images of 8x8 into 2 of 8x8"),
    ],
)
def test_outputs_that_are_no_images_of_the_conditions_size_are_refused(change: object, words: str) -> None:
    generator = Plugged(Returns(change), sampled(("conv",)))
    with pytest.raises(ConfigError, match=words):
        images(generator, conditions(1, 8, 8), codes(generator, 1))


def test_a_mapping_with_out_is_an_image() -> None:
    generator = Plugged(Returns(lambda y: {"out": y, "aux": None}), sampled(("conv",)))
    assert images(generator, conditions(1, 8, 8), codes(generator, 2)).shape == (1, 2, 3, 8, 8)


def test_one_image_at_a_time_is_refused_where_a_module_normalises_over_the_batch() -> None:
    generator = PluggedConfig(network="deeplabv3_mobilenet_v3_large").build(
        sampled(("classifier.4",)), Shapes(3, 3, (64, 64))
    )
    with pytest.raises(ConfigError, match=r"batch_size.*at least 2"):
        images(generator.train(), conditions(1, 32, 32), codes(generator, 1))
