"""A report is one file that anyone can open, and no number in it stands without its protocol."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError
from PIL import Image

from variegate.core.images import HEAT, heat, unit_to_uint8
from variegate.core.interfaces import Shapes
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.measuring.measure import Evaluation
from variegate.evaluation.pages import contact_sheets
from variegate.evaluation.pages.comparison import Row, comparison_sections
from variegate.evaluation.pages.page import number, round_values
from variegate.evaluation.pages.report import (
    Cell,
    Curve,
    Figure,
    Numbers,
    Report,
    Section,
    Table,
    render,
    sections_of,
    training_curves,
    write_report,
)
from variegate.evaluation.pages.sheets import CANDIDATES, branches_section, nearest_section, samples_section
from variegate.methods import method
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.measured import Measured, Protocol, Results
from variegate.runs.saved_model import ModelRecord, versions

pytestmark = pytest.mark.core

RECORD = Protocol(
    name="modes", metric='share of <modes> & "more"', libraries={"numpy": "2.0"}, value_range="[-1, 1]", samples=200
)
COUNTS = {
    (time, paint): 6 * (time == "day") + 2 * (paint == "sage")
    for time in ("day", "dusk", "night")
    for paint in ("cream", "brick", "sage", "blue")
}


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return open_data("streets:30", size=32, split="test")


def model(pairs: Pairs, name: str = "cimle", **options: Any) -> Model:
    """An untrained model whose weights are random, so that its codes change its images."""
    preset = method(name, options)
    channels = pairs.condition.channels
    generator = preset.build_generator(Shapes(channels, 3, pairs.size)).eval().requires_grad_(False)
    rng = torch.Generator().manual_seed(0)
    for weight in generator.parameters():
        weight.copy_(torch.randn(weight.shape, generator=rng) * 0.3)
    record = ModelRecord(
        method=preset.model_dump(mode="json"),
        condition=pairs.condition.model_dump(mode="json"),
        condition_channels=channels,
        image_channels=3,
        size=pairs.size,
        data=pairs.name,
        step=0,
        seed=0,
        versions=versions(),
    )
    return Model(generator, pairs.condition, record)


def measured(value: float, better: str = "higher", protocol: Protocol = RECORD) -> Measured:
    return Measured(value=value, ci=(value - 0.01, value + 0.01), n=8, unit="share", better=better, protocol=protocol)  # type: ignore[arg-type]


def page_of(*items: object, text: str = "") -> str:
    return render(Report("Title", "Lead", [Section("Section", text, items)]))  # type: ignore[arg-type]


def images_in(page: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def test_report_of_a_model_is_one_self_contained_file(pairs: Pairs, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step": 1, "generator/nearest": 0.5}\n{"step": 2, "generator/nearest": 0.4}\n')
    results = Results({"coverage": measured(0.25), "total_variation": measured(0.4, "lower")})
    sections = sections_of(model(pairs, scale=0.1), pairs, Evaluation(results, COUNTS), RunFolder(run))
    path = write_report(tmp_path / "new" / "report.html", Report("cimle", "lead", sections))
    page = path.read_text()

    assert [section.title for section in sections] == [
        "Samples", "Nearest to the real image", "Interpolation", "One style on many layouts", "Where it varies",
        "Modes", "Numbers", "Training", "The model",
    ]  # fmt: skip
    assert [file.name for file in path.parent.iterdir()] == ["report.html"], "nothing half written is left behind"
    sources = re.findall(r'(?:src|href|action|srcset)\s*=\s*"([^"]*)"', page)
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "<script" not in page
    assert not re.search(r"@import|url\(", page)
    assert all(re.search(r'alt="[^"]+"', tag) for tag in re.findall(r"<img[^>]*>", page))
    sheets = [item for section in sections for item in section.items if isinstance(item, Figure)]
    assert [image.size for image in images_in(page)] == [tuple(sheet.image.shape[:0:-1]) for sheet in sheets]


def test_sheet_holds_condition_truth_and_the_samples_of_seed_0(pairs: Pairs) -> None:
    net = model(pairs, scale=0.1)
    sheet = samples_section(net, pairs).items[0]
    assert isinstance(sheet, Figure)
    assert sheet.columns == ("condition", "real", *(f"#{i}" for i in range(8)))
    image = images_in(page_of(sheet))[0]
    assert image.mode == "RGBA", "gaps between the cells are transparent"
    shown = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    step, side = 32 + contact_sheets.GAP, 32
    cells = [shown[:3, step : step + side, column * step : column * step + side] for column in range(10)]
    raw, truth = pairs.raw(1)
    assert torch.equal(cells[0], pairs.condition.to_image(raw))
    assert torch.equal(cells[1], truth)
    for drawn, cell in zip(net.sample(raw, n=8, seed=0).bytes(), cells[2:]):
        assert (drawn.int() - cell.int()).abs().max() <= 1
    assert shown[3, side : side + contact_sheets.GAP].max() == 0
    assert shown[3, :side, :side].min() == 255


def test_branches_are_named_with_their_share_the_most_used_first(pairs: Pairs) -> None:
    net = model(pairs, "crn", scale=0.05)
    figure = branches_section(net, pairs, pairs).items[0]
    assert isinstance(figure, Figure)
    assert figure.columns[:2] == ("condition", "real")
    branches, shares = zip(*(column.split(": ") for column in figure.columns[2:]))
    percent = [int(share.rstrip("%")) for share in shares]
    assert sorted(map(int, branches)) == list(range(9))
    assert percent == sorted(percent, reverse=True)
    assert abs(sum(percent) - 100) <= 4  # each is rounded
    drawn = unit_to_uint8(net.decode(pairs.raw(0)[0], net.fixed_codes()[[int(branches[0])]]))[0]
    side = pairs.size[0]
    start = 2 * (side + contact_sheets.GAP)
    assert torch.equal(figure.image[:, :side, start : start + side], drawn)


def test_every_metric_has_its_value_interval_and_whole_protocol() -> None:
    other = RECORD.model_copy(update={"name": "lpips", "extractor": "alex", "weights": {"alex": "0123456789ab"}})
    page = page_of(Numbers("Metrics", "", {"rare_recall": measured(0.625), "lpips": measured(0.05, protocol=other)}))
    rows = re.findall(r'<details class="measured">.*?</details>', page, re.S)
    assert len(rows) == 2
    assert "rare recall" in rows[0]
    assert '<data class="value" value="0.625">0.625</data>' in rows[0]
    assert "[0.615 – 0.635]" in rows[0]
    assert "higher is better" in rows[0]
    assert "[0.0400 – 0.0600]" in rows[1]
    assert "alex 0123456789ab" in rows[1]
    for row in rows:
        fields = re.findall(r"<dt>(.*?)</dt>", row)
        assert fields == [name.replace("_", " ") for name in Protocol.model_fields]


def test_special_characters_are_text_everywhere() -> None:
    evil = '<script>alert("x")</script> & more'
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    items = (
        Figure(evil, evil, image, (evil,), (evil,)),
        Table(evil, evil, (evil,), [[evil, Cell(evil, evil)]], {evil: RECORD.model_copy(update={"notes": (evil,)})}),
        Curve(evil, evil, {evil: [(0, 1), (1, 2)]}),
        Numbers(evil, evil, {evil: measured(0.5)}),
    )
    page = render(Report(evil, evil, [Section(evil, evil, items)]))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 20
    assert 'share of <modes> & "more"' in unescape(page)


def test_modes_are_beside_the_true_odds_and_missed_ones_marked(pairs: Pairs) -> None:
    results = Results({"coverage": measured(0.25)})
    sections = sections_of(
        model(pairs, "pix2pix", noise="none", backbone="resnet", width=4), pairs, Evaluation(results, COUNTS)
    )
    table = next(section for section in sections if section.title == "Modes").items[0]
    assert isinstance(table, Table)
    assert table.header == ("", "cream", "brick", "sage", "blue")
    day, dusk, _ = table.cells
    total = sum(COUNTS.values())
    assert [cell.text for cell in day] == ["day", "6", "6", "8", "6"]
    assert day[1].note == f"{0.50 * 0.40 * total:.1f} expected"
    assert [cell.missed for cell in dusk] == [False, True, True, False, True]
    assert "The model reaches 3.0 of 12 combinations in 200 samples of a layout" in table.caption
    assert page_of(table).count('class="missed"') == sum(count == 0 for count in COUNTS.values())
    assert "whatever the seed" in sections[0].text, "a model without a code says so"
    assert "Interpolation" not in [section.title for section in sections]


def test_comparison_stacks_methods_and_leaves_out_what_was_not_measured_alike(pairs: Pairs) -> None:
    many = Results({"coverage": measured(0.9), "precision": measured(0.8), "seconds": measured(60, "lower")})
    elsewhere = measured(0.99, protocol=RECORD.model_copy(update={"samples": 20}))
    one = Results({"coverage": measured(1 / 12), "precision": elsewhere, "seconds": measured(30, "lower")})
    rows = {
        "cimle": Row(many, model(pairs, scale=0.1), COUNTS),
        "pix2pix": Row(one, model(pairs, "pix2pix", noise="none", backbone="resnet", width=4), None),
    }
    samples, numbers, wipe, modes = comparison_sections(rows, pairs)
    stacked, table = samples.items[1], numbers.items[0]
    assert isinstance(stacked, Figure)
    assert isinstance(table, Table)
    assert stacked.rows == ("cimle", "pix2pix")
    assert stacked.image.shape == (3, 2 * 34 - 2, 8 * 34 - 2)
    assert "cimle reaches 10.8 of 12 combinations" in stacked.caption
    assert wipe.title == "Before and after"
    assert [item.title for item in modes.items] == ["cimle"]
    assert table.header == ("method", "coverage ↑", "seconds ↓")
    assert [[cell.strong for cell in row[1:]] for row in table.cells] == [[True, False], [False, True]]
    assert list(table.protocols or ()) == ["coverage", "seconds"]
    assert "precision: samples is 200 for cimle, but 20 for pix2pix" in numbers.text


def test_curves_survive_a_line_cut_short_and_values_that_are_not_finite(tmp_path: Path) -> None:
    lines = [{"step": 1, "generator/l1": 2.0, "generator/gan": 1.0}, {"step": 2, "generator/l1": float("nan")}]
    lines += [{"step": 3, "generator/l1": 1.0, "val/code_sensitivity": 0.5}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 4, "gen')
    losses, panel = training_curves(RunFolder(tmp_path))
    assert isinstance(losses, Curve)
    assert isinstance(panel, Curve)
    assert losses.title == "generator loss"
    assert losses.lines == {"l1": [(1, 2.0), (3, 1.0)], "gan": [(1, 1.0)]}
    assert losses.path(losses.lines["l1"]) == "0.0,0.0 400.0,190.0", "largest at the top left, smallest bottom right"
    assert panel.title == "code sensitivity"
    page = page_of(losses, panel, Curve("empty", "", {"a": [(1, float("inf"))]}))
    assert page.count("<polyline") == 3
    assert "No finite value" in page
    assert training_curves(RunFolder(tmp_path / "absent")) == []


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.371, 0.584), (-3, 1e6), (5, 5), (0, 0), (1e-9, 2e-9)])
def test_axis_values_are_round_and_enclose_the_data(low: float, high: float) -> None:
    values = round_values(low, high)
    assert values[0] <= low
    assert values[-1] >= high
    assert 2 <= len(values) <= 8
    assert np.allclose(np.diff(values), values[1] - values[0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (0.0123, "0.0123"), (0.00234, "0.00234"), (123.45, "123.5"), (12345.6, "12,346")],
)
def test_numbers_show_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_most_different_codes_are_the_farthest_pair_and_then_the_farthest_from_it() -> None:
    images = torch.tensor([5.0, 0.0, 9.0, 10.0, 4.0]).view(5, 1, 1, 1).expand(5, 3, 2, 2)
    assert sorted(contact_sheets.most_different(images, 2)) == [1, 3]
    assert contact_sheets.most_different(images, 3)[2] == 0
    assert len(set(contact_sheets.most_different(torch.zeros(4, 3, 2, 2), 4))) == 4, (
        "equal images are still distinct choices"
    )


def test_heat_is_dark_where_all_samples_agree_and_large_cells_are_reduced() -> None:
    colours = heat(torch.tensor([[0.0, 0.2, 0.4]]), 0.2)
    assert colours[:, 0, 0].tolist() == list(HEAT[0])
    assert colours[:, 0, 1].tolist() == colours[:, 0, 2].tolist() == list(HEAT[-1])
    large = torch.full((3, 400, 800), 7, dtype=torch.uint8)
    assert contact_sheets.page([[large, large]]).shape == (3, 96, 2 * 192 + contact_sheets.GAP)


def test_a_failed_write_leaves_the_old_report(tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", Report("old", "", []))
    with pytest.raises(UndefinedError):
        write_report(path, Report("new", "", [Section("", "", [Figure("", "", None)])]))  # type: ignore[arg-type]
    assert "old" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_the_nearest_sample_in_l1_is_shown_with_its_distance(pairs: Pairs) -> None:
    drawing = model(pairs)
    (figure,) = nearest_section(drawing, pairs).items
    assert isinstance(figure, Figure)
    assert figure.rows == ("condition", "real", "nearest")
    real = pairs.raw(1)[1]
    images = contact_sheets.sample(drawing, pairs, [1], drawing.codes(CANDIDATES))[0]
    distances = [float((image.float() - real.float()).abs().mean() / 255) for image in images]
    assert figure.columns[1] == number(min(distances))
    height, width = figure.cell
    cell = figure.image[:, 2 * (height + 2) :, width + 2 : 2 * width + 2]
    assert torch.equal(cell, images[distances.index(min(distances))])
