"""The table of one card: here without one, so it is refused, or runs at tiny sizes on the processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.gpu.__main__ import NO_CARD, OTHER, main
from benchmarks.gpu.cases import FAMILIES, QUICK, SWITCHES, cases
from benchmarks.gpu.worker import sentence

ROWS = ["--device", "cpu", "--quick", "--switches", "plain", "bf16", "graphs", "--methods", "pix2pix"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gpu") / "gpu.json"
    assert main([*ROWS, "--out", str(out)]) == 0
    return out


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_says_so_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "gpu.json"
    assert main(["--out", str(out)]) == NO_CARD
    [line] = capsys.readouterr().err.splitlines()
    assert "there is no such device here" in line
    assert not out.exists()


def test_the_processor_is_for_trying_it_out_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cpu", "--out", str(tmp_path / "gpu.json")]) == NO_CARD
    assert "--quick" in capsys.readouterr().err


def test_rows_say_what_was_measured_and_with_what(measured: Path) -> None:
    content = read(measured)
    assert {"card", "versions", "machine", "seed", "switches", "command"} <= set(content)
    assert {"name", "driver", "cuda", "cudnn", "memory_gigabytes"} == set(content["card"])
    done = [row for row in content["rows"].values() if "seconds" in row]
    assert sorted((row["task"], row["switch"]) for row in done) == [
        ("sampling", "bf16"),
        ("sampling", "plain"),
        ("training", "bf16"),
        ("training", "plain"),
    ]
    for row in done:
        assert row["images_per_second"] == pytest.approx(row["images"] / row["seconds"])
        assert row["spread"][0] <= row["seconds"] <= row["spread"][1]
        assert row["peak_megabytes"] > 0


def test_a_row_that_fails_has_its_sentence_and_the_others_go_on(measured: Path) -> None:
    problems = {id: row["problem"] for id, row in read(measured)["rows"].items() if "problem" in row}
    assert problems == {"pix2pix small 32x32, sampling, graphs": "ValueError: CUDA graphs need a CUDA card"}


def test_what_is_there_is_not_measured_again(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = measured.read_text()
    assert main([*ROWS, "--out", str(measured)]) == 0
    assert measured.read_text() == before
    assert "4 rows, 1 with a problem, 0 left" in capsys.readouterr().out


def test_rows_of_another_seed_are_not_mixed(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = measured.read_text()
    assert main([*ROWS, "--seed", "1", "--out", str(measured)]) == OTHER
    assert "another seed; move it away" in capsys.readouterr().err
    assert measured.read_text() == before


def test_a_row_that_takes_too_long_is_given_up_and_may_be_tried_again(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    typed = ["--device", "cpu", "--quick", "--switches", "graphs", "--row-seconds", "0", "--out", str(out)]
    assert main(typed) == 0
    [row] = read(out)["rows"].values()
    assert row["problem"] == "it took longer than 0 seconds"


def test_no_row_begins_after_the_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ROWS, "--minutes", "-1", "--out", str(tmp_path / "gpu.json")]) == 0
    assert "0 rows, 0 with a problem, 5 left" in capsys.readouterr().out


def test_every_family_has_rows_at_both_sizes_and_its_methods_exist() -> None:
    found = cases(list(SWITCHES), quick=False)
    assert len({case.id for case in found}) == len(found)
    plain = [case for case in found if case.switch == "plain"]
    assert len(plain) == 4 * len(FAMILIES)
    assert {case.switch for case in found} == set(SWITCHES)
    assert all(case.chosen().name == case.method for case in [*plain, *cases(["plain"], quick=True)])
    assert {case.method for case in cases(["plain"], quick=True)} == set(QUICK)


def test_an_error_is_one_line() -> None:
    assert sentence(RuntimeError("out of\n   memory")) == "RuntimeError: out of memory"


@pytest.mark.slow
def test_every_row_runs_at_tiny_size(tmp_path: Path) -> None:
    """Also with torch.compile, which takes most of the time."""
    out = tmp_path / "gpu.json"
    assert main(["--device", "cpu", "--quick", "--row-seconds", "280", "--out", str(out)]) == 0
    problems = {row["switch"] for row in read(out)["rows"].values() if "problem" in row}
    assert problems == {"graphs"}
