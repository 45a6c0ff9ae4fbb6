"""Stopping on a signal, between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from ..core.errors import Interrupted


class Stop:
    """Turns the first SIGTERM or SIGINT into a flag that the loop reads between steps; the second stops at once."""

    def __init__(self) -> None:
        self.asked = 0  # number of the signal
        self.previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        try:
            self.previous = {number: signal.signal(number, self.ask) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # not the main thread: the caller handles signals
            self.previous = {}
        return self

    def ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted("stopped at once, without a checkpoint of the last steps; continue with --resume", number)
        self.asked = number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
