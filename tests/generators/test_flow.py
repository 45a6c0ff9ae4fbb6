"""The solver reaches what the equation says, and its steps can be undone; the objective asks for the right velocity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Shapes
from variegate.generators.flow import Flow, FlowConfig, Sampler
from variegate.methods import method
from variegate.objectives.flow_matching import FlowMatching, FlowMatchingConfig

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
    unseen = one.slope(x, torch.full((1,), 0.5), tuple(torch.zeros_like(part) for part in features.state))
    assert torch.allclose(free, unseen, atol=1e-6)


@pytest.mark.parametrize("kind", ["heun", "euler"])
def test_an_image_has_a_code_that_draws_it(kind: str) -> None:
    flow = small(sampler=Sampler(kind=kind, steps=8))
    condition, image = torch.rand(2, 2, 16, 24), torch.rand(2, 3, 16, 24) * 1.6 - 0.8
    code = flow.invert(condition, image)
    again = flow(condition, code[:, None])[:, 0]
    assert (again - image).abs().max() < 1 / 255
    assert not torch.allclose(code, image.flatten(1), atol=0.05)


def test_the_error_is_that_of_image_minus_noise() -> None:
    flow = small()
    image, noise = torch.rand(3, 3, 16, 24), torch.randn(3, 3, 16, 24)
    times, kept = torch.tensor([0.1, 0.5, 0.95]), torch.tensor([True, True, False])
    condition = torch.rand(3, 2, 16, 24)
    x = noise + times[:, None, None, None] * (image - noise)
    parts = tuple(part * kept[:, None, None, None] for part in flow.network.parts(condition))
    found = flow.slope(x, times, parts)
    expected = (found - (image - noise)).square().flatten(1).mean(1)
    assert torch.allclose(flow.velocity_error(condition, image, noise, times, kept), expected, rtol=1e-5)
    other = small(predicts="image")
    errors = other.velocity_error(condition, image, noise, times, kept)
    away = (other.slope(x, times, parts) - (image - noise)).square().flatten(1).mean(1)
    assert torch.allclose(errors[:2], away[:2], rtol=1e-4)
    assert errors[2] == pytest.approx(float(away[2]) * 0.05**2 / 0.2**2, rel=1e-3)  # near the image it is bounded


def test_times_noise_and_dropped_conditions_follow_from_the_key() -> None:
    objective, flow = FlowMatching(FlowMatchingConfig(unconditional=0.25)), small()
    keys = torch.arange(4000)
    times, kept = objective.chances(keys)
    assert times.logit().mean().abs() < 0.06
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
