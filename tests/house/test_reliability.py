"""The quick form of the reliability campaign: every part finds nothing, and would find something."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.shared import ROOT

PARTS = ("kills", "fuzz", "disk", "rename", "clock", "lock")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """In a process of its own, which forks before it computes anything."""
    folder = tmp_path_factory.mktemp("reliability")
    words = ["--quick", "--out", folder / "found.json", "--work", folder / "work"]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.reliability", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert (folder / "found.json").is_file(), ended.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_lost_and_every_error_is_a_sentence(campaign: dict[str, Any], part: str) -> None:
    rows = campaign[part]["rows"]
    assert rows
    assert [failure for row in rows for failure in row["failures"]] == []


def test_the_faults_happened(campaign: dict[str, Any]) -> None:
    assert sum(row["kills"] for row in campaign["kills"]["rows"]) == 2
    ends = [row["ends"] for row in campaign["disk"]["rows"]]
    assert all(one.get("refused") for one in ends), "a full disk ended training"
    assert all(row["ends"].get("killed") == row["faults"] for row in campaign["rename"]["rows"])
    fuzz = campaign["fuzz"]["rows"]
    assert sum(row["inputs"] for row in fuzz) == 100
    assert sum(row["refused"] for row in fuzz) > 30
    assert len(fuzz) > 15


@pytest.mark.core
def test_two_runs_that_differ_in_one_bit_are_told_apart(tmp_path: Path) -> None:
    import torch
    from benchmarks.reliability.trials import unequal

    one = {"a": [torch.zeros(3), 1.0], "b": {"c": torch.ones(2)}}
    two = {"a": [torch.tensor([0.0, 0.0, 1e-45]), 1.0], "b": {"c": torch.ones(2)}}
    assert unequal(one, one) == []
    assert unequal(one, two) == [".a.0"]
    assert unequal(one, {"a": one["a"]}) == [": ['b']"]


@pytest.mark.core
def test_a_reader_that_raises_hangs_writes_or_says_two_sentences_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.reliability import fuzz
    from benchmarks.reliability.targets import Target

    from variegate.core.errors import DataError

    def ended(act: Any) -> str:
        return fuzz.attempt(tmp_path / "x", Target("x", tmp_path / "x", lambda *_: b"", act), tmp_path)["how"]

    def refuse(words: str) -> None:
        raise DataError(words)

    def forever(_: Path) -> None:
        while True:
            pass

    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    before = fuzz.signal.signal(fuzz.signal.SIGPROF, fuzz.hang)
    try:
        assert ended(lambda _: None) == "accepted"
        assert ended(lambda _: refuse("x: is damaged")) == "refused"
        assert ended(lambda _: refuse("x:\nis damaged")) == "more than one sentence"
        assert ended(lambda _: {}["key"]) == "traceback"
        assert ended(lambda path: path.write_bytes(b"y")) == "overwrote"
        assert ended(forever) == "hung"
    finally:
        fuzz.signal.signal(fuzz.signal.SIGPROF, before)


@pytest.mark.core
def test_damage_is_a_function_of_its_number() -> None:
    from benchmarks.reliability import damage

    content = bytes(range(256))
    ways = [damage.any_bytes(random.Random(i), content, b"other" * 20) for i in range(50)]
    assert ways == [damage.any_bytes(random.Random(i), content, b"other" * 20) for i in range(50)]
    assert len(set(ways)) > 40
