"""A cascade of resolutions: codes and densities stay those of the whole image, and holes are all that is filled."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import variegate
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.data.dataset.opening import DataConfig
from variegate.generators.flow_cascade import Cascade, beyond, detail_of, means, merge, rise
from variegate.generators.flow_config import FlowConfig, Sampler
from variegate.randomness.none import NoRandomnessConfig

CASCADE = {"generator.cascade": 1}
SMALL = {"widths": (8, 16), "blocks": 1}


def small(shapes: Shapes, condition: str = "self", **settings: object) -> Cascade:
    torch.manual_seed(0)
    given = FlowConfig(**{**SMALL, "cascade": 1, **settings}).for_condition(condition)
    cascade = given.build(NoRandomnessConfig().build(shapes), shapes)
    assert isinstance(cascade, Cascade)
    for parameter in cascade.parameters():
        if float(parameter.detach().abs().max()) < 0.01:
            nn.init.normal_(parameter, std=0.03)  # layers that begin with next to nothing
    return cascade.eval().requires_grad_(False)


def with_hole(top: int, left: int, height: int, width: int) -> Tensor:
    condition = torch.rand(1, 4, 16, 24) * 2 - 1
    condition[:, 3] = -1
    condition[:, 3, top : top + height, left : left + width] = 1
    return condition


def test_low_resolution_and_detail_are_orthogonal_and_give_the_image() -> None:
    torch.manual_seed(1)
    x, y = torch.randn(2, 3, 8, 12), torch.randn(2, 3, 8, 12)
    assert float((rise(means(x)) * detail_of(y)).sum()) == pytest.approx(0, abs=1e-4)
    assert float((2 * means(x)).square().sum() + detail_of(x).square().sum()) == pytest.approx(float(x.square().sum()))
    assert torch.allclose(merge(means(x), beyond(x, means(x))), x, atol=1e-5)
    assert means(beyond(x, means(y))).abs().max() < 1e-5


@pytest.mark.parametrize(("levels", "channels"), [(1, 2), (2, 2), (1, 0)])
def test_images_made_small_are_those_drawn_first(levels: int, channels: int) -> None:
    cascade = small(Shapes(channels, 3, (16, 24)), cascade=levels)
    condition, code = torch.rand(2, channels, 16, 24), cascade.draw([(0, 0)]) / 8  # far from black and white
    assert cascade.code_size == 3 * 16 * 24
    image = cascade(condition, code.expand(2, 1, -1))[:, 0]
    low = cascade.low.decode(cascade.low.encode(cascade.reduced(condition)), cascade.coarse(code).expand(2, -1))
    assert image.abs().max() < 1
    assert torch.allclose(means(image), low, atol=1e-5)
    assert cascade(torch.rand(1, channels, 18, 42), code[None]).shape == (1, 1, 3, 18, 42)


@pytest.mark.parametrize("levels", [1, 2])
def test_an_image_has_a_code_that_draws_it(levels: int) -> None:
    cascade = small(Shapes(2, 3, (32, 48)), cascade=levels, sampler=Sampler(steps=16))
    condition, image = torch.rand(2, 2, 32, 48), torch.rand(2, 3, 32, 48) - 0.5
    again = cascade(condition, cascade.invert(condition, image)[:, None])[:, 0]
    assert (again - image).abs().max() < 2 / 255


def test_the_density_is_that_of_the_jacobian() -> None:
    """Of the map from code to image, by many short steps."""
    cascade = small(Shapes(1, 1, (4, 4)), widths=(8,), patch=1, sampler=Sampler(steps=100, spacing=1))
    condition, code = torch.rand(1, 1, 4, 4), torch.randn(1, 16) / 8
    features = cascade.encode(condition)
    jacobian = torch.autograd.functional.jacobian(lambda x: cascade.decode(features, x), code).reshape(16, 16)
    image = cascade.decode(features, code)
    assert image.abs().max() < 1, "black and white have no density"
    expected = torch.distributions.Normal(0, 1).log_prob(code).sum() - torch.linalg.slogdet(jacobian).logabsdet
    found, error = cascade.log_density(condition, image, probes=0, steps=100)
    assert found.item() == pytest.approx(expected.item(), abs=0.02)
    assert error.item() == 0


@pytest.mark.parametrize("channels", [3, 1])
def test_only_holes_are_filled_also_across_blocks(channels: int) -> None:
    cascade = small(Shapes(4, channels, (16, 24)), "inpaint")
    for condition in (with_hole(4, 4, 4, 8), with_hole(3, 5, 4, 8)):
        outside = condition[0, 3] < 0
        codes = cascade.draw([(0, 0), (0, 1)])
        images = cascade(condition, codes[None])[0]
        for image in images:
            assert torch.equal(image[:, outside], condition[0, :channels, outside])
        assert not torch.allclose(images[0][:, ~outside], images[1][:, ~outside], atol=0.01)


def test_what_is_known_is_seen_without_noise_and_costs_nothing() -> None:
    cascade, condition = small(Shapes(4, 3, (16, 24)), "inpaint:centre"), with_hole(4, 4, 4, 8)
    hole, noise = condition[:, 3:] > 0, torch.randn(1, 3, 16, 24)
    image = torch.where(hole, torch.rand_like(noise), condition[:, :3])
    other = torch.where(hole, noise, torch.randn_like(noise))
    times, kept = torch.tensor([0.3]), torch.tensor([True])
    errors = [cascade.velocity_error(condition, image, one, times, kept) for one in (noise, other)]
    assert torch.allclose(*errors, rtol=1e-4)
    densities = [cascade.log_density(condition, one, 2, 4)[0] for one in (image, image.where(hole, 0.5))]
    assert torch.allclose(*densities, rtol=1e-4)


def test_the_error_is_that_of_both_flows() -> None:
    """Flows that answer nothing are as wrong as their images are different from their noise."""
    cascade = small(Shapes(2, 3, (16, 24)))
    for flow in (cascade.low, cascade.detail):
        nn.init.zeros_(flow.network.out.weight)
        nn.init.zeros_(flow.network.out.bias)
    image, noise = torch.rand(2, 3, 16, 24) * 2 - 1, torch.randn(2, 3, 16, 24)
    found = cascade.velocity_error(torch.rand(2, 2, 16, 24), image, noise, torch.rand(2), torch.ones(2).bool())
    pairs = ((means(image), 2 * means(noise)), (beyond(image, means(image)), detail_of(noise)))
    expected = sum((wanted - start).square().flatten(1).mean(1) for wanted, start in pairs)
    assert torch.allclose(found, torch.as_tensor(expected), rtol=1e-5)


def test_lower_resolutions_may_have_wider_networks() -> None:
    cascade = small(Shapes(2, 3, (16, 24)), cascade=2, low_scale=2)
    assert isinstance(cascade.low, Cascade)
    found = [flow.config.widths for flow in (cascade.detail, cascade.low.detail, cascade.low.low)]
    assert found == [(8, 16), (16, 32), (32, 64)]
    assert cascade.low.low.network.stem.out_channels == 32


def test_earlier_networks_are_kept_and_weights_of_cascades_without_them_are_taken() -> None:
    plain, kept = (small(Shapes(2, 3, (16, 24)), earlier_at=at) for at in (0, 0.5))
    kept.load_state_dict(kept.adopt(plain.state_dict()))
    plain.load_state_dict(plain.adopt(kept.state_dict()))
    for parameter in kept.detail.network.parameters():
        parameter.fill_(1)
    kept.reached(0, 8, kept)
    assert kept.detail.earlier is not None
    assert float(kept.detail.earlier.out.weight.mean()) == 1


def test_what_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ConfigError, match="halves 30x16 to pixels that do not exist; give a size that 4 divides"):
        small(Shapes(2, 3, (16, 30)), cascade=2)
    with pytest.raises(ConfigError, match="draws a low resolution, which superres gives"):
        variegate.train("flow", "streets:8", "unused", size=16, steps=1, condition="superres:4", **CASCADE)


def test_it_trains_and_says_how_it_draws(tmp_path: Path) -> None:
    given = {"batch_size": 2, "condition": "inpaint:centre", **CASCADE, "generator.widths": (8,)}
    model = variegate.load(variegate.train("flow", "streets:8", tmp_path / "run", size=16, steps=2, **given))
    assert model.generator.drawn_how.endswith("2 resolutions")
    raw = DataConfig(path="streets:8", size=(16, 16), condition="inpaint:centre").open().raw(0)[0]
    assert model.sample(raw, 2).bytes().shape == (2, 3, 16, 16)
