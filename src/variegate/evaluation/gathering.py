"""Measurements one after the other, none of which takes the others with it when it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from ..core.errors import VariegateError
from ..runs.measured import Measured, Results

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Gathered:
    """What was measured so far.

    Attributes:
        results: the numbers.
        skipped: a sentence for each measurement that could not be made: which, why, and what would help.
    """

    def __init__(self) -> None:
        self.results = Results()
        self.skipped: list[str] = []

    def add(self, what: str, compute: Callable[[], Mapping[str, Measured]]) -> None:
        """Add what is measured, or skip it if it cannot be."""
        self.results.add(self.attempt(what, compute) or {})

    def attempt(self, what: str, compute: Callable[[], T]) -> T | None:
        """The result; None, and `what` is skipped, if an error in words is raised."""
        try:
            return compute()
        except VariegateError as error:
            self.skip(f"{what}: {error}")
            return None

    def skip(self, sentence: str) -> None:
        self.skipped.append(sentence)
        logger.warning("skipped %s", sentence)
