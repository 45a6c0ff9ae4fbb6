"""Does the doctor see whether a training still goes on?"""

from __future__ import annotations

import pytest

from variegate.core.config import Training
from variegate.data.dataset.opening import DataConfig
from variegate.evaluation.doctor.diagnosis import by_heart, holes_vary, progress

pytestmark = pytest.mark.core


def test_bits_are_looked_at_before_errors_and_little_is_not_falling() -> None:
    errors = [{"val/best_of_8": value} for value in (0.4, 0.3, 0.2, 0.1)]
    assert progress(errors) == ["Still falling, best-of-8 error: 0.300 to 0.100; more steps will help."]
    bits = [{"val/bits_per_dim": value} for value in (2.0, 1.6, 1.59, 1.61)]
    [told] = progress(errors + bits)
    assert told == (
        "No longer falling, bits per dimension of held-out images: 1.600 to 1.590; more steps will help little."
    )
    assert progress(errors[:3]) == []


def lines(held: list[float], training: list[float], key: str = "val/error") -> list[dict[str, float]]:
    """A log with a look every 100 steps; the sensitivity falls with every look."""
    log: list[dict[str, float]] = []
    for i, (error, loss) in enumerate(zip(held, training), start=1):
        log.append({"step": 100 * i, "generator/l1": loss, "generator/adversarial": 10.0 * i})
        log.append({"step": 100 * i, key: error, "val/code_sensitivity": 0.5 / i})
    return log


RISING = [0.3, 0.2, 0.21, 0.25]
FALLING = [0.4, 0.3, 0.2, 0.1]
TOLD = (
    "It learns its images by heart: error on held-out pairs rose from 0.200 at step 200 to 0.250, while the error on "
    "training images fell, and codes change less (0.25 to 0.12). "
)


@pytest.mark.parametrize(
    ("training", "advice"),
    [
        (Training(), "Give more pairs, --flip true, --jitter 1.1, a narrower network, or --keep best --patience 5."),
        (Training(flip=True), "Give more pairs, --jitter 1.1, a narrower network, or --keep best --patience 5."),
        (Training(keep="best"), "The model of step 200 is kept; more steps will not help, more pairs may."),
    ],
)
def test_learning_by_heart_is_told_with_what_helps(training: Training, advice: str) -> None:
    assert by_heart(lines(RISING, FALLING), training) == TOLD + advice


@pytest.mark.parametrize(
    ("condition", "fresh", "advised"),
    [
        ("inpaint", False, True),
        ("inpaint", True, False),
        ("inpaint:centre", False, False),
        ("superres:4", False, False),
    ],
)
def test_fresh_holes_are_advised_where_holes_can_vary_and_do_not(condition: str, fresh: bool, advised: bool) -> None:
    varying = holes_vary(DataConfig(path="streets:4", size=(32, 32), condition=condition).open().condition)
    told = by_heart(lines(RISING, FALLING), Training(fresh_holes=fresh), varying)
    assert told is not None
    assert ("--fresh-holes true" in told) is advised


@pytest.mark.parametrize(
    ("held", "training", "key"),
    [
        ([0.3, 0.2, 0.15, 0.1], FALLING, "val/error"),
        ([0.3, 0.2, 0.2, 0.205], FALLING, "val/error"),
        ([0.3, 0.2, 0.21, 0.3], [0.4, 0.3, 0.4, 0.5], "val/error"),
        (RISING, FALLING, "val/best_of_8"),
        ([], [], "val/error"),
    ],
    ids=["falls", "hardly rises", "diverges", "sharper samples", "no looks"],
)
def test_other_trainings_are_not_learning_by_heart(held: list[float], training: list[float], key: str) -> None:
    assert by_heart(lines(held, training, key), Training()) is None
