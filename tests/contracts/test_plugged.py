"""Sampled filters in modules that were written without them."""

from __future__ import annotations

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from helpers.plugs import ALL, Hourglass, codes, conditions, having_seen_data, images, plugged, sampled
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.generators.plugged import Plugged, PluggedConfig, Site
from variegate.randomness.basis_filters import BasisFiltersConfig
from variegate.randomness.latent import LatentConfig
from variegate.randomness.none import NoRandomnessConfig
from variegate.randomness.whole_filters import WholeFiltersConfig

pytestmark = pytest.mark.core
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", params=["lraspp", "hourglass"])
def generator(request: pytest.FixtureRequest) -> Plugged:
    return plugged(request.param)


# codes


def test_different_codes_give_different_images_and_the_same_code_the_same(generator: Plugged) -> None:
    code = codes(generator, 3)
    drawn = images(generator, conditions(2), torch.cat([code, code[:1]]))
    assert drawn.shape == (2, 4, 3, 64, 64)
    assert torch.allclose(drawn[:, 3], drawn[:, 0], **CLOSE)
    assert torch.equal(images(generator, conditions(2), code), images(generator, conditions(2), code))
    for other in (1, 2):
        assert float((drawn[:, other] - drawn[:, 0]).abs().mean()) > 1e-2 * float(drawn.abs().mean())


def test_a_row_depends_on_its_own_condition_and_code_only(generator: Plugged) -> None:
    precise = copy.deepcopy(generator).double()  # LR-ASPP's rescaling amplifies rounding to 1e-4 in single precision
    condition, code = conditions(3).double(), codes(generator, 4).double()
    together = images(precise, condition, code)
    for row in range(3):
        for sample in range(4):
            alone = images(precise, condition[row : row + 1], code[sample : sample + 1])
            assert torch.allclose(alone[0, 0], together[row, sample], rtol=0, atol=1e-10)


def test_every_site_reads_its_own_part_of_the_code_unless_it_is_shared() -> None:
    own, shared = Plugged(Hourglass(), sampled(ALL)), Plugged(Hourglass(), sampled(ALL, shared=True))
    assert (own.code_size, shared.code_size) == (5 * 6, 6)
    assert own.prior == "gaussian"
    code = codes(own, 1).requires_grad_()
    own.eval()(conditions(1, 16, 16), code.unsqueeze(0)).square().sum().backward()
    assert code.grad is not None
    assert bool(code.grad.all())


