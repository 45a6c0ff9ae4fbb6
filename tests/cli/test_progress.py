"""Long work says how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.live import Live

from variegate.core import progress
from variegate.core.progress import ProgressLine, quietly, watched


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of progress lines, which only the test moves; threads beside it keep theirs."""
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def slowly(clock: list[float], seconds: float, count: int) -> Iterator[int]:
    for i in range(count):
        clock[0] += seconds
        yield i


def test_short_work_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(watched(slowly(clock, 0.4, 10), "counting", 10)) == list(range(10))
    assert capsys.readouterr() == ("", "")


def test_long_work_says_how_far_it_is_and_the_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    assert list(watched(slowly(clock, 4, 6), "counting", 6)) == list(range(6))
    out, lines = capsys.readouterr()
    assert out == ""
    assert [line.rstrip() for line in lines.splitlines()] == [
        "counting: 2/6, 6.0 s each, 24 s left",
        "counting: 5/6, 4.8 s each, 5 s left",
        "counting: 6/6, 4.0 s each, 0 s left",
    ]


def test_quiet_work_is_silent(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with quietly():
        assert list(watched(slowly(clock, 4, 6), "counting", 6)) == list(range(6))
    assert capsys.readouterr() == ("", "")


def test_work_that_is_left_early_ends_its_line(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    monkeypatch.setattr(ProgressLine, "close", lambda line: closed.append(line.title))
    for i in watched(slowly(clock, 4, 6), "counting", 6):
        if i == 3:
            break
    assert closed == ["counting"]


def test_a_second_bar_on_a_terminal_does_not_disturb_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(stderr=True, force_terminal=True)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    with Live(console=console):
        inner = ProgressLine("inner", 0, 2)
        inner.to(1)
        inner.close()
