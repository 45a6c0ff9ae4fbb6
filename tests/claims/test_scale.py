"""The simulation of many GPUs: the same numbers every time, nothing faster than its slowest part."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from benchmarks.scale import counting, page
from benchmarks.scale.__main__ import COUNTS, PAGE, RESULTS, assumptions, made, main, read
from benchmarks.scale.model import DEFAULT, GPUS, MEANINGS, MILLION, Assumptions, Outcome, sample, train
from benchmarks.table import fill
from hypothesis import given
from hypothesis import strategies as st

from variegate.methods import method

WORK = st.integers(1, 10**15)
SECONDS = st.floats(1e-6, 10.0)
PARTS = st.fixed_dictionaries({"png_seconds": SECONDS, "read_seconds": SECONDS, "png_bytes": st.integers(1, 10**8)})
SAMPLING = st.fixed_dictionaries(
    {name: WORK for name in ("multiply_adds_encode", "multiply_adds_decode", "operations")} | {"chunk": st.just(16)}
)
TRAINING = st.fixed_dictionaries(
    {name: WORK for name in ("multiply_adds", "operations", "steps")}
    | {"batch": st.integers(1, 512), "parameters": st.integers(1, 10**9)}
)


@pytest.fixture(scope="module")
def contents() -> dict[str, Any]:
    return read(RESULTS)


@given(counted=SAMPLING, parts=PARTS)
def test_more_gpus_draw_no_slower_and_their_hours_grow(counted: Any, parts: Any) -> None:
    outcomes = [sample(counted, parts, gpus) for gpus in GPUS]
    for fewer, more in pairwise(outcomes):
        assert more.seconds <= fewer.seconds * (1 + 1e-9)
        assert more.gpu_hours >= fewer.gpu_hours * (1 - 1e-9)
    for one in outcomes:
        named_is_the_slowest(one)
        assert one.seconds == pytest.approx(DEFAULT.start_seconds + MILLION * max(one.terms.values()))


@given(counted=TRAINING, parts=PARTS)
def test_a_step_takes_as_long_as_its_slowest_part(counted: Any, parts: Any) -> None:
    for gpus in GPUS:
        one = train(counted, parts, gpus)
        named_is_the_slowest(one)
        assert one.seconds == pytest.approx(DEFAULT.start_seconds + counted["steps"] / gpus * max(one.terms.values()))


def named_is_the_slowest(one: Outcome) -> None:
    assert one.terms[one.bottleneck] == max(one.terms.values())


def test_the_terms_are_those_of_a_calculation_by_hand() -> None:
    easy = Assumptions(card_flops=1e12, utilisation=0.5, launch_seconds=1e-5, node_disk=1e6, shared_storage=4e6)
    counted = {"multiply_adds_encode": 16 * 10**9, "multiply_adds_decode": 10**9, "operations": 160, "chunk": 16}
    parts = {"png_seconds": 0.06, "read_seconds": 0.32, "png_bytes": 1000}
    found = sample(counted, parts, 64, easy).terms
    assert found == pytest.approx(
        {
            "arithmetic": 2 * 2e9 / 0.5e12 / 64,
            "kernel launches": 1e-4 / 64,
            "PNG encoding": 0.01 / 64,
            "disk": 1e-3 / 8,
            "shared storage": 1 / 4000,
            "reading": 0.01 / 64,
        }
    )
    learned = {"multiply_adds": 10**9, "operations": 100, "parameters": 25 * 10**6, "batch": 4, "steps": 10}
    found = train(learned, parts, 64, easy._replace(link=1e9, network=1e8)).terms
    assert found["gradients in a machine"] == pytest.approx(2 * 7 / 8 * 1e8 / 1e9)
    assert found["gradients between machines"] == pytest.approx(2 * 7 / 8 * 1e8 / 1e8)
    assert train(learned, parts, 1).terms["gradients in a machine"] == 0


def test_simulated_times_of_the_published_networks_fall_with_the_gpus(contents: dict[str, Any]) -> None:
    for outcomes in (*page.sampled(contents, DEFAULT).values(), *page.trained(contents, DEFAULT).values()):
        one, eight, many = (outcome.seconds for outcome in outcomes)
        assert many <= eight <= one


def test_the_page_is_what_the_script_writes(contents: dict[str, Any]) -> None:
    text = PAGE.read_text()
    again = text
    for marker, body in made(contents, DEFAULT, None).items():
        again = fill(again, marker, body)
    assert again == text, "stale; `python -m benchmarks.scale` writes it anew"


def test_every_simulated_number_is_called_simulated(contents: dict[str, Any]) -> None:
    tables = made(contents, DEFAULT, None)
    assert all("Simulated" in tables[name] for name in ("images", "trainings"))
    assert "Measured" in tables["here"]
    assert set(MEANINGS) == set(Assumptions._fields)


def test_the_counts_are_those_of_the_networks(contents: dict[str, Any]) -> None:
    kept = contents["counts"]["methods"]["pix2pix"]
    assert counting.sampling(method("pix2pix"), (256, 256)) == kept["sampling"]


def test_measured_rows_take_the_place_of_counts(contents: dict[str, Any]) -> None:
    rows = {
        switch: {
            "method": "pix2pix",
            "published": True,
            "task": "sampling",
            "switch": switch,
            "seconds": 1.0,
            "seconds_per_image": 0.25 if switch == "bf16" else 0.5,
        }
        for switch in ("plain", "bf16")
    }
    with_card = {**contents, "gpu": {"card": {"name": "a card"}, "rows": rows}}
    one = page.sampled(with_card, DEFAULT)["pix2pix"][0]
    assert one.bottleneck == "GPU, measured"
    assert one.terms["GPU, measured"] == 0.25
    assert "measured on one a card for pix2pix" in page.images(with_card, DEFAULT, None)


def test_a_price_gives_costs_and_leaves_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "scale.md"
    assert main(["--price", "2", "--page", str(target)]) == 0
    assert "cost, 2 an hour" in capsys.readouterr().out
    assert not target.exists()


def test_assumptions_may_be_replaced_and_are_checked() -> None:
    assert assumptions(["utilisation=0.4", "gpus_per_node=4"]) == DEFAULT._replace(utilisation=0.4, gpus_per_node=4)
    for typed, told in (("cards=3", "no assumption 'cards'"), ("link=fast", "not a number"), ("link=0", "above 0")):
        with pytest.raises(ValueError, match=told):
            assumptions([typed])


def test_missing_counts_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path), "--page", str(tmp_path / "scale.md")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert COUNTS in line
    assert "--count --measure" in line


def test_files_hold_what_they_were_made_with() -> None:
    for name in (COUNTS, "scale_parts.json"):
        assert {"versions", "machine"} <= set(json.loads((RESULTS / name).read_text()))