def test_each_row_is_convolved_with_the_filters_of_its_code(generator: Plugged) -> None:
    """Against one call of PyTorch's convolution for each row."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    sites = [module for module in generator.modules() if isinstance(module, Site)]
    hooks = [
        site.register_forward_hook(lambda site, args, out: seen.update({site.name: (args[0], out)})) for site in sites
    ]
    code = codes(generator, 3)
    images(generator, conditions(1), code)
    for hook in hooks:
        hook.remove()
    original = Hourglass() if "outer" in seen else lraspp_mobilenet_v3_large(weights_backbone=None, num_classes=3)
    for site in sites:
        conv, layer, (x, out) = original.get_submodule(site.name), site.layer, seen[site.name]
        for row, filters in enumerate(layer.filters(code)):
            conv.weight.data, conv.bias = filters, layer.bias  # the replaced module itself says how it convolves
            assert torch.allclose(conv(x[row : row + 1])[0], out[row], **CLOSE), site.name


# no state stays behind


def test_a_call_leaves_no_code_in_the_module_and_none_is_saved(generator: Plugged) -> None:
    before = {name: buffer.clone() for name, buffer in generator.named_buffers()}
    images(generator, conditions(2), codes(generator, 2))
    after = dict(generator.named_buffers())
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [buffer.numel() for name, buffer in after.items() if name.endswith(".code")] == [0] * len(generator.paths)
    assert not any(name.endswith("code") for name in generator.state_dict())


def test_a_failed_call_leaves_no_code_either(generator: Plugged) -> None:
    with pytest.raises(RuntimeError):
        images(generator, torch.randn(1, 5, 64, 64), codes(generator, 1))
    assert all(site.code.numel() == 0 for site in generator.modules() if isinstance(site, Site))


def test_threads_do_not_see_each_others_codes(generator: Plugged) -> None:
    condition = conditions(1)
    one_by_one = [images(generator, condition, codes(generator, 1 + seed % 2, seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(images, generator, condition, codes(generator, 1 + seed % 2, seed)) for seed in range(8)]
        for expected, future in zip(one_by_one, work, strict=True):
            assert torch.allclose(future.result(), expected, **CLOSE)


def test_a_call_within_a_call_does_not_disturb_it(generator: Plugged) -> None:
    condition, code = conditions(1), codes(generator, 2)
    expected, inside = images(generator, condition, code), codes(generator, 3, seed=5)
    first = next(module for module in generator.module.modules() if isinstance(module, nn.Conv2d | Site))
    depth: list[Tensor] = []

    def once(*_: object) -> None:
        if not depth:
            depth.append(inside)
            depth.append(images(generator, condition, inside))

    hook = first.register_forward_pre_hook(once)
    outer = images(generator, condition, code)
    hook.remove()
    assert torch.equal(outer, expected)
    assert torch.equal(depth[1], images(generator, condition, inside))


def test_a_site_refuses_to_be_called_without_codes(generator: Plugged) -> None:
    with pytest.raises(ConfigError, match="3 rows for 0 codes"):
        generator.module(conditions(3))


def test_generators_can_be_copied_and_loaded(generator: Plugged) -> None:
    condition, code = conditions(1), codes(generator, 2)
    expected = images(generator, condition, code)
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert torch.equal(images(other, condition, code), expected)
    fresh = plugged("hourglass" if isinstance(generator.module, Hourglass) else "lraspp")
    for parameter in fresh.parameters():
        nn.init.zeros_(parameter)
    fresh.load_state_dict(generator.state_dict())
    assert torch.equal(images(fresh, condition, code), expected)


def test_the_users_module_stays_as_it_is() -> None:
    module = Hourglass().train()
    kinds = [(name, type(part)) for name, part in module.named_modules()]
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    generator = Plugged(module, sampled(ALL)).train()
    generator(conditions(2), codes(generator, 2).unsqueeze(0).expand(2, -1, -1)).sum().backward()
    assert [(name, type(part)) for name, part in module.named_modules()] == kinds
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert module.drop.p == 0.5
    kept = dict(generator.module.named_parameters())
    assert torch.equal(kept["depthwise.weight"], state["depthwise.weight"]), "layers that are no sites keep weights"


# training


def test_gradients_reach_basis_generators_coefficients_and_everything_else(generator: Plugged) -> None:
    training = copy.deepcopy(generator).train()
    torch.manual_seed(0)
    out = training(conditions(2), codes(training, 4).unflatten(0, (2, 2)))
    (out * torch.randn_like(out)).sum().backward()
    without = [name for name, p in training.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    names = {name.rpartition(".layer.")[2] for name, _ in training.named_parameters() if ".layer." in name}
    assert {"coefficients", "basis_generator.0.weight", "basis_generator.2.weight"} <= names


def test_training_mode_has_no_chance_outside_the_code() -> None:
    generator = Plugged(Hourglass(), sampled(ALL)).train()
    code = codes(generator, 2)
    before = torch.get_rng_state()
    assert torch.equal(images(generator, conditions(2), code), images(generator, conditions(2), code))
    assert torch.equal(torch.get_rng_state(), before)


# filters


@pytest.mark.parametrize("transposed", [False, True])
def test_sampled_filters_start_with_the_deviation_of_their_hosts_and_take_fewer_numbers(transposed: bool) -> None:
    """psi has deviation 0.25 at PyTorch's default, a has 1 / sqrt(C' K): 0.0155 for 256 channels, near N(0, 0.02)."""
    torch.manual_seed(3)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = nn.Sequential(kind(256, 256, 3, padding=1), nn.ReLU())
    generator = Plugged(module, BasisFiltersConfig(sites=("0",)).build(Shapes(3, 3, (8, 8))))
    layer = generator.module[0].layer
    filters = layer.filters(codes(generator, 64))
    assert filters.shape == (64, 256, 256, 3, 3)
    assert filters.std().item() == pytest.approx(0.245 / math.sqrt(256), rel=0.15)
    count = sum(parameter.numel() for parameter in generator.parameters())
    assert count == 5 * 256 * 256 + 256 + 64 * 64 + 64 + 64 * 45 + 45
    assert count < sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("randomness", "size"),
    [
        (WholeFiltersConfig(sites=("down", "up"), latent=5, hidden=4), 10),
        (LatentConfig(sites=("down", "up"), size=7), 7),
        (NoRandomnessConfig(), 0),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_other_randomness_enters_as_well(randomness: WholeFiltersConfig, size: int) -> None:
    generator = Plugged(Hourglass(), randomness.build(Shapes(3, 3, (16, 16)))).eval()
    assert generator.code_size == size
    drawn = images(generator, conditions(2, 16, 16), codes(generator, 2))
    assert drawn.shape == (2, 2, 3, 16, 16)
    assert torch.equal(drawn[:, 0], drawn[:, 1]) == (size == 0)


def test_a_convolution_used_twice_stays_one_layer() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 3, 3, padding=1)
            self.again = self.first

        def forward(self, x: Tensor) -> Tensor:
            return self.again(self.first(x))

    generator = Plugged(Twice(), sampled(("*",))).eval()
    assert generator.module.first is generator.module.again
    assert generator.code_size == 6
    drawn = images(generator, conditions(1, 8, 8), codes(generator, 2))
    assert not torch.allclose(drawn[:, 0], drawn[:, 1])
    assert generator.module.first.code.numel() == 0


# sizes and torchvision's networks


@pytest.mark.parametrize("size", [(5, 4), (17, 40), (33, 20)])
def test_images_of_any_size_keep_their_size(generator: Plugged, size: tuple[int, int]) -> None:
    drawn = images(generator, conditions(1, *size), codes(generator, 2))
    assert drawn.shape == (1, 2, 3, *size)
    assert float((drawn[:, 0] - drawn[:, 1]).abs().mean()) > 0


@pytest.mark.parametrize(
    ("network", "site", "channels"),
    [
        ("lraspp_mobilenet_v3_large", "classifier.cbr.0", 5),
        ("fcn_resnet50", "backbone.layer4.*.conv2", 3),
        ("deeplabv3_mobilenet_v3_large", "classifier.0.convs.[123].0", 1),
    ],
)
def test_networks_of_torchvision_become_generators(network: str, site: str, channels: int) -> None:
    torch.manual_seed(0)
    config = PluggedConfig.model_validate({"kind": "plugged", "network": network})
    generator = having_seen_data(config.build(sampled((site,)), Shapes(channels, 2, (32, 32))), channels)
    with torch.no_grad():
        drawn = generator(torch.randn(1, channels, 32, 32), codes(generator, 2).unsqueeze(0))
    assert drawn.shape == (1, 2, 2, 32, 32)
    assert float(drawn.abs().max()) <= 1
    assert float((drawn[0, 0] - drawn[0, 1]).abs().mean()) > 1e-3
