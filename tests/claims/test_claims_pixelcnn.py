"""PixelCNN's claims are judged by what was measured: invented numbers under which each holds, and does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from benchmarks.claims import pixelcnn
from benchmarks.claims import pixelcnn_measures as measures
from benchmarks.claims.pixelcnn_trials import AUTOENCODERS, BY_CLASS, GATED_AND_PLAIN
from benchmarks.claims.runs import Claim, Settings, Trial

from variegate.core.interfaces import Shapes
from variegate.methods import method

SEEDS = 3
CIFAR = "CIFAR-10 at 16x16"
SETS = list(GATED_AND_PLAIN)
Numbers = dict[str, list[float]]
Invent = Callable[[dict[tuple[str, str], list[float]]], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@pytest.fixture
def invent(monkeypatch: pytest.MonkeyPatch) -> Invent:
    """Numbers in the place of trainings, all claims holding but for those that are changed: by trial and metric."""
    monkeypatch.setattr(pixelcnn, "portraits", lambda _: SimpleNamespace(name="portraits"))

    def begin(changed: dict[tuple[str, str], list[float]]) -> None:
        def numbers(trial: SimpleNamespace, settings: Settings, name: str, measured: object) -> Numbers:
            mine = {metric: values for (one, metric), values in changed.items() if one == trial.name}
            return values_of(trial.name, name) | mine

        monkeypatch.setattr(pixelcnn, "over_seeds", numbers)

    begin({})
    return begin


def values_of(trial: str, name: str) -> Numbers:
    found = {
        "recognised": {"drawn": 0.5, "real": 0.9},
        "ways": {"adjacent": 0.02, "largest": 0.05, "ends": 0.1, "two codes": 0.15},
        "stored": {"over": 1.01, "bits per value": 2.0},
        "reconstruction": {"sharpness": 0.4, "rmse": 0.1}
        if "squared error" in trial
        else {"sharpness": 1.1, "rmse": 0.2, "swapped": 0.3},
    }[name]
    return {metric: [value] * SEEDS for metric, value in found.items()}


def rows(**bits: float) -> dict[str, Numbers]:
    """Bits per dimension: gated 2, plain 2.1, without class 2.02, in every seed; of the last seed, what is changed."""
    level = {pair[0].name: 2.0 for pair in GATED_AND_PLAIN.values()}
    level |= {pair[1].name: 2.1 for pair in GATED_AND_PLAIN.values()}
    level |= {pair[1].name: 2.01 for pair in BY_CLASS.values()} | {BY_CLASS[CIFAR][0].name: 2.0}
    return {
        name: {"bits_per_dim": [value, value, bits.get(name, value)], "parameters": [0.1] * SEEDS}
        for name, value in level.items()
    }


def test_gated_beats_plain_in_every_seed_and_on_every_data_set() -> None:
    found = pixelcnn.gated(rows(), SETS)
    assert found.holds
    assert len(found.measured) == 2 * len(SETS)
    for _, plain in GATED_AND_PLAIN.values():
        for value in (1.9, 2.0, float("nan")):
            assert not pixelcnn.gated(rows(**{plain.name: value}), SETS).holds


def test_a_class_is_recognised_in_every_seed_and_hardly_changes_the_likelihood(
    invent: Invent, settings: Settings
) -> None:
    def judged(numbers: dict[str, Numbers]) -> list[Claim]:
        return [pixelcnn.by_class(numbers, name, settings) for name in BY_CLASS]

    found = judged(rows())
    assert [claim.id for claim in found] == ["class-digits", "class-cifar-10"]
    assert all(claim.holds for claim in found)
    name = GATED_AND_PLAIN["digits"][0].name
    invent({(name, "drawn"): [0.5, 0.5, 0.29]})
    assert [claim.holds for claim in judged(rows())] == [False, True]
    invent({})
    for far in (1.97, 2.03):
        changed = rows(**{BY_CLASS[CIFAR][1].name: far})
        assert [claim.holds for claim in judged(changed)] == [True, False]


def test_ways_are_smooth_where_steps_are_small_beside_the_ends_and_beside_chance(
    invent: Invent, settings: Settings
) -> None:
    assert all(claim.holds for claim in pixelcnn.interpolation(settings))
    for changed in (
        {"adjacent": [0.02, 0.02, 0.08]},
        {"adjacent": [0.02, 0.02, 0.06]},
        {"largest": [0.05, 0.05, 0.08]},
        {"two codes": [0.15, 0.15, 0.03]},
        {"adjacent": [0.0] * SEEDS, "ends": [0.0] * SEEDS},
        {"ends": [0.1, float("nan"), 0.1]},
    ):
        invent({("portraits", metric): values for metric, values in changed.items()})
        assert not all(claim.holds for claim in pixelcnn.interpolation(settings)), changed


def test_pixels_drawn_behind_a_vector_are_as_sharp_as_real_ones_and_use_it(invent: Invent, settings: Settings) -> None:
    assert pixelcnn.autoencoders(settings).holds
    for pixels, squares in AUTOENCODERS.values():
        for trial, metric, last in (
            (pixels, "sharpness", 0.3),
            (pixels, "sharpness", 1.7),
            (pixels, "swapped", 0.005),
            (pixels, "swapped", -0.3),
            (squares, "sharpness", 1.0),
        ):
            good = values_of(trial.name, "reconstruction")[metric]
            invent({(trial.name, metric): [*good[:-1], last]})
            assert not pixelcnn.autoencoders(settings).holds, (trial.name, metric, last)


def test_a_hundred_numbers_are_reported_beside_ten_and_change_nothing_of_those(
    invent: Invent, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Trial] = []
    monkeypatch.setattr(pixelcnn, "prepare", lambda trials, *_, **__: prepared.extend(trials))
    monkeypatch.setattr(pixelcnn, "save_figure", lambda *_: None)
    monkeypatch.setattr(pixelcnn.figures, "reconstructions", lambda *_: None)
    judged, told = pixelcnn.reconstructions(settings)
    assert judged.holds
    assert told.holds is None
    assert told.measured.keys() == judged.measured.keys()
    assert len({trial.name for trial in prepared}) == len(prepared) == 8
    for ten, hundred in zip(prepared[:4], prepared[4:], strict=True):
        assert (ten.options["bottleneck"], hundred.options["bottleneck"]) == (10, 100)
        assert replace(hundred, name=ten.name, options={**hundred.options, "bottleneck": 10}) == ten


def test_files_hold_hardly_more_than_the_model_says(invent: Invent, settings: Settings) -> None:
    found = pixelcnn.compression(SETS, settings)
    assert found.holds
    assert set(found.measured) == {f"{n}: {m}" for n in ("digits", "CIFAR-10") for m in ("over", "bits per value")}
    invent({(GATED_AND_PLAIN["CIFAR-10"][0].name, "over"): [1.0, 1.0, 1.03]})
    assert not pixelcnn.compression(SETS, settings).holds


def test_causality_counts_leaks_and_blind_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixelcnn, "FILTERS", (3,))
    found = pixelcnn.causality()
    assert found.holds
    assert all(
        leaks == 0 and (blind == 0) == name.startswith("gated") for name, (leaks, blind) in found.measured.items()
    )
    for leaks, blind in ((lambda _: 1, lambda s: s == "plain"), (lambda _: 0, lambda _: 1), (lambda _: 0, lambda _: 0)):
        monkeypatch.setattr(pixelcnn, "leaks_and_blind", lambda s, *_, a=leaks, b=blind: (a(s), b(s)))
        assert not pixelcnn.causality().holds


def test_leaks_are_seen_where_a_mask_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*given: object) -> measures.PixelCNN:
        generator = whole(*given)  # type: ignore[arg-type]
        generator.head.hidden.mask = torch.ones_like(generator.head.hidden.mask)
        return generator

    whole = measures.untrained
    assert measures.leaks_and_blind("gated", 3, 3, (3, 3), 3)[0] == 0
    monkeypatch.setattr(measures, "untrained", opened)
    assert measures.leaks_and_blind("gated", 3, 3, (3, 3), 3)[0] == 2 * 9, "red and green see the pixel's blue"


def test_the_plain_network_has_as_many_weights_as_the_gated_one_or_few_more() -> None:
    def weights(name: str, options: dict[str, object], classes: int, colours: int, side: int) -> int:
        given = {key: options[key] for key in ("layers", "width", "bits")}
        with torch.device("meta"):
            generator = method(name, given).build_generator(Shapes(classes, colours, (side, side)))
        return sum(parameter.numel() for parameter in generator.parameters())

    for name, (classes, colours, side) in {
        "digits": (10, 1, 8),
        "CIFAR-10": (10, 3, 32),
        "streets": (8, 3, 16),
    }.items():
        own, plain = (weights(t.method, t.options, classes, colours, side) for t in GATED_AND_PLAIN[name])
        assert own <= plain <= 1.07 * own, name


def test_ways_between_vectors_that_change_nothing_are_flat_and_codes_are_not() -> None:
    """A model that draws its code: adjacent images and ends are equal, two codes are not."""

    class Deaf:
        def codes(self, n: int, seed: int = 0) -> torch.Tensor:
            return torch.rand(n, 4, generator=torch.Generator().manual_seed(seed))

        def sample(self, _: object, n: int = 1, seed: int = 0, codes: torch.Tensor | None = None) -> SimpleNamespace:
            return SimpleNamespace(images=(self.codes(n, seed) if codes is None else codes).view(-1, 1, 2, 2))

        def sequence(self, vectors: list[object], seed: int) -> SimpleNamespace:
            return self.sample(None, codes=self.codes(1, seed).expand(len(vectors), -1))

    adjacent, largest, ends, two = measures.smoothness(Deaf(), [(torch.zeros(3), torch.ones(3))])  # type: ignore[arg-type]
    assert adjacent == largest == ends == 0
    assert two > 0.1


def test_sharpness_is_that_of_neighbouring_pixels() -> None:
    ramp = torch.arange(5.0).expand(2, 1, 4, 5)
    assert measures.sharpness(ramp) == pytest.approx(0.5)
    assert measures.sharpness(torch.ones(1, 1, 3, 3)) == 0
