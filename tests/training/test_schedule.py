"""Learning rates over a training."""

from __future__ import annotations

import pytest

from variegate.core.config import Training

pytestmark = pytest.mark.core


def test_a_rate_rises_over_the_warm_up_and_then_follows_its_kind() -> None:
    training = Training(steps=20, schedule={"kind": "linear", "start": 0.5, "warmup_steps": 4})
    factors = [training.rate_factor(step) for step in range(20)]
    assert factors[:4] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert factors[4:10] == [1.0] * 6
    assert factors[15] == pytest.approx(0.5)
    assert Training(steps=20).rate_factor(0) == 1
