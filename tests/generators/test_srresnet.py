"""SRGAN's generator against an independent transcription of MR-GAN's table, and what it does with sizes and noise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes, Size
from variegate.generators.srresnet import SRResNet, SRResNetConfig
from variegate.randomness.noise_maps import NoiseMaps
from variegate.randomness.none import NoRandomness

pytestmark = pytest.mark.core

SITES = ("block*.conv1", "after", "up1")  # the paper's
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def build(size: Size = (16, 24), noise: int = 2, extra: int = 0, scale: int = 4, blocks: int = 2) -> SRResNet:
    torch.manual_seed(0)
    config = SRResNetConfig(width=4, blocks=blocks, scale=scale)
    return config.build(NoiseMaps(SITES, noise) if noise else NoRandomness(), Shapes(3, 3, size), extra)


@torch.no_grad()
def scramble(module: nn.Module) -> None:
    """Weights, biases and statistics that are all different, so that none can stand in for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim < 2:
            tensor.normal_(0.5, 0.2)


def blocky(count: int, size: Size, scale: int = 4) -> Tensor:
    """Conditions (B, 3, H, W) of blocks of equal pixels."""
    low = torch.rand(count, 3, -(-size[0] // scale), -(-size[1] // scale)) * 2 - 1
    return low.repeat_interleave(scale, 2).repeat_interleave(scale, 3)[..., : size[0], : size[1]]


def drawn(generator: SRResNet, conditions: int, samples: int) -> Tensor:
    return generator.draw([(1, i) for i in range(conditions * samples)]).unflatten(0, (conditions, samples))


class Table(nn.Module):
    """Table 2.2 for 16x24 images, 4-fold, 4 channels wide and 2 residual blocks, one line a layer."""

    def __init__(self, noise: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 9, padding=4), nn.PReLU())
        self.residual = nn.ModuleList()
        for _ in range(2):
            one = (nn.Conv2d(4 + noise, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU())
            self.residual.append(nn.Sequential(*one, nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)))
        self.seventh = nn.Sequential(nn.Conv2d(4 + noise, 4, 3, padding=1), nn.PReLU())
        self.eighth = nn.Sequential(nn.Conv2d(4 + noise, 16, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
        self.ninth = nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
        self.last = nn.Conv2d(4, outputs, 9, padding=4)

    def forward(self, low: Tensor, noise: list[Tensor]) -> Tensor:
        first = x = self.first(low)
        for block, own in zip(self.residual, noise[:2], strict=True):
            x = x + block(torch.cat([x, own], dim=1))
        x = first + self.seventh(torch.cat([x, noise[2]], dim=1))
        x = self.last(self.ninth(self.eighth(torch.cat([x, noise[3]], dim=1))))
        return torch.cat([x[:, :3].tanh(), x[:, 3:]], dim=1)


@pytest.mark.parametrize(("noise", "extra"), [(2, 0), (0, 3)])
def test_it_computes_the_table_of_the_paper(noise: int, extra: int) -> None:
    # in training mode, where batch norms keep signals large
    generator, table = build(noise=noise, extra=extra), Table(noise, 3 + extra)
    scramble(generator)
    own = generator.stages.state_dict()
    table.load_state_dict(dict(zip(table.state_dict(), own.values(), strict=True)))
    condition, code = blocky(2, (16, 24)), drawn(generator, 2, 1)
    maps = [part.reshape(2, noise, 4, 6) for part in code[:, 0].chunk(4, dim=1)]
    with torch.no_grad():
        images, expected = generator(condition, code)[:, 0], table(condition[..., ::4, ::4], maps)
    assert images.shape == (2, 3 + extra, 16, 24)
    assert torch.allclose(images, expected, **CLOSE)
    assert float(images[:, :3].std()) > 0.01
    assert float(images[:, :3].abs().max()) <= 1


@pytest.mark.parametrize(("noise", "extra", "parameters"), [(16, 0, 826_252), (0, 3, 749_647)])
def test_it_has_exactly_the_parameters_of_the_papers_generator_and_predictor(
    noise: int, extra: int, parameters: int
) -> None:
    with torch.device("meta"):
        randomness = NoiseMaps(SITES, noise) if noise else NoRandomness()
        generator = SRResNetConfig().build(randomness, Shapes(3, 3, (64, 64)), extra)
    assert sum(parameter.numel() for parameter in generator.parameters()) == parameters
    assert generator.code_size == 7 * noise * 16 * 16


def test_every_prelu_has_one_parameter_of_its_own() -> None:
    activations = [module for module in build().modules() if isinstance(module, nn.PReLU)]
    assert [module.weight.numel() for module in activations] == [1] * 6
    assert len({id(module.weight) for module in activations}) == 6


def test_extra_channels_have_no_bounds() -> None:
    generator = build(noise=0, extra=2).eval()
    with torch.no_grad():
        for parameter in generator.stages["outer"].parameters():
            parameter.mul_(1000)
        images = generator(blocky(1, (16, 24)), torch.zeros(1, 1, 0))[0, 0]
    assert float(images[:3].abs().max()) <= 1
    assert float(images[3:].abs().max()) > 2


def test_only_the_papers_sites_read_the_code_and_only_inner_runs_once_per_condition() -> None:
    generator = build()
    assert isinstance(generator.randomness, NoiseMaps)
    assert generator.randomness.sites == {"block1.conv1", "block2.conv1", "after", "up1"}
    calls: dict[str, list[int]] = {name: [] for name in generator.stages}
    for name, stage in generator.stages.items():
        stage.register_forward_hook(lambda _m, args, _out, name=name: calls[name].append(len(args[0][-1])))
    generator(blocky(2, (16, 24)), drawn(generator, 2, 3))
    assert calls.pop("inner") == [2]
    assert list(calls.values()) == [[6]] * 6


@pytest.mark.parametrize("site", range(4))
def test_the_noise_of_a_site_changes_that_stage_and_what_follows_and_nothing_before(site: int) -> None:
    generator = build().eval()
    seen: list[Tensor] = []
    for stage in generator.stages.values():
        stage.register_forward_hook(lambda _m, _args, out: seen.append(out[-1]))
    condition, code = blocky(1, (16, 24)), drawn(generator, 1, 1)
    other, part = code.clone(), generator.code_size // 4
    other[..., site * part : (site + 1) * part] += 1
    with torch.no_grad():
        generator(condition, code)
        generator(condition, other)
    half = len(seen) // 2
    same = [torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True)]
    assert same == [True] * (1 + site) + [False] * (6 - site)


def test_of_each_block_of_the_condition_it_reads_the_first_pixel() -> None:
    generator = build(noise=0).eval()
    condition = blocky(1, (16, 24))
    other = torch.randn_like(condition)
    other[..., ::4, ::4] = condition[..., ::4, ::4]
    code = torch.zeros(1, 1, 0)
    with torch.no_grad():
        assert torch.equal(generator(condition, code), generator(other, code))


@pytest.mark.parametrize("size", [(1, 1), (3, 30), (16, 24), (17, 23), (40, 33)])
def test_images_of_any_size_keep_their_size(size: Size) -> None:
    generator = build().eval()
    with torch.no_grad():
        images = generator(blocky(1, size), drawn(generator, 1, 2))
    assert images.shape == (1, 2, 3, *size)
    assert bool(images.isfinite().all())


@pytest.mark.parametrize(("scale", "factors"), [(2, [2]), (3, [3]), (5, [5]), (8, [2, 2, 2]), (30, [2, 3, 5])])
def test_a_scale_is_reached_by_one_stage_per_prime(scale: int, factors: list[int]) -> None:
    generator = build(size=(scale, 2 * scale), scale=scale).eval()
    ups = [stage for name, stage in generator.stages.items() if name.startswith("up")]
    assert [stage.shuffle.upscale_factor for stage in ups] == factors
    assert generator.code_size == 4 * 2 * 1 * 2
    with torch.no_grad():
        images = generator(blocky(1, (scale, 2 * scale), scale), drawn(generator, 1, 1))
    assert images.shape == (1, 1, 3, scale, 2 * scale)


def test_noise_has_the_size_of_the_layer_that_reads_it() -> None:
    randomness = NoiseMaps(("up*", "outer"), 1)
    generator = SRResNetConfig(width=4, blocks=1, scale=6).build(randomness, Shapes(3, 3, (12, 18)))
    assert generator.code_size == 2 * 3 + 4 * 6 + 12 * 18


@pytest.mark.parametrize("scale", [-2, 0, 1, 7, 14])
def test_a_scale_that_is_no_product_of_small_primes_is_refused(scale: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"^generator\.scale must be a product of 2, 3 and 5, such as 2, 4, 6 or 8, got {scale}$"
    ):
        build(size=(28, 28), scale=scale)


def test_a_scale_that_does_not_divide_the_image_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^generator\.scale must divide the sides of 16x18 images, got 4$"):
        build(size=(16, 18))


def test_every_parameter_and_number_of_the_code_receives_a_gradient() -> None:
    generator = build(extra=1).eval()  # in training a bias before batch norm has none
    condition, code = blocky(2, (16, 24)).requires_grad_(), drawn(generator, 2, 2).requires_grad_()
    images = generator(condition, code)
    (images * torch.randn_like(images)).sum().backward()
    assert [name for name, value in generator.named_parameters() if value.grad is None or not value.grad.any()] == []
    assert code.grad is not None
    assert bool((code.grad != 0).all())
    assert condition.grad is not None
    assert bool((condition.grad[..., ::4, ::4] != 0).all())
