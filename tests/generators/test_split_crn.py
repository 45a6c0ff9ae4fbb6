"""Latent dropout's network: its size, what it computes once, channels, branches and fixed codes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from variegate.core.codes import path
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Generator, Shapes
from variegate.generators.split_crn import SplitCRN, double
from variegate.methods import method
from variegate.randomness.channel_dropout import ChannelDropout, ChannelDropoutLayer
from variegate.randomness.heads import HeadLayer

pytestmark = pytest.mark.core

SIZE = (16, 16)
SMALL = {"generator.widths": [8, 8, 6, 4], "objective.perceptual": "laplacian"}


def made(seed: int = 0, **options: str) -> Generator:
    torch.manual_seed(seed)
    return method("latent-dropout", {**SMALL, **options}).build_generator(Shapes(3, 3, SIZE)).eval()


def condition(count: int = 2) -> Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    ("options", "channels", "size", "count"),
    [({}, 3, (96, 96), 57_037_571), ({"task": "landmarks"}, 68, (128, 128), 59_433_731)],
)
def test_parameter_counts_are_those_of_the_fact_sheet(
    options: dict[str, Any], channels: int, size: tuple[int, int], count: int
) -> None:
    chosen = method("latent-dropout", options)
    with torch.device("meta"):
        randomness = chosen.randomness.build(Shapes(channels, 3, size))
        generator = chosen.generator.build(randomness, Shapes(channels, 3, size))
    assert sum(value.numel() for value in generator.parameters()) == count
    assert randomness.size == 256


def test_doubling_is_the_released_transposed_convolution() -> None:
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    kernel = torch.outer(line, line).expand(3, 1, 4, 4)
    assert torch.allclose(double(x), F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=3), atol=1e-6)


@pytest.mark.parametrize(("pyramid", "total"), [("sum", 1.0), ("mean", 1 / 64)])
def test_a_landmark_is_counted_or_averaged_at_coarse_levels(pyramid: str, total: float) -> None:
    generator = made(**{"generator.pyramid": pyramid})
    assert isinstance(generator, SplitCRN)
    points = torch.zeros(1, 3, *SIZE)
    points[0, 0, 5, 9] = 1
    coarsest = generator.start(points)[-1]
    assert coarsest.shape[-2:] == (2, 2)
    assert float(coarsest.sum()) == pytest.approx(total)


def test_channels_are_kept_where_the_code_exceeds_the_ratio_and_scaled() -> None:
    randomness = ChannelDropout(("*",), 0.25)
    layer = randomness.layer("own", 2, 5)
    assert isinstance(layer, ChannelDropoutLayer)
    x, code = torch.randn(3, 2, 6, 6), torch.rand(3, 5)
    expected = layer.inner(x, None) * (code > 0.25)[..., None, None] / 0.75
    assert torch.allclose(layer(x, code), expected, atol=1e-6)
    relu = F.leaky_relu(layer.inner(x, None), 0.2) * (code > 0.25)[..., None, None] / 0.75
    assert torch.allclose(F.leaky_relu(layer(x, code), 0.2), relu, atol=1e-6), "dropout behind the activation"


@pytest.mark.parametrize("architecture", ["shared", "separate", "late"])
def test_rows_that_codes_share_give_what_copies_of_them_would(architecture: str) -> None:
    generator = made(architecture=architecture, branches=6)
    codes = generator.draw([(1, i) for i in range(8)]).unflatten(0, (2, 4))
    features = generator.encode(condition())
    apart = generator.decode(features.repeat(4), codes.flatten(0, 1)).unflatten(0, (2, 4))
    assert torch.allclose(generator(condition(), codes), apart, atol=1e-5)
    assert not torch.allclose(apart[:, 0], apart[:, 1], atol=1e-3) or architecture != "shared"


@pytest.mark.parametrize("split", ["1", "2", "3"])
def test_only_what_lies_behind_the_split_is_computed_for_every_code(split: str) -> None:
    generator = made(branches=6, **{"generator.split": split})
    assert isinstance(generator, SplitCRN)
    rows: dict[str, int] = {}
    for name, stage in generator.stages.items():
        stage.register_forward_hook(lambda _, __, out, name=name: rows.__setitem__(name, len(out[-1])))
    generator(condition(), generator.draw([(0, i) for i in range(10)]).unflatten(0, (2, 5)))
    before = [name for name in rows if name.startswith("level") or name == "shared"]
    assert {rows[name] for name in before} == {2}
    assert {rows[name] for name in rows if name not in before} == {10}
    assert rows.keys() == {"shared", "own", "output", *before, *(n for n in rows if n.startswith("fine"))}


def test_a_head_alone_is_that_head_among_all() -> None:
    layer = HeadLayer(3, 2, 4).eval()
    x, code = torch.randn(4, 3, 5, 5), torch.tensor([[0.1], [0.9], [0.4], [0.1]])
    alone = layer(x, code)
    together = torch.cat([layer(row[None], torch.cat([one[None], one[None]]))[:1] for row, one in zip(x, code)])
    assert torch.allclose(alone, together, atol=1e-6)


def test_separate_branches_share_no_filter_behind_the_split() -> None:
    generator = made(architecture="separate", branches=3)
    code = generator.fixed_codes
    assert code is not None
    image = generator(condition(1), code[1][None, None].requires_grad_())
    image.square().sum().backward()
    weight = generator.get_parameter("stages.own.conv1.inner.weight")
    assert weight.grad is not None
    touched = weight.grad.unflatten(0, (-1, 3)).abs().sum(dim=(0, 2, 3, 4)) > 0
    assert touched.tolist() == [False, True, False]


@pytest.mark.parametrize("branches", [1, 2, 4])
def test_every_channel_is_kept_by_some_fixed_code(branches: int) -> None:
    codes = made(branches=branches, **{"randomness.ratio": 0.667}).fixed_codes
    assert codes is not None
    assert codes.shape == (branches, 6)
    assert bool((codes > 0.667).any(dim=0).all())
    assert len(torch.unique(codes)) == codes.numel(), "numbers, not masks"


def test_fixed_codes_are_saved_with_the_weights() -> None:
    one, two = made(0, branches=4), made(1, branches=4)
    assert one.fixed_codes is not None
    assert two.fixed_codes is not None
    assert not torch.equal(one.fixed_codes, two.fixed_codes)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.fixed_codes, two.fixed_codes)


def test_a_path_mixes_codes_before_they_are_compared_with_the_ratio() -> None:
    start, end = torch.tensor([0.1, 0.9, 0.4]), torch.tensor([0.7, 0.3, 0.2])
    middle = path(start, end, 3, "uniform")[1]
    assert torch.allclose(middle, (start + end) / 2)
    generator = made(branches=4)
    assert torch.equal(
        generator(condition(1), generator.draw([(0, 0)])[None]),
        generator.eval()(condition(1), generator.draw([(0, 0)])[None]),
    )


def test_the_coarsest_level_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match="cannot be split"):
        made(**{"generator.split": 4})


def test_heads_and_branches_must_be_as_many() -> None:
    with pytest.raises(ConfigError, match="give --branches, which sets both"):
        method("latent-dropout", {"architecture": "late", "objective.count": 3})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"branches": 1, "architecture": "late"}, "--branches must be at least 2 .* got 1"),
        ({"branches": 0}, "--branches must be at least 1 .* got 0"),
        (
            {"architecture": "separate", "dropout": "element"},
            "--dropout element: --architecture separate has no dropout",
        ),
        ({"randomness.ratio": 0.9999999999}, "less than or equal to 0.99"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        method("latent-dropout", options)
