"""Bits per dimension: what uniform levels cost, every kind of condition, and numbers found again by hand."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import variegate
from variegate import train
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.core.images import heat
from variegate.core.interfaces import Shapes
from variegate.data import open_data
from variegate.data.dataset.pairs import Pairs
from variegate.evaluation.measuring.measure import measure
from variegate.evaluation.measuring.side_by_side import side_by_side
from variegate.evaluation.metrics.likelihood import likelihood
from variegate.evaluation.metrics.plugged import networks
from variegate.evaluation.pages.comparison import Row, numbers_section
from variegate.evaluation.pages.page import Figure, Table
from variegate.evaluation.pages.sheets import surprisal_section
from variegate.generators.pixelcnn import PixelCNN
from variegate.methods import method
from variegate.model.model import Model
from variegate.runs.folder import RunFolder
from variegate.runs.measured import Results
from variegate.runs.settings import ExecutionSettings

QUIET = ExecutionSettings(quiet=True, device="cpu")
SMALL: dict[str, Any] = {"layers": 2, "width": 12, "batch_size": 4, "generator.first_filter": 3}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty grey images of two classes, a vector for each, and the same number in colour."""
    desk = tmp_path_factory.mktemp("bits")
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    images = (labels[:, None, None] * 200 + rng.integers(0, 50, (20, 8, 8))).astype(np.uint8)
    np.savez(desk / "marks.npz", images=images, labels=labels, classes=np.array(["dark", "light"]))
    np.savez(desk / "noise.npz", images=rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8))
    np.save(desk / "v.npy", rng.normal(size=(20, 3)))
    return desk


@pytest.fixture(scope="module")
def classes(desk: Path) -> Path:
    options = {**SMALL, "ema_decay": 0.9}
    return train("gated-pixelcnn", desk / "marks.npz", desk / "classes", steps=30, run=QUIET, **options)


def noise(desk: Path, bits: int) -> tuple[PixelCNN, Pairs]:
    """An untrained network, and uniform noise."""
    torch.manual_seed(0)
    pairs = open_data(desk / "noise.npz", condition="none")
    generator = (
        method("gated-pixelcnn", SMALL | {"bits": bits})
        .build_generator(Shapes(0, 3, pairs.size))
        .eval()
        .requires_grad_(False)
    )
    assert isinstance(generator, PixelCNN)
    return generator, pairs


@pytest.mark.parametrize("bits", [8, 5, 2])
def test_uniform_levels_cost_as_many_bits_as_they_have_and_the_record_says_how_many(desk: Path, bits: int) -> None:
    generator, pairs = noise(desk, bits)
    found = likelihood(generator, pairs)
    assert found is not None
    assert found.results.measured["bits_per_dim"].value > bits - 0.01, "nobody can foresee noise"
    for parameter in generator.head.logits.parameters():
        parameter.zero_()
    found = likelihood(generator, pairs, 7)
    assert found is not None
    assert found.bits == pytest.approx([bits] * 7, abs=1e-5)
    one = found.results.measured["bits_per_dim"]
    assert (one.n, one.protocol.inputs, one.unit, one.better) == (7, 7, "bits per dimension", "lower")
    assert one.protocol.value_range.startswith(f"{2**bits} levels ({bits} bits) of each of 3 colours")
    assert ("rounded down" in one.protocol.value_range) == (bits < 8)
    assert one.protocol.size == (8, 8)


