"""The benchmarks run, write what they promise, and count what they say they count. No test looks at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks import table
from benchmarks.real.rows import GAP, SHARED, SHEET, SHOWN_CONDITIONS, Row, side_by_side
from benchmarks.speed import BENCHMARKS
from benchmarks.speed.__main__ import main
from benchmarks.speed.measure import bound, compare, multiply_adds, peak_bytes
from benchmarks.speed.results import COLUMNS, Settings, result, row
from torch import nn

from variegate.core.images import sheet, to_pil

NUMBER = int | float


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("speed")
    for name in BENCHMARKS:
        assert main([name, "--quick", "--out", str(place)]) == 0
    return place


def read(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_writes_its_schema(folder: Path, name: str) -> None:
    measured = read(folder, name)
    assert measured["name"] == name
    assert measured["quick"] is True
    assert isinstance(measured["ratio"], NUMBER)
    assert isinstance(measured["limit"], NUMBER)
    assert measured["command"].startswith(f"python -m benchmarks.speed {name} --quick")
    assert {"python", "torch", "variegate"} <= set(measured["versions"])
    assert {"processor", "cores", "threads", "load"} <= set(measured["machine"])
    for entry in measured["rows"]:
        assert {"case", "ratio", "limit", "holds"} <= set(entry)
        judged = entry["ratio"] is not None and entry["limit"] is not None
        assert entry["holds"] == (entry["ratio"] <= entry["limit"] if judged else None)
    assert all(any(column in entry for entry in measured["rows"]) for column in COLUMNS[name])


def test_stages_before_the_first_site_run_once_for_all_images(folder: Path) -> None:
    for entry in read(folder, "encode_once")["rows"]:
        assert entry["prefix_runs"] == ([1] if entry["prefix_stages"] else [])
        assert (entry["bound"] > 1) == (entry["prefix_stages"] > 0)


def test_drawing_and_equal_batches_of_every_network_are_judged(folder: Path) -> None:
    rows = read(folder, "encode_once")["rows"]
    assert len(rows) == 9
    assert [entry["limit"] for entry in rows] == 3 * [1.1, 1.1, None]


def test_the_table_holds_every_row_and_replaces_itself(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\nBefore.\n\n<!-- speed: begin -->\nOUTDATED\n<!-- speed: end -->\n\nAfter.\n")
    for _ in range(2):
        assert table.main(["--results", str(folder), "--claims", str(tmp_path / "none"), "--page", str(page)]) == 0
    text = page.read_text()
    assert "OUTDATED" not in text
    assert text.startswith("# Benchmarks\n\nBefore.\n")
    assert text.endswith("\nAfter.\n")
    for name in BENCHMARKS:
        assert text.count(f"### {name}\n") == 1
        assert all(f"| {entry['case']} |" in text for entry in read(folder, name)["rows"])


def test_a_table_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["--results", str(tmp_path), "--page", str(tmp_path / "page.md")]) == 1
    assert "no results" in capsys.readouterr().err


def test_multiply_adds_of_a_convolution_and_a_linear_layer_are_counted_by_hand() -> None:
    convolution = nn.Conv2d(3, 5, 3, padding=1)  # 8 * 8 outputs of 5 channels, 3 * 3 * 3 products each
    assert multiply_adds(lambda: convolution(torch.zeros(2, 3, 8, 8))) == 2 * 64 * 5 * 27
    assert multiply_adds(lambda: nn.Linear(7, 4)(torch.zeros(6, 7))) == 6 * 7 * 4


def test_the_bound_is_the_ratio_of_costs() -> None:
    first, second = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1)  # on 4 x 4: 32 multiply-adds each
    x = torch.zeros(1, 1, 4, 4)
    prefix, whole = multiply_adds(lambda: first(x)), multiply_adds(lambda: second(first(x)))
    assert (prefix, whole) == (32, 64)
    assert bound(prefix, whole, 20) == pytest.approx(20 * 64 / (32 + 20 * 32))
    assert bound(prefix, whole, 1) == 1
    assert bound(0, whole, 20) == 1  # nothing runs once
    assert bound(whole, whole, 20) == 20  # everything does


def test_the_peak_counts_what_is_alive_together() -> None:
    def together() -> None:
        first, second = torch.empty(1000), torch.empty(500)
        del first, second

    def in_turn() -> None:
        for size in (1000, 500):
            torch.empty(size)

    assert peak_bytes(together) == 6000
    assert peak_bytes(in_turn) == 4000


def test_a_comparison_interleaves_and_alternates_the_order() -> None:
    calls: list[str] = []
    measured = compare(lambda: calls.append("a"), lambda: calls.append("b"), pairs=4)
    assert "".join(calls) == "ab" + "abbaabba"
    assert measured.pairs == 4
    assert measured.spread[0] <= measured.ratio <= measured.spread[1]


def test_the_headline_is_the_row_nearest_its_limit() -> None:
    rows = [row("a", 1.0, 2.0), row("b", 1.2, 1.3), row("c", 9.0, None)]
    measured = result("startup", rows, Settings(), ["startup"])
    assert (measured["case"], measured["ratio"], measured["limit"], measured["holds"]) == ("b", 1.2, 1.3, True)


def test_a_row_of_real_data_is_cached_by_its_settings_not_by_where_the_data_are(tmp_path: Path) -> None:
    row, longer = (Row("facades", "flow", 0, minutes, tmp_path) for minutes in (7, 10))
    assert row.folder != longer.folder
    assert row.folder == Row("facades", "flow", 0, 7, tmp_path).folder
    assert str(SHARED) not in row.folder.name


def test_the_table_of_real_data_shows_what_failed_and_means_over_seeds() -> None:
    done = {
        "data": "streets",
        "method": "flow",
        "size": [64, 64],
        "steps": 1200,
        "parameters": 1_200_000,
        "seconds_per_image": 0.05,
    }
    rows = [
        {**done, "seed": 0, "metrics": {"lpips": 0.2, "coverage": 1.0}},
        {**done, "seed": 1, "metrics": {"lpips": 0.4, "coverage": 0.9}},
        {"data": "streets", "method": "crn", "seed": 0, "problem": "too short"},
    ]
    about = {"command": "c", "minutes": 4, "versions": {"python": "3", "torch": "2"}, "machine": {"processor": "p"}}
    told = table.real_section({**about, "rows": rows})
    assert "| flow | 64x64 | 1,200 | 1.2 M | 50 ± 0 | 0.3 ± 0.14 | 0.95 ± 0.071 |" in told
    assert "| crn | too short |" in told
    assert len({line.count("|") for line in told.splitlines() if line.startswith("|")}) == 1


def test_lines_of_a_picture_are_those_of_one_condition(tmp_path: Path) -> None:
    rows = [Row("streets", method, 0, 1, tmp_path) for method in ("flow", "cimle")]
    for shade, one in zip((10, 90), rows):
        one.folder.mkdir()
        cells = [[torch.full((3, 8, 8), shade + line)] for line in range(SHOWN_CONDITIONS)]
        to_pil(sheet(cells, GAP).to(torch.uint8)).save(one.folder / SHEET)
    page = side_by_side(rows, 1)
    assert page is not None
    assert (page.getpixel((3, 3))[0], page.getpixel((3, 8 + GAP + 3))[0]) == (11, 91)
    assert side_by_side([Row("streets", "rcgan", 0, 1, tmp_path)], 0) is None
