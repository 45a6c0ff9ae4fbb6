"""Does the doctor see whether a training still goes on?"""

from __future__ import annotations

import pytest

from variegate.evaluation.doctor import progress

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