KINDS = {
    "none": ("gated-pixelcnn", "marks.npz", "none"),
    "plain stack": ("pixelcnn", "marks.npz", "class"),
    "vector": ("gated-pixelcnn", "marks.npz", "vectors:v.npy"),
    "several": ("gated-pixelcnn", "marks.npz", "class+edges"),
    "colour": ("gated-pixelcnn", "noise.npz", "edges"),
    "autoencoder": ("pixelcnn-autoencoder", "marks.npz", None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_condition_is_measured_as_by_hand(kind: str, desk: Path, tmp_path: Path) -> None:
    name, file, words = KINDS[kind]
    options = {**SMALL, **({"encoder_scale": 0.1} if kind == "autoencoder" else {})}
    condition = words.replace(":", f":{desk}/") if words else None
    run = train(name, desk / file, tmp_path / "run", steps=2, run=QUIET, condition=condition, bits=4, **options)
    content = variegate.evaluate(run, protocol="pixelcnn")
    held, model = RunFolder(run).pairs("held"), variegate.load(run)
    expected = [by_hand(model, *held.raw(i)) for i in range(len(held))]
    rows = list(csv.DictReader((run / "likelihood.csv").open()))
    assert [float(row["bits_per_dim"]) for row in rows] == pytest.approx(expected, rel=1e-5)
    assert [row["item"] for row in rows] == [f"{held.split}:{i}" for i in range(len(held))]
    assert content["metrics"]["bits_per_dim"]["value"] == pytest.approx(np.mean(expected), rel=1e-5)
    named = "class" in (words or "")
    of_classes = [metric for metric in content["metrics"] if metric.startswith("bits_per_dim_class_")]
    assert of_classes == (["bits_per_dim_class_dark", "bits_per_dim_class_light"] if named else [])
    assert {row.get("class") for row in rows} == ({"dark", "light"} if named else {None})
    page = (run / "report.html").read_text()
    assert page.count("<h2>Surprisal</h2>") == 1
    assert "<h2>Samples</h2>" not in page, "nothing is drawn"
    assert ("Each class" in page) == named


def test_simple_images_that_were_never_seen_are_told_by_the_bits_beyond_those_of_png(tmp_path: Path) -> None:
    """After training on noise, noise costs nearly all its bits, a flat image few, although it is the odd one."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=noise)
    flat = np.full_like(noise, 90)
    np.savez(tmp_path / "both.npz", images=np.stack([noise, flat], axis=1).reshape(80, 16, 16))
    shared = {"condition": "none", "bits": 4, **SMALL}
    run = train("gated-pixelcnn", tmp_path / "noise.npz", tmp_path / "run", steps=2, run=QUIET, **shared)
    variegate.evaluate(run, protocol="pixelcnn", data=tmp_path / "both.npz")
    held = RunFolder(run).pairs("held", tmp_path / "both.npz")
    beyond: dict[bool, list[float]] = {True: [], False: []}
    for i, row in enumerate(csv.DictReader((run / "likelihood.csv").open())):
        image, file = held.raw(i)[1], io.BytesIO()
        Image.fromarray(image[0].numpy() >> 4).save(file, "PNG", optimize=True)
        ours, png, more = (float(row[f"bits_per_dim{end}"]) for end in ("", "_png", "_beyond_png"))
        assert (png, more) == pytest.approx((8 * file.tell() / 256, ours - png))
        beyond[bool((image == image[0, 0, 0]).all())].append(more)
    assert min(map(len, beyond.values())) > 0
    assert min(beyond[True]) > max(beyond[False]) + 1


def by_hand(model: Model, raw: Tensor, image: Tensor) -> float:
    """Bits per dimension of one image, from the model that a user holds."""
    return -float(model.log_prob(image[None], raw)) / math.log(2) / image.numel()


def test_weights_that_are_not_averaged_are_those_of_the_checkpoint(classes: Path, tmp_path: Path) -> None:
    measured = variegate.evaluate(classes, protocol="pixelcnn")
    averaged, raw = (measured["metrics"][name]["value"] for name in ("bits_per_dim", "bits_per_dim_raw"))
    assert abs(averaged - raw) > 0.01
    for name, told in (("bits_per_dim", "moving average"), ("bits_per_dim_raw", "not averaged")):
        assert any(told in note for note in measured["protocol"][name]["notes"])
    model, held = variegate.load(classes), RunFolder(classes).pairs("held")
    state = classes / "checkpoints" / f"step-{model.record.step:08d}" / "state.pt"
    model.generator.load_state_dict(torch.load(state, weights_only=True)["generator"])
    assert raw == pytest.approx(np.mean([by_hand(model, *held.raw(i)) for i in range(len(held))]), rel=1e-5)

    copy = tmp_path / "copy"
    shutil.copytree(classes, copy, ignore=shutil.ignore_patterns("checkpoints"))
    without = variegate.evaluate(copy, protocol="pixelcnn")["metrics"]
    assert without["bits_per_dim"]["value"] == averaged
    assert "bits_per_dim_raw" not in without
    assert "raw" not in (copy / "likelihood.csv").read_text()


def test_numbers_of_classes_are_means_of_their_own_images_and_are_not_printed(
    classes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", str(classes), "--protocol", "pixelcnn", "--data", str(classes.parent / "marks.npz")])
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == ["bits_per_dim", "bits_per_dim_raw", "protocols"]
    rows = list(csv.DictReader((classes / "likelihood.csv").open()))
    content = json.loads((classes / "metrics.json").read_text())
    for name in ("dark", "light"):
        own = [float(row["bits_per_dim"]) for row in rows if row["class"] == name]
        one = content["metrics"][f"bits_per_dim_class_{name}"]
        assert (one["n"], one["value"]) == (len(own), pytest.approx(np.mean(own)))
        assert f"images of the class {name} only" in content["protocol"][f"bits_per_dim_class_{name}"]["notes"]


def test_other_protocols_measure_as_many_images_as_they_have_inputs(desk: Path) -> None:
    generator, pairs = noise(desk, 8)
    measured = measure(generator, pairs, pairs, "quick", perceptual=False).results.measured
    assert measured["bits_per_dim"].n == 10 < len(pairs)
    assert "diversity_pixel" in measured


def test_images_stand_above_the_bits_of_their_pixels_from_the_likeliest_on(classes: Path) -> None:
    model, pairs = variegate.load(classes), RunFolder(classes).pairs("train")
    found = likelihood(model.generator, pairs)
    assert found is not None
    sheet, table = surprisal_section(model, pairs, found).items
    assert isinstance(sheet, Figure)
    assert isinstance(table, Table)
    assert sheet.rows == ("condition", "real", "surprisal")
    assert sheet.image.shape == (3, 3 * 10 - 2, 8 * 10 - 2)
    items = [int(label.partition(",")[0].removeprefix("train:")) for label in sheet.columns]
    bits = [found.bits[item] for item in items]
    assert bits == sorted(bits)
    assert (bits[0], bits[-1]) == (min(found.bits), max(found.bits))
    maps = torch.stack([model.surprisal(pairs.raw(item)[1][None], pairs.raw(item)[0])[0] for item in items])
    assert f"Brightest: {float(maps.max()):.3f} bits" in sheet.caption
    assert "a pixel takes 8 bits" in sheet.caption
    for column, (item, one) in enumerate(zip(items, maps)):
        cells = sheet.image[:, :, 10 * column : 10 * column + 8]
        assert torch.equal(cells[:, 10:18], pairs.raw(item)[1].expand(3, -1, -1))
        assert (cells[:, 20:].int() - heat(one, float(maps.max())).int()).abs().max() <= 1
    assert [row[0] for row in table.rows] == ["dark", "light"]


def test_models_are_compared_by_bits_where_images_and_levels_are_the_same(classes: Path, desk: Path) -> None:
    model, held = variegate.load(classes), RunFolder(classes).pairs("held")
    results = [likelihood(model.generator, held, count) for count in (None, None, 1)]
    one, same, fewer = (found.results for found in results if found is not None)
    worse = one.measured["bits_per_dim"].model_copy(update={"value": 9.0})
    alike = Results({"bits_per_dim": worse})
    [table] = numbers_section({"a": Row(same), "b": Row(alike)}, side_by_side({"a": same, "b": alike})).items
    assert isinstance(table, Table)
    assert table.header == ("method", "bits per dim ↓")
    assert [row[1].strong for row in table.cells] == [True, False]
    refused = numbers_section({"a": Row(same), "b": Row(fewer)}, side_by_side({"a": same, "b": fewer}))
    assert not refused.items
    assert "bits per dim: inputs is" in refused.text.replace("_", " ")


def test_what_the_protocol_cannot_measure_is_refused_in_a_sentence(desk: Path) -> None:
    generator, pairs = noise(desk, 8)
    for name in ("detector", "embedding", "normals"):
        brought = networks(**{name: torch.zeros_like})
        with pytest.raises(ConfigError, match=f"--{name}: the protocol pixelcnn samples no images for it to measure"):
            measure(generator, pairs, pairs, "pixelcnn", networks=brought)
    for other in ("basisgan", "moment-predictor"):
        net = method(other, {"width": 4}).build_generator(Shapes(3, 3, (16, 16)))
        with pytest.raises(
            ConfigError, match="this model does not give the probabilities of colour levels; give anothe"
        ):
            measure(net, pairs, pairs, "pixelcnn")
    with pytest.raises(ConfigError, match="there is no protocol 'pixelcn'; did you mean 'pixelcnn'"):
        measure(generator, pairs, pairs, "pixelcn")
    streets = open_data("streets:20", size=16, unpaired=True)
    with pytest.raises(ConfigError, match="streets is unpaired, so images have no conditions"):
        measure(generator, streets, streets, "pixelcnn")
