"""rcGAN: the deviation's scale, the calibrated gain, and a reward that is steered towards it."""

from __future__ import annotations

import pytest
import torch

from variegate.core.errors import ConfigError
from variegate.core.interfaces import Batch, Shapes
from variegate.evaluation.metrics.calibration import averaging_gain
from variegate.losses.deviation import calibrated_gain, calibrated_reward, deviation, mean_l1
from variegate.methods import method
from variegate.objectives.deviation_reward import DeviationReward

SHAPES = Shapes(3, 3, (32, 32))


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_deviation_of_gaussian_samples_is_their_standard_deviation(count: int) -> None:
    samples = 0.3 * torch.randn(2000, count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert deviation(samples).item() == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("count", [2, 8])
def test_the_calibrated_reward_is_best_at_the_true_deviation(count: int) -> None:
    """Gaussian samples around the right mean: the loss is least where their deviation is that of the images."""
    stream = torch.Generator().manual_seed(1)
    image = torch.randn(4000, 1, 8, 8, generator=stream)
    noise = torch.randn(4000, count, 1, 8, 8, generator=stream)
    losses = {
        scale: float(mean_l1(image, scale * noise) - calibrated_reward(count) * deviation(scale * noise))
        for scale in (0.5, 0.8, 1.0, 1.25, 2.0)
    }
    assert min(losses, key=losses.__getitem__) == 1.0


@pytest.mark.parametrize(
    ("spread", "low", "high"), [(0.0, 0.0, 0.6), (0.5, 0.6, 0.9), (1.0, 0.97, 1.03), (2.0, 1.3, 3)]
)
def test_the_gain_tells_too_little_spread_from_too_much(spread: float, low: float, high: float) -> None:
    stream = torch.Generator().manual_seed(2)
    truth = torch.randn(200, 3, 8, 8, generator=stream)
    samples = spread * torch.randn(200, 8, 3, 8, 8, generator=stream)
    assert low <= averaging_gain([(samples[:100], truth[:100]), (samples[100:], truth[100:])]) <= high


def test_the_reward_rises_for_samples_that_agree_and_falls_for_wild_ones() -> None:
    objective = method("rcgan", {"width": 4}).build_objective(SHAPES)
    assert isinstance(objective, DeviationReward)
    image, noise = torch.rand(64, 3, 8, 8), torch.randn(64, 2, 3, 8, 8)
    for _ in range(50):
        objective.steer(image, torch.zeros(64, 2, 3, 8, 8))
    risen = objective.reward.item()
    assert risen == pytest.approx(1 + 50 * 0.005 * 10 * torch.tensor(calibrated_gain(2)).log10().item(), rel=1e-3)
    for _ in range(200):
        objective.steer(image, 5 * noise)
    assert objective.reward.item() < risen
    assert "reward" in objective.state_dict(), "a resumed run goes on with it"


def test_both_terms_reach_the_generator() -> None:
    chosen = method("rcgan", {"width": 4, "batch_size": 2})
    objective, generator = chosen.build_objective(SHAPES), chosen.build_generator(SHAPES)
    batch = Batch(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.arange(2), torch.arange(2))
    moves = list(objective.updates(generator, batch, 0))
    assert [list(move) for move in moves] == [["discriminator"], ["generator"]]
    terms = moves[1]["generator"]
    assert set(terms) == {"mean", "deviation", "adversarial"}
    assert terms["deviation"].item() < 0
    assert torch.stack(list(terms.values())).sum().requires_grad


def test_one_sample_has_no_deviation() -> None:
    with pytest.raises(ConfigError, match="samples"):
        method("rcgan", {"objective.samples": 1})
    with pytest.raises(ConfigError, match="without randomness"):
        method("rcgan", {"randomness": {"kind": "none"}})
