"""The solver reaches what the equation says, and its steps can be undone; the objective asks for the right velocity."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Shapes
from variegate.generators.flow import DETAIL, Flow
from variegate.generators.flow_config import FlowConfig, Sampler
from variegate.methods import method
from variegate.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from variegate.randomness.none import NoRandomnessConfig

SHAPES = Shapes(2, 3, (16, 24))
SMALL = {"widths": (8, 16), "blocks": 1}


def small(**settings: object) -> Flow:
    torch.manual_seed(0)
    flow = Flow(SHAPES, FlowConfig(**{**SMALL, **settings}))
    for parameter in flow.parameters():
        if float(parameter.detach().abs().max()) < 0.01:
            nn.init.normal_(parameter, std=0.1)  # layers that begin with next to nothing
    return flow.eval().requires_grad_(False)


class Gaussian(nn.Module):
    """The exact velocity if images are normal with a mean and a deviation at every value."""

    mean, deviation = 0.3, 0.2

    def parts(self, condition: Tensor) -> tuple[Tensor, ...]:
        return ()

    def forward(self, x: Tensor, time: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        t = time[:, None, None, None]
        variance = (1 - t) ** 2 + t**2 * self.deviation**2
        return self.mean + (t * self.deviation**2 - (1 - t)) / variance * (x - t * self.mean)


@pytest.mark.parametrize(("kind", "steps", "error"), [("heun", 32, 0.01), ("euler", 256, 0.01)])
def test_noise_becomes_images_of_the_right_mean_and_deviation(kind: str, steps: int, error: float) -> None:
    flow = small(sampler=Sampler(kind=kind, steps=steps))
    flow.network = Gaussian()
    code = flow.draw([(0, i) for i in range(4)])
    images = flow(torch.zeros(1, 2, 16, 24), code[None])[0]
    expected = (Gaussian.mean + Gaussian.deviation * code).clamp(-1, 1)
    assert (images.flatten(1) - expected).abs().mean() < error


@pytest.mark.parametrize("conditioning", ["adaptive", "concat"])
@pytest.mark.parametrize("predicts", ["velocity", "image"])
def test_the_condition_is_encoded_once_and_matters(conditioning: str, predicts: str) -> None:
    flow = small(conditioning=conditioning, predicts=predicts)
    conditions, codes = torch.rand(2, 2, 16, 24), flow.draw([(0, 0), (0, 1), (0, 2)])
    both = flow(conditions, codes.expand(2, -1, -1))
    alone = torch.stack([flow.decode(flow.encode(conditions[1:]), code[None])[0] for code in codes])
    assert torch.allclose(both[1], alone, atol=1e-5)
    assert (both[0] - both[1]).abs().mean() > 1e-3
    assert flow(torch.rand(1, 2, 20, 40), codes[None]).shape == (1, 3, 3, 20, 40)


def test_guidance_of_one_is_what_was_learned_and_more_goes_further() -> None:
    condition = torch.rand(1, 2, 16, 24)
    one, two, none = (small(sampler=Sampler(guidance=weight)) for weight in (1, 2, 0))
    x, features = torch.randn(1, 3, 16, 24), one.encode(condition)
    learned, free = one.velocity(features, x, 0.5), none.velocity(features, x, 0.5)
    assert torch.allclose(two.velocity(features, x, 0.5), free + 2 * (learned - free), atol=1e-5)
    unseen = one.slope(x, torch.full((1,), 0.5), tuple(map(torch.zeros_like, features.state)), features.condition)
    assert torch.allclose(free, unseen, atol=1e-6)


def test_before_its_time_guidance_changes_nothing() -> None:
    condition, x = torch.rand(1, 2, 16, 24), torch.randn(1, 3, 16, 24)
    one, two, late = (
        small(sampler=Sampler(guidance=weight, guided_from=time)) for weight, time in ((1, 0), (2, 0), (2, 0.5))
    )
    features = one.encode(condition)
    for time, like in ((0.49, one), (0.5, two)):
        assert torch.equal(late.velocity(features, x, time), like.velocity(features, x, time))


@pytest.mark.parametrize("channels", [2, 0])
def test_velocities_are_led_away_from_the_network_as_it_was(channels: int) -> None:
    """Also without a condition, where there is nothing else to be led away from."""
    torch.manual_seed(0)
    sampler = Sampler(guidance=2, guide="earlier", guided_from=0.3)
    flow = Flow(Shapes(channels, 3, (16, 24)), FlowConfig(**SMALL, earlier_at=0.5, sampler=sampler)).eval()
    x, condition = torch.randn(1, 3, 16, 24), torch.rand(1, channels, 16, 24)
    flow.reached(0, 10, flow)
    before = copy.deepcopy(flow)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    now = flow.network(x, torch.tensor([0.5]), flow.network.parts(condition))
    then = before.network(x, torch.tensor([0.5]), before.network.parts(condition))
    assert (now - then).abs().max() > 0.01
    features = flow.encode(condition)
    assert torch.allclose(flow.velocity(features, x, 0.5), then + 2 * (now - then), atol=1e-5)
    early = flow.network(x, torch.tensor([0.2]), flow.network.parts(condition))
    assert torch.allclose(flow.velocity(features, x, 0.2), early, atol=1e-6)


def test_the_earlier_network_follows_the_average_until_its_time_and_is_never_trained() -> None:
    flow, ema = small(earlier_at=0.25), small(earlier_at=0.25)
    assert len(list(flow.parameters())) == len(list(small().parameters()))
    assert flow.earlier is not None
    for step in range(8):
        for parameter in ema.network.parameters():
            parameter.fill_(step)
        flow.reached(step, 8, ema)
        assert {float(weight.max()) for weight in flow.earlier.state_dict().values()} == {float(min(step, 2))}


def test_training_may_start_from_flows_with_and_without_an_earlier_network() -> None:
    plain, kept = small(), small(earlier_at=0.5)
    assert kept.adopt(plain.state_dict()).keys() == kept.state_dict().keys()
    kept.load_state_dict(kept.adopt(plain.state_dict()))
    assert kept.earlier is not None
    assert torch.equal(kept.earlier.out.weight, plain.network.out.weight)
    plain.load_state_dict(plain.adopt(kept.state_dict()))


@pytest.mark.parametrize("kind", ["heun", "euler"])
def test_an_image_has_a_code_that_draws_it(kind: str) -> None:
    flow = small(sampler=Sampler(kind=kind, steps=8))
    condition, image = torch.rand(2, 2, 16, 24), torch.rand(2, 3, 16, 24) * 1.6 - 0.8
    code = flow.invert(condition, image)
    again = flow(condition, code[:, None])[:, 0]
    assert (again - image).abs().max() < 1 / 255
    assert not torch.allclose(code, image.flatten(1), atol=0.05)


def test_the_density_is_that_of_the_normal_distribution_it_reaches() -> None:
    flow = small()
    flow.network = Gaussian()
    image = Gaussian.mean + Gaussian.deviation * torch.randn(4, 3, 16, 24)
    found, error = flow.log_density(torch.zeros(4, 2, 16, 24), image, probes=2, steps=64)
    expected = torch.distributions.Normal(Gaussian.mean, Gaussian.deviation).log_prob(image).flatten(1).sum(1)
    assert torch.allclose(found, expected, rtol=2e-3)
    assert bool((error < 0.01).all()), "the divergence is the same for all signs"


def test_random_signs_estimate_the_exact_divergence_within_their_standard_error() -> None:
    torch.manual_seed(1)
    flow = Flow(Shapes(2, 1, (4, 4)), FlowConfig(widths=(8, 8), patch=1))
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.2)
    condition, image = torch.rand(3, 2, 4, 4), torch.rand(3, 1, 4, 4) * 2 - 1
    exact, none = flow.log_density(condition, image, probes=0, steps=4)
    found, error = flow.log_density(condition, image, probes=200, steps=4)
    assert bool((none == 0).all())
    assert bool((error > 0).all())
    assert bool(((found - exact).abs() < 4 * error).all())
    few = flow.log_density(condition, image, probes=50, steps=4)[1]
    assert few.mean().item() == pytest.approx(2 * error.mean().item(), rel=0.3)


def test_the_exact_density_is_that_of_the_jacobian() -> None:
    """Many small steps back: the sum of divergences is the log-determinant of the map from image to noise."""
    torch.manual_seed(2)
    flow = Flow(Shapes(0, 1, (2, 2)), FlowConfig(widths=(8,), patch=1))
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.15)
    condition, image = torch.zeros(1, 0, 2, 2), torch.tensor([[[[0.1, -0.4], [0.7, 0.2]]]])

    def to_noise(x: Tensor) -> Tensor:
        features, steps = flow.encode(condition), 400
        for i in range(steps, 0, -1):
            middle = x - flow.velocity(features, x, i / steps) / (2 * steps)
            x = x - flow.velocity(features, middle, (i - 0.5) / steps) / steps
        return x

    jacobian = torch.autograd.functional.jacobian(to_noise, image).reshape(4, 4)
    normal = torch.distributions.Normal(0, 1).log_prob(to_noise(image)).sum()
    expected = normal + torch.linalg.slogdet(jacobian).logabsdet
    found, _ = flow.log_density(condition, image, probes=0, steps=200)
    assert found.item() == pytest.approx(expected.item(), abs=0.01)


def test_only_holes_are_filled_where_the_rest_is_known() -> None:
    with pytest.raises(ConfigError, match="keep_known needs images with holes"):
        FlowConfig(**SMALL, keep_known=True).build(NoRandomnessConfig().build(SHAPES), SHAPES)
    for channels in (3, 1):
        flow = Flow(Shapes(4, channels, (16, 24)), FlowConfig(**SMALL, keep_known=True, shows_known=True)).eval()
        condition = torch.rand(1, 4, 16, 24) * 2 - 1
        condition[:, 3] = -1
        condition[:, 3, 4:8, 4:12] = 1
        image = flow(condition, flow.draw([(0, 0)])[None])[0, 0]
        outside = condition[0, 3] < 0
        assert torch.equal(image[:, outside], condition[0, :channels, outside])
        assert not torch.equal(image[:, ~outside], condition[0, :channels, ~outside])


@pytest.mark.parametrize("predicts", ["velocity", "image"])
def test_what_is_known_is_seen_without_noise_and_costs_nothing(predicts: str) -> None:
    torch.manual_seed(3)
    given = FlowConfig(**SMALL, predicts=predicts).for_condition("inpaint:centre")
    flow = Flow(Shapes(4, 3, (16, 24)), given)
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.1)
    image, noise, condition = torch.rand(2, 3, 16, 24) * 2 - 1, torch.randn(2, 3, 16, 24), torch.zeros(2, 4, 16, 24)
    condition[:, 3] = -1
    condition[0, 3, 4:8, 4:12] = 1
    condition[1, 3, 2:14, 2:5] = 1
    hole = condition[:, 3:] > 0
    condition[:, :3] = torch.where(hole, 0, image)
    times, kept = torch.tensor([0.3, 0.8]), torch.tensor([True, True])
    other = torch.where(hole, noise, torch.randn_like(noise))
    errors = [flow.velocity_error(condition, image, one, times, kept) for one in (noise, other)]
    assert torch.allclose(*errors), "the noise around a hole is not seen, and its error does not count"
    codes = [one.flatten(1)[:, None] for one in (noise, other)]
    assert torch.equal(flow(condition, codes[0]), flow(condition, codes[1]))
    if predicts == "velocity":
        again = flow(condition, flow.invert(condition, flow(condition, codes[0])[:, 0])[:, None])
        assert torch.allclose(again, flow(condition, codes[0]), atol=0.02)
    with torch.no_grad():
        densities = [flow.log_density(condition, one, probes=2, steps=4)[0] for one in (image, image.where(hole, 0.5))]
    assert torch.allclose(*densities), "the density of what fills the hole, given what is around it"


def test_detail_is_added_to_the_enlargement_of_a_low_resolution() -> None:
    torch.manual_seed(4)
    shapes, given = Shapes(3, 3, (16, 24)), FlowConfig(**SMALL).for_condition("superres:4")
    with pytest.raises(ConfigError, match="enlarges needs its own low resolution first"):
        given.build(NoRandomnessConfig().build(shapes), Shapes(2, 3, (16, 24)))
    flow = Flow(shapes, given).eval()
    small = torch.rand(2, 3, 4, 6) * 1.6 - 0.8
    condition = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    enlarged = nn.functional.interpolate(small, scale_factor=4, mode="bicubic")
    torch.testing.assert_close(flow.enlarged(condition), enlarged)

    codes = flow.draw([(0, 0), (0, 1)])
    for parameter in flow.network.parameters():
        nn.init.zeros_(parameter)  # no velocity: the noise itself is the detail
    image = flow.decode(flow.encode(condition), codes)
    torch.testing.assert_close(image, (enlarged + DETAIL * codes.view(2, 3, 16, 24)).clamp(-1, 1))
    noise, times, kept = torch.zeros_like(image), torch.tensor([0.3, 0.7]), torch.tensor([True, False])
    error = flow.velocity_error(condition, enlarged + DETAIL, noise, times, kept)
    torch.testing.assert_close(error, torch.ones(2))  # the detail is 1 everywhere


def test_the_detail_of_an_image_has_a_code_and_a_density() -> None:
    torch.manual_seed(5)
    flow = Flow(Shapes(1, 1, (2, 4)), FlowConfig(widths=(8,), patch=1, enlarges=2))
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.05)
    small = torch.rand(1, 1, 1, 2) - 0.5
    condition = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    image = flow.enlarged(condition) + 0.05 * torch.randn(1, 1, 2, 4)
    code = flow.invert(condition, image)
    torch.testing.assert_close(flow.decode(flow.encode(condition), code), image, atol=1e-4, rtol=0)
    plain = Flow(Shapes(1, 1, (2, 4)), FlowConfig(widths=(8,), patch=1))
    plain.load_state_dict(flow.state_dict())
    detail = (image - flow.enlarged(condition)) / DETAIL
    of_detail = plain.log_density(flow.enlarged(condition), detail, probes=0)[0]
    of_image = flow.log_density(condition, image, probes=0)[0]
    torch.testing.assert_close(of_image, of_detail - 8 * math.log(DETAIL))


def test_steps_are_shorter_where_it_is_decided_what_is_drawn() -> None:
    even = small(sampler=Sampler(steps=4, spacing=1)).times()
    assert even == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    lengths = [end - start for start, end in small(sampler=Sampler(steps=4, spacing=2)).times()]
    assert lengths == sorted(lengths)
    assert sum(lengths) == pytest.approx(1)


def test_the_best_step_is_that_of_the_velocitys_error() -> None:
    objective, flow = FlowMatching(FlowMatchingConfig()), small()
    batch = Batch(torch.rand(2, 2, 16, 24), torch.rand(2, 3, 16, 24), torch.arange(2), torch.arange(2))
    errors = objective.held_out(flow, batch)
    assert errors.mean().item() == pytest.approx(
        next(objective.updates(flow, batch, 0))["generator"]["velocity"].item(), rel=1e-5
    )


def test_the_error_is_that_of_image_minus_noise() -> None:
    flow = small()
    image, noise = torch.rand(3, 3, 16, 24), torch.randn(3, 3, 16, 24)
    times, kept = torch.tensor([0.1, 0.5, 0.95]), torch.tensor([True, True, False])
    condition = torch.rand(3, 2, 16, 24)
    x = noise + times[:, None, None, None] * (image - noise)
    parts = tuple(part * kept[:, None, None, None] for part in flow.network.parts(condition))
    found = flow.slope(x, times, parts, condition)
    expected = (found - (image - noise)).square().flatten(1).mean(1)
    assert torch.allclose(flow.velocity_error(condition, image, noise, times, kept), expected, rtol=1e-5)
    other = small(predicts="image")
    errors = other.velocity_error(condition, image, noise, times, kept)
    away = (other.slope(x, times, parts, condition) - (image - noise)).square().flatten(1).mean(1)
    assert torch.allclose(errors[:2], away[:2], rtol=1e-4)
    assert errors[2] == pytest.approx(float(away[2]) * 0.05**2 / 0.2**2, rel=1e-3)  # near the image it is bounded


def test_times_noise_and_dropped_conditions_follow_from_the_key() -> None:
    objective, flow = FlowMatching(FlowMatchingConfig(unconditional=0.25)), small()
    keys = torch.arange(4000)
    times, kept = objective.chances(keys)
    assert times.logit().mean() == pytest.approx(-0.6, abs=0.06)
    assert times.logit().std() == pytest.approx(1, abs=0.05)
    assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
    assert objective.chances(keys[7:9])[0].equal(times[7:9])
    batch = Batch(torch.rand(2, 2, 16, 24), torch.rand(2, 3, 16, 24), keys[:2], keys[:2])
    whole = next(objective.updates(flow, batch, 0))["generator"]["velocity"]
    halves = [
        next(objective.updates(flow, Batch(*(one[i : i + 1] for one in batch[:4])), 0))["generator"]["velocity"]
        for i in range(2)
    ]
    assert float(whole) == pytest.approx(float(sum(halves)) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sampler.steps": 0}, "sampler.steps"),
        ({"sampler.guidance": -1}, "sampler.guidance"),
        ({"generator.earlier_at": 1}, "earlier_at"),
        ({"generator.sampler.guide": "earlier"}, r"early in training; train with --generator\.earlier_at 0\.15"),
        ({"generator.widths": []}, "widths"),
        ({"objective": {"kind": "squared_error"}}, "can be trained only by objective flow_matching"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method("flow", options)


def test_only_a_flow_has_a_velocity_to_match() -> None:
    with pytest.raises(ConfigError, match="flow_matching trains only generator flow"):
        method("pix2pix", {"objective": {"kind": "flow_matching"}})


@pytest.mark.parametrize("words", ["superres:4", "inpaint"])
def test_what_is_joined_to_pixels_changes_none_of_them(words: str) -> None:
    """A hole or a low resolution comes first; the channels after it condition the network and nothing else."""
    torch.manual_seed(6)
    given = FlowConfig(**SMALL).for_condition(f"{words}+class")
    channels = 4 if words == "inpaint" else 3
    alone, joined = (Flow(Shapes(channels + more, 3, (16, 24)), given).eval() for more in (0, 2))
    small = torch.rand(1, channels, 4, 6) * 1.6 - 0.8
    condition = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    with_class = torch.cat([condition, torch.ones(1, 1, 16, 24), torch.zeros(1, 1, 16, 24)], dim=1)
    for flow in (alone, joined):
        for parameter in flow.network.parameters():
            nn.init.zeros_(parameter)
    code = alone.draw([(0, 0)])
    assert torch.equal(alone(condition, code[None]), joined(with_class, code[None]))
    image, noise = torch.rand(1, 3, 16, 24), torch.randn(1, 3, 16, 24)
    times, kept = torch.tensor([0.4]), torch.tensor([True])
    errors = [
        flow.velocity_error(one, image, noise, times, kept) for flow, one in ((alone, condition), (joined, with_class))
    ]
    assert torch.equal(*errors)


def test_what_a_flow_expects_first_must_be_there() -> None:
    for words, other in (("superres:4", "superres:2"), ("superres:4+class", "class"), ("inpaint:centre", "edges")):
        given = FlowConfig(**SMALL).for_condition(words)
        given.check_data(Spelled(words))
        with pytest.raises(ConfigError, match=r"generator\.(enlarges|keep_known) needs"):
            given.check_data(Spelled(other))


class Spelled(NamedTuple):
    spelling: str
    channels: int = 3
    noun: str = "condition"
