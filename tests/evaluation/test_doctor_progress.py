"""Does the doctor see whether a training still goes on?"""

from __future__ import annotations

import pytest

from variegate.evaluation.doctor import by_heart, progress

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


def lines(held: list[float], training: list[float], sensitivity: float = 0.5) -> list[dict[str, float]]:
    """A log with a look every 100 steps; the sensitivity falls with every look."""
    log: list[dict[str, float]] = []
    for i, (error, loss) in enumerate(zip(held, training), start=1):
        log.append({"step": 100 * i, "generator/l1": loss, "generator/adversarial": 10.0 * i})
        log.append({"step": 100 * i, "val/best_of_8": error, "val/code_sensitivity": sensitivity / i})
    return log


def test_learning_by_heart_is_told_with_what_helps() -> None:
    told = by_heart(lines([0.3, 0.2, 0.21, 0.25], [0.4, 0.3, 0.2, 0.1]))
    assert told == (
        "It learns its images by heart: best-of-8 error rose from 0.200 at step 200 to 0.250, while the error on "
        "training images fell, and codes change less (0.25 to 0.12). Give more pairs, --flip true, --jitter 1.1 or a "
        "narrower network; --keep best keeps step 200."
    )


@pytest.mark.parametrize(
    ("held", "training"),
    [
        ([0.3, 0.2, 0.15, 0.1], [0.4, 0.3, 0.2, 0.1]),
        ([0.3, 0.2, 0.2, 0.205], [0.4, 0.3, 0.2, 0.1]),
        ([0.3, 0.2, 0.21, 0.3], [0.4, 0.3, 0.4, 0.5]),
        ([], []),
    ],
    ids=["falls", "hardly rises", "diverges", "no looks"],
)
def test_other_trainings_are_not_learning_by_heart(held: list[float], training: list[float]) -> None:
    assert by_heart(lines(held, training)) is None
