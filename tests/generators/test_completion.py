"""GLCIC's generator against an independent transcription of MR-GAN's table, and what it does in and around the hole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from variegate.core.config import from_mapping
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes, Size
from variegate.generators.completion import Completion, CompletionConfig
from variegate.randomness.noise_maps import NoiseMaps
from variegate.randomness.none import NoRandomness

pytestmark = pytest.mark.core

SITES = ("conv6", "dilated1", "dilated2")  # the paper's
BEFORE = ["conv1", "conv2", "conv3", "conv4", "conv5"]
FILL = (0.2, 0.5, 0.9)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def build(size: Size = (16, 24), noise: int = 2, extra: int = 0) -> Completion:
    torch.manual_seed(0)
    randomness = NoiseMaps(SITES, noise) if noise else NoRandomness()
    return CompletionConfig(width=4, fill=FILL).build(randomness, Shapes(4, 3, size), extra)


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Weights, biases and statistics that are all different, so that none can stand in for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim < 2:
            tensor.normal_(0.5, 0.2)


def with_holes(count: int, size: Size = (16, 24)) -> Tensor:
    """Conditions (B, 4, H, W): white inside a rectangle that is another one in each."""
    mask = -torch.ones(count, 1, *size)
    for k in range(count):
        mask[k, :, k + 1 : k + 1 + size[0] // 2, 2 * k : 2 * k + size[1] // 3] = 1
    image = torch.rand(count, 3, *size) * 2 - 1
    return torch.cat([torch.where(mask > 0, 1.0, image), mask], dim=1)


def drawn(generator: Completion, conditions: int, samples: int) -> Tensor:
    return generator.draw([(1, i) for i in range(conditions * samples)]).unflatten(0, (conditions, samples))


class Table(nn.Module):
    """Table 2.3, 4 instead of 64 channels wide, one line a layer; colours out are in [0, 1] as in the paper."""

    def __init__(self, noise: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())
            for conv in (
                nn.Conv2d(4, 4, 5, padding=2),
                nn.Conv2d(4, 8, 3, stride=2, padding=1),
                nn.Conv2d(8, 8, 3, padding=1),
                nn.Conv2d(8, 16, 3, stride=2, padding=1),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.Conv2d(16 + noise, 16, 3, padding=1),
                nn.Conv2d(16 + noise, 16, 3, padding=2, dilation=2),
                nn.Conv2d(16 + noise, 16, 3, padding=4, dilation=4),
                nn.Conv2d(16, 16, 3, padding=8, dilation=8),
                nn.Conv2d(16, 16, 3, padding=16, dilation=16),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
                nn.Conv2d(8, 8, 3, padding=1),
                nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1),
                nn.Conv2d(4, 2, 3, padding=1),
            )
        )
        self.last = nn.Conv2d(2, outputs, 3, padding=1)

    def forward(self, x: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        for k, layer in enumerate(self.layers):
            x = layer(torch.cat([x, noise[k - 5]], dim=1) if 5 <= k <= 7 else x)
        x = self.last(x)
        return x[:, :3].sigmoid(), x[:, 3:]


@pytest.mark.parametrize(("noise", "extra"), [(2, 0), (0, 3)])
def test_it_computes_the_table_of_the_paper_and_only_fills_the_hole(noise: int, extra: int) -> None:
    size = (80, 72)  # larger at a quarter than the widest dilation
    # in training mode, where batch norms keep signals large
    generator, table = build(size, noise=noise, extra=extra), Table(noise, 3 + extra)
    scramble(generator)
    own = generator.stages.state_dict()
    table.load_state_dict(dict(zip(table.state_dict(), own.values(), strict=True)))
    condition, code = with_holes(2, size), drawn(generator, 2, 1)
    hole = condition[:, 3:] > 0
    colour = torch.tensor(FILL).view(1, 3, 1, 1) * 2 - 1
    seen = torch.cat([torch.where(hole, colour, condition[:, :3]), condition[:, 3:]], dim=1)
    maps = [part.reshape(2, noise, 20, 18) for part in code[:, 0].chunk(3, dim=1)]
    with torch.no_grad():
        images, (picture, dispersion) = generator(condition, code)[:, 0], table(seen, maps)
    drawn_image = torch.where(hole, 2 * picture - 1, condition[:, :3])
    drawn_dispersion = torch.where(hole, dispersion, -6.0)
    assert torch.allclose(images, torch.cat([drawn_image, drawn_dispersion], dim=1), **CLOSE)
    assert float(images[:, :3][hole.expand(-1, 3, -1, -1)].std()) > 0.01


@pytest.mark.parametrize(("noise", "extra", "parameters"), [(32, 0, 6_293_315), (0, 3, 6_072_998)])
def test_it_has_exactly_the_parameters_of_the_papers_generator_and_predictor(
    noise: int, extra: int, parameters: int
) -> None:
    with torch.device("meta"):
        randomness = NoiseMaps(SITES, noise) if noise else NoRandomness()
        generator = CompletionConfig().build(randomness, Shapes(4, 3, (128, 128)), extra)
    assert sum(parameter.numel() for parameter in generator.parameters()) == parameters
    assert generator.code_size == 3 * noise * 32 * 32


def test_outside_the_hole_the_image_is_exactly_the_input_and_inside_it_is_drawn() -> None:
    generator = build(extra=2).train()
    condition = with_holes(3)
    with torch.no_grad():
        images = generator(condition, drawn(generator, 3, 2))
    for row, given in enumerate(condition):
        hole = given[3] > 0
        for image in images[row]:
            assert torch.equal(image[:3, ~hole], given[:3, ~hole])
            assert bool((image[3:, ~hole] == -6).all())
            assert bool((image[:3, hole].abs() < 1).all())
            assert not bool((image[3:, hole] == -6).any())


def test_what_is_under_the_hole_does_not_matter() -> None:
    generator = build().eval()
    condition, code = with_holes(2), drawn(generator, 2, 1)
    other = condition.clone()
    other[:, :3] = torch.where(condition[:, 3:] > 0, torch.randn_like(condition[:, :3]), condition[:, :3])
    with torch.no_grad():
        assert torch.equal(generator(condition, code), generator(other, code))


def test_extra_channels_have_no_bounds() -> None:
    generator = build(noise=0, extra=2).eval()
    with torch.no_grad():
        for parameter in generator.stages["outer"].parameters():
            parameter.mul_(1000)
        images = generator(with_holes(1), torch.zeros(1, 1, 0))[0, 0]
    assert float(images[:3].abs().max()) <= 1
    assert float((images[3:] + 6).abs().max()) > 10


def test_only_the_papers_sites_read_the_code_and_what_precedes_them_runs_once_per_condition() -> None:
    generator = build()
    assert isinstance(generator.randomness, NoiseMaps)
    assert generator.randomness.sites == set(SITES)
    calls: dict[str, list[int]] = {name: [] for name in generator.stages}
    for name, stage in generator.stages.items():
        stage.register_forward_hook(lambda _m, args, _out, name=name: calls[name].append(len(args[0][-1])))
    generator(with_holes(2), drawn(generator, 2, 3))
    assert [calls.pop(name) for name in BEFORE] == [[2]] * 5
    assert list(calls.values()) == [[6]] * 12


@pytest.mark.parametrize("site", range(3))
def test_the_noise_of_a_site_changes_that_stage_and_what_follows_and_nothing_before(site: int) -> None:
    generator = build().eval()
    scramble(generator)
    seen: list[Tensor] = []
    for stage in generator.stages.values():
        stage.register_forward_hook(lambda _m, _args, out: seen.append(out[-1]))
    condition, code = with_holes(1), drawn(generator, 1, 1)
    other, part = code.clone(), generator.code_size // 3
    other[..., site * part : (site + 1) * part] += 1
    with torch.no_grad():
        generator(condition, code)
        generator(condition, other)
    half = len(seen) // 2
    same = [torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)]
    assert same == [True] * (5 + site) + [False] * (12 - site)


@pytest.mark.parametrize("size", [(2, 2), (5, 30), (16, 24), (17, 23), (40, 33)])
def test_images_of_any_size_keep_their_size(size: Size) -> None:
    generator, condition = build().eval(), with_holes(1, (40, 40))[..., : size[0], : size[1]]
    with torch.no_grad():
        images = generator(condition, drawn(generator, 1, 2))
    assert images.shape == (1, 2, 3, *size)
    outside = condition[0, 3] <= 0
    assert torch.equal(images[0, 1][:, outside], condition[0, :3, outside])


@pytest.mark.parametrize(("size", "numbers"), [((2, 2), 1 * 1), ((17, 23), 5 * 6)])
def test_noise_covers_images_that_had_to_be_padded(size: Size, numbers: int) -> None:
    assert build(size=size).code_size == 3 * 2 * numbers


def test_data_without_a_mask_and_colours_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^generator completion fills holes; give --condition inpaint$"):
        CompletionConfig().build(NoRandomness(), Shapes(3, 3, (16, 16)))
    with pytest.raises(
        ConfigError, match=r"^generator completion fills holes in RGB images, which have 3 channels, got 1$"
    ):
        CompletionConfig().build(NoRandomness(), Shapes(2, 1, (16, 16)))
    for wrong in ((130, 108, 96), (0.5, 0.5), "mean", [0.1, -0.1, 0.2], 0.5):
        with pytest.raises(
            ConfigError, match=r"generator\.fill must be data, or red, green and blue from 0 to 1, got "
        ):
            from_mapping(CompletionConfig, {"fill": wrong}, "generator")
    with pytest.raises(ConfigError, match=r"fill data stands for the mean colour that `variegate train` measures"):
        CompletionConfig(fill="data").build(NoRandomness(), Shapes(4, 3, (16, 16)))


def test_every_parameter_and_number_of_the_code_receives_a_gradient() -> None:
    generator = build(extra=1).eval()  # in training a bias before batch norm has none
    scramble(generator)
    condition, code = with_holes(2), drawn(generator, 2, 2).requires_grad_()
    condition[:, 3:] = 1  # all hole, so that all noise is seen
    condition.requires_grad_()
    images = generator(condition, code)
    (images * torch.randn_like(images)).sum().backward()
    assert [name for name, value in generator.named_parameters() if value.grad is None or not value.grad.any()] == []
    assert code.grad is not None
    assert bool((code.grad != 0).any(dim=-1).all())
    assert condition.grad is not None
    assert not bool(condition.grad[:, :3].any())
    assert bool(condition.grad[:, 3:].any())
