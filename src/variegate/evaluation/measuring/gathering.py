"""Run measurements one by one, so that one that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from ...core.errors import VariegateError
from ...runs.measured import Measured, Results

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Gathered:
    """The measurements so far.

    Attributes:
        results: the measured values.
        skipped: one sentence per measurement that failed: which one, why, and the remedy.
    """

    def __init__(self) -> None:
        self.results = Results()
        self.skipped: list[str] = []

    def add(self, what: str, compute: Callable[[], Mapping[str, Measured]]) -> None:
        """Add the result of a measurement, or skip it if it fails."""
        self.results.add(self.attempt(what, compute) or {})

    def attempt(self, what: str, compute: Callable[[], T]) -> T | None:
        """The result; if it raises a VariegateError, None, and `what` is skipped."""
        try:
            return compute()
        except VariegateError as error:
            self.skip(f"{what}: {error}")
            return None

    def skip(self, sentence: str) -> None:
        self.skipped.append(sentence)
        logger.warning("skipped %s", sentence)
