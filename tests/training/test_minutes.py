"""`--minutes`: what is chosen fits the time, is written down, and is repeated by a resumed run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from variegate import train
from variegate.core.errors import ConfigError
from variegate.core.method import Method
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.pairs import Pairs
from variegate.methods import METHODS
from variegate.methods.budgets import BUDGETS
from variegate.methods.registry import method
from variegate.runs.config import budget_of
from variegate.runs.folder import RunFolder
from variegate.training import minutes
from variegate.training.minutes import Pace, plan, sizes_of, time_reading

TIGHT = {"data": "streets:40", "size": 32, "quiet": True}


def test_every_method_has_a_budget_whose_options_exist() -> None:
    assert set(BUDGETS) == set(METHODS)
    for name in BUDGETS:
        budget = budget_of(method(name))
        for rung in budget.rungs:
            assert isinstance(method(name, {**budget.options, **rung}), Method)


def test_a_generator_without_a_setting_does_without() -> None:
    given = {name: budget_of(method("dsgan", {"task": name})).options for name in ("translation", "inpainting")}
    assert "generator.upsampling" in given["translation"]
    assert given["inpainting"] == {"batch_size": 8}


def test_a_run_takes_about_the_time_and_resumes_with_what_was_chosen(tmp_path: Path) -> None:
    began = time.monotonic()
    folder = train("flow", out=tmp_path / "run", minutes=0.5, **TIGHT)
    assert 10 < time.monotonic() - began < 90
    config = RunFolder(folder).config
    assert config.method.training.steps >= 20
    again = train("flow", out=folder, minutes=0.1, resume=True, **TIGHT)
    assert RunFolder(again).config == config
    with pytest.raises(ConfigError, match="already contains a run"):
        train("flow", out=folder, minutes=0.5, **TIGHT)


def paced(monkeypatch: pytest.MonkeyPatch, seconds: dict[float, float]) -> None:
    """Steps that take as long as the first width of the network says."""

    def pace(config: object, pairs: object, limit: float | None) -> float | None:
        step = seconds[config.method.generator.widths[0]]  # type: ignore[attr-defined]
        return None if limit and step > limit else step

    monkeypatch.setattr(minutes, "time_steps", pace)
    monkeypatch.setattr(minutes, "time_look", lambda config, pairs: 0.1)


def test_the_widest_network_with_enough_steps_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, {48: 1.0, 32: 0.1, 16: 0.02})
    chosen = plan(10, "flow", "streets:20", {"size": 64})
    assert chosen.config.method.generator.widths[0] == 32  # type: ignore[attr-defined]
    assert chosen.steps == pytest.approx(5690, abs=60)
    assert "64x64 pixels, " in str(chosen)
    paced(monkeypatch, {48: 9.0, 32: 8.0, 16: 5.0})
    assert plan(10, "flow", "streets:20", {"size": 64}).steps == pytest.approx(113, abs=3), "the last is taken anyway"
    assert plan(10, "flow", "streets:20", {"size": 64, "batch_size": 3}).config.method.training.batch_size == 3


def test_pairs_are_read_from_disk_once_only() -> None:
    pace = Pace(later=1.0, reading=3.0, visits=10)
    assert pace.steps(20) == 5, "all of them with pairs that are read"
    assert pace.steps(40) == 10
    assert pace.steps(60) == 30, "the rest with pairs in memory"
    assert pace.seconds(30) == 60


def test_later_visits_of_a_pair_are_the_faster_ones() -> None:
    pairs = DataConfig(path="streets:300", size=64).open()
    assert pairs.fits_in_memory
    assert time_reading(pairs) > 1e-4
    assert not Pairs(replace(pairs.source, cache_bytes=1000), "train").fits_in_memory


def test_fewer_checkpoints_if_samples_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, {48: 1.0, 32: 0.1, 16: 0.02})
    monkeypatch.setattr(minutes, "time_look", lambda config, pairs: 20)
    chosen = plan(10, "flow", "streets:20", {"size": 64})
    assert chosen.config.run.save_every == pytest.approx(chosen.steps / 2, rel=0.01)
    assert chosen.steps == pytest.approx(5300, abs=60)


def test_what_is_trained_first_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, {48: 0.1, 32: 0.1, 16: 0.1})
    config = plan(10, "flow-student", "streets:20", {"size": 32}).config
    assert config.method.previous is not None
    own, first = config.method.training.steps, config.method.previous.training.steps
    assert own == pytest.approx(first, rel=0.05)
    assert (own + first) * 0.1 < 600


def test_sizes_are_those_that_images_have() -> None:
    def sizes(data: str, size: int | None = None) -> list[tuple[int, int]]:
        return sizes_of(DataConfig(path=data, size=size).open(), size)

    assert sizes("streets:20", 256) == [(256, 256)]
    assert sizes("streets:20") == [(64, 64), (32, 32)]
    assert sizes("digits") == [DataConfig(path="digits").open().size]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"minutes": 0}, "--minutes must be above 0"),
        ({"minutes": 10, "steps": 5}, "--minutes chooses the number of steps"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, float], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        train("flow", out=tmp_path / "run", **given, **TIGHT)


def test_too_little_time_is_said_with_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    paced(monkeypatch, {48: 9.0, 32: 9.0, 16: 6.0})
    with pytest.raises(
        ConfigError, match=r"--minutes 1 is too short for flow here, where a step takes 6 s; give at least"
    ):
        plan(1, "flow", "streets:20", {"size": 64})
