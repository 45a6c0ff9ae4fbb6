"""ONNX files draw what the model draws, for any number of rows; what cannot be one file is refused with a reason."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import variegate
from helpers.shared import ROOT
from helpers.untrained import SIZE, untrained
from helpers.variants import OPTIONS, OTHER, codes, conditions, model_of, preset, size_of
from variegate.cli import main
from variegate.core.errors import ConfigError
from variegate.core.interfaces import Shapes
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.conditions.class_label import ClassLabel
from variegate.data.conditions.constant import Unconditional
from variegate.methods import METHODS, method
from variegate.model.batched import batched, each_with_its_own
from variegate.model.model import Model
from variegate.model.onnx_export import TOLERANCE
from variegate.model.onnx_words import encoding
from variegate.runs.saved_model import ModelRecord

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

NEEDS_PIXELS = {"pixelcnn", "gated-pixelcnn", "pixelcnn-autoencoder"}
NEEDS_IMAGES = {"pixelnn"}
ROWS_OF_THEIR_OWN = ("basisgan", "basisgan transposed", "filtergan up", "crn heads", "latent dropout separate")
EXPORTED = [name for name in [*OPTIONS, *OTHER] if preset(name).name not in NEEDS_PIXELS | NEEDS_IMAGES]
QUICK = {"pix2pix dropout unet", "basisgan transposed", "munit", "crn heads", "flow-student"}
REFUSED = [name for name in OPTIONS if preset(name).name in NEEDS_PIXELS | NEEDS_IMAGES]


def run(file: Path, **given: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    [image] = session.run(None, {name: value.numpy() for name, value in given.items()})
    return torch.from_numpy(np.asarray(image))


def told_by(file: Path) -> dict[str, str]:
    """As a reader without variegate gets it."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    told: dict[str, str] = session.get_modelmeta().custom_metadata_map
    return told


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model, as the command line exports it."""
    file = tmp_path_factory.mktemp("files") / "street.onnx"
    main(["export", "street", "--out", str(file)])
    return file


def test_the_file_draws_what_the_model_draws_at_any_size_and_for_any_number_of_rows(street: Path) -> None:
    model = variegate.load("street")
    for rows, size in ((1, (64, 64)), (5, (64, 64)), (2, (128, 192))):
        stream = torch.Generator().manual_seed(rows)
        raw = torch.randint(8, (rows, 1, *size), dtype=torch.uint8, generator=stream)
        encoded, drawn = model.condition.encode(raw), model.codes(rows, seed=5)
        images = run(street, condition=encoded, code=drawn)
        assert images.shape == (rows, 3, *size)
        own = torch.stack([model.decode(one, code[None])[0] for one, code in zip(raw, drawn)])
        assert ((images + 1) / 2 - own).abs().max() < TOLERANCE


def test_the_file_tells_a_stranger_all_that_is_needed(street: Path) -> None:
    told, model = told_by(street), variegate.load("street")
    assert told["method"] == "cimle"
    assert json.loads(told["classes"])[:2] == ["sky", "building"]
    assert told["condition"].startswith("one-hot at every pixel")
    assert json.loads(told["code"])["size"] == model.generator.code_size
    assert json.loads(told["code"])["prior"] == "gaussian"
    assert told["image"] == "RGB in [-1, 1]"
    assert json.loads(told["size"]) == [64, 64]
    assert told["sizes"].startswith("multiples of ")
    assert json.loads(told["condition_config"]) == model.record.condition
    assert "Apache-2.0" in told["licence"]


def test_the_file_says_nothing_of_this_machine_and_draws_no_numbers_of_its_own(street: Path) -> None:
    content = street.read_bytes()
    assert b"site-packages" not in content
    assert str(Path.home()).encode() + b"/" not in content
    assert b"src/variegate" not in content
    assert not {node.op_type for node in onnx.load(street).graph.node} & {"RandomNormal", "RandomUniform", "Bernoulli"}
    onnx.checker.check_model(onnx.load(street), full_check=True)


def test_the_lines_of_the_documentation_draw_with_onnxruntime_alone(
    street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sharing.md").read_text(), re.DOTALL)
    assert not re.search("torch|variegate", block)
    monkeypatch.chdir(street.parent)
    exec(compile(block, "docs/sharing.md", "exec"), {})
    drawn = [np.asarray(Image.open(f"onnx-{i}.png")).astype(int) for i in range(4)]
    assert all(np.abs(one - drawn[0]).mean() > 2 for one in drawn[1:])


def test_the_verb_says_the_measured_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    untrained(ImageCondition()).save(tmp_path / "model")
    for name in ("one.onnx", "two.onnx"):
        main(["export", str(tmp_path / "model"), "--out", str(tmp_path / name)])
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("one.onnx: from condition and code to image, of multiples of 4, best near 32x32")
    difference = float(told[1].removeprefix("its images differ from the model's by at most ").partition(" ")[0])
    assert 0 <= difference < TOLERANCE
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes(), "the same file every time"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in EXPORTED]
)
def test_every_method_that_can_be_exported_is(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    made = model.export_onnx(tmp_path / "model.onnx", conditions(name, 1))
    assert made.difference < TOLERANCE
    for rows in (1, 4):
        given = {"condition": conditions(name, rows), "code": codes(model.generator, 3, rows)}
        given = {key: value for key, value in given.items() if key in made.inputs}
        with torch.no_grad():
            features = model.generator.encode(conditions(name, rows))
            own = model.generator.decode(features, codes(model.generator, 3, rows)).clamp(-1, 1)
        assert (run(made.path, **given) - own).abs().max() < TOLERANCE


@pytest.mark.parametrize("condition", [Unconditional(), ClassLabel(names=("cat", "dog"))], ids=["none", "class"])
def test_models_without_a_map_are_exported(condition: Any, tmp_path: Path) -> None:
    chosen = method("flow", {"generator.widths": [8, 8], "generator.sampler.steps": 2})
    torch.manual_seed(3)
    generator = chosen.build_generator(Shapes(condition.channels, 3, (16, 16))).eval().requires_grad_(False)
    own = untrained().record.model_dump() | {
        "method": chosen.model_dump(mode="json"),
        "condition": condition.model_dump(mode="json"),
        "condition_channels": condition.channels,
        "size": (16, 16),
    }
    model = Model(generator, condition, ModelRecord(**own))
    made = model.export_onnx(tmp_path / "model.onnx")
    assert made.inputs == (("condition", "code") if condition.channels else ("code",))
    drawn = model.codes(2, seed=8)
    encoded = (
        {"condition": model.encode(condition.read("dog", (16, 16))).repeat(2, 1, 1, 1)} if condition.channels else {}
    )
    images = run(made.path, code=drawn, **encoded)
    words = "dog" if condition.channels else "none"
    assert ((images + 1) / 2 - model.sample(words, codes=drawn, size=(16, 16)).images).abs().max() < TOLERANCE
    assert json.loads(told_by(made.path)["classes"]) == (["cat", "dog"] if condition.channels else [])


@pytest.mark.parametrize("size", [(30, 33), (3, 45)])
def test_a_held_out_condition_of_any_size_leaves_height_and_width_free(
    size: tuple[int, int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = untrained(ImageCondition())
    model.record = model.record.model_copy(update={"size": (30, 33)})
    made = model.export_onnx(tmp_path / "model.onnx", 2 * torch.rand(1, 3, *size) - 1)
    assert made.sizes.startswith("multiples of 4")
    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_run_fails_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    from variegate.model.onnx_export import compare

    def file(sides: list[int]) -> bytes:
        """To one shape, which no condition here has."""
        given, image = (
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", "K", "H", "W"])
            for name in ("condition", "image")
        )
        shape = onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [len(sides)], sides)
        node = onnx.helper.make_node("Reshape", ["condition", "shape"], ["image"])
        graph = onnx.helper.make_graph([node], "g", [given], [image], [shape])
        opset = [onnx.helper.make_opsetid("", 18)]
        return bytes(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())

    model = untrained(ImageCondition())
    for content in (file([7, 7, 7, 7]), b"no file"):
        assert compare(content, model, ["condition"], None, 4) == float("inf")
    assert capfd.readouterr() == ("", "")


def test_every_method_is_exported_or_refused() -> None:
    assert {preset(name).name for name in [*EXPORTED, *REFUSED]} | {"recommended"} >= set(METHODS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_one_file_is_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with pytest.raises(
        ConfigError, match=r"which an ONNX file cannot hold|passes that an ONNX file cannot hold"
    ) as told:
        model_of(name).export_onnx(file)
    assert "give --format safetensors" in str(told.value)
    assert "train " in str(told.value)
    assert not file.exists()


@pytest.mark.parametrize("name", ROWS_OF_THEIR_OWN)
def test_filters_of_their_own_for_all_rows_at_once_draw_the_same_images(name: str) -> None:
    generator = model_of(name).generator
    condition, drawn = conditions(name, 3), codes(generator, 1, 3)
    with torch.no_grad():
        own = generator.decode(generator.encode(condition), drawn)
        other = batched(generator)
        images = other.decode(other.encode(condition), drawn)
    assert own.std() > 0
    torch.testing.assert_close(images, own, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("stride", "dilation", "kernel"), [(1, 1, 3), (2, 1, 3), (1, 2, 3), (2, 3, 2), (1, 1, 1)])
def test_each_row_is_convolved_with_its_own_filters(stride: int, dilation: int, kernel: int) -> None:
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 9, 12, generator=stream)
    filters = torch.randn(3, 5, 4, kernel, kernel, generator=stream)
    rows = [torch.conv2d(one[None], own, None, stride, 0, dilation) for one, own in zip(x, filters)]
    torch.testing.assert_close(each_with_its_own(x, filters, stride, dilation), torch.cat(rows))


def test_a_file_that_would_draw_other_images_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from variegate.model import onnx_export

    class Darker(onnx_export.Drawing):
        def forward(self, first: torch.Tensor, code: torch.Tensor | None = None) -> torch.Tensor:
            return super().forward(first, code) - 0.02

    monkeypatch.setattr(onnx_export, "traced", lambda *_: None)
    monkeypatch.setattr(onnx_export, "drawn", lambda model, given: Darker(model.generator, True, SIZE)(*given))
    with pytest.raises(ConfigError, match=r"a file would draw other images \(by 0.02 of \[-1, 1\]\); nothing was"):
        untrained().export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "pt", "--out", "m"], "pt files are unpickled when they are read, which can run any program"),
        (["--out", "model.pth"], "pth files are unpickled"),
        (["--format", "onxx", "--out", "m.onnx"], "there is no format 'onxx'; did you mean 'onnx'"),
        (["--out", "model"], "an ONNX file is expected; give a name such as model.onnx"),
        (["--format", "safetensors", "--out", "m.safetensors"], "writes a folder; give one such as m"),
        (["--out", "m.onnx", "--solver-steps", "3"], "has no steps to choose"),
    ],
)
def test_wrong_formats_and_names_are_told_in_one_sentence(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["export", "street", *words])
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_safetensors_are_a_folder_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["export", "street", "--format", "safetensors", "--out", str(tmp_path / "passed-on")])
    assert "nothing in it needs unpickling" in capsys.readouterr().out
    layout = torch.arange(64 * 64, dtype=torch.int64).reshape(64, 64).remainder(8).to(torch.uint8)
    images = [variegate.load(place).sample(layout, n=1).images for place in ("street", tmp_path / "passed-on")]
    assert torch.equal(*images)
    assert not {path.suffix for path in (tmp_path / "passed-on").iterdir()} - {".json", ".safetensors", ".md"}


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variegate.model.onnx_export.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ConfigError, match=r"onnxscript: pip install 'variegate\[onnx\]'"):
        untrained().export_onnx(tmp_path / "m.onnx")


def conditions_of_all_kinds() -> list[tuple[Any, str]]:
    from variegate.data.conditions.composite import CompositeCondition
    from variegate.data.conditions.landmarks import Landmarks
    from variegate.data.conditions.normals import Normals
    from variegate.data.conditions.vector import Vector

    labels = Labels(names=("a", "b"), palette=((0, 0, 0), (9, 9, 9)))
    animals = ClassLabel(names=("cat", "dog", "owl"))
    return [
        (labels, "one-hot at every pixel"),
        (labels.model_copy(update={"boundaries": True}), "the last channel is 1 where an instance ends"),
        (ImageCondition(), "RGB in [-1, 1]"),
        (ImageCondition(channels=4), "then 1 in the hole and -1 outside"),
        (animals, "channel k is 1 if the class is k"),
        (Vector(length=5), "the same at every pixel"),
        (Landmarks(points=2, frame=(16, 16)), "1 at its pixel, 0 elsewhere"),
        (Landmarks(points=2, frame=(16, 16), heat=2.0), "exp(-d^2 / 8) at d pixels from it"),
        (Normals(), "x, y, z of unit vectors"),
        (CompositeCondition(parts=(animals, ImageCondition())), "channels 0 to 2: one-hot, the same at every pixel: "),
        (CompositeCondition(parts=(animals, ImageCondition())), "; channels 3 to 5: RGB in [-1, 1]"),
        (Unconditional(), "none"),
    ]


def test_encodings_are_told_for_every_kind_of_condition() -> None:
    from variegate.data.conditions import Condition

    known = conditions_of_all_kinds()
    for condition, told in known:
        assert told in encoding(condition)
    assert {condition.kind for condition, _ in known} == set(Condition.kinds)


def test_sizes_are_those_of_the_method() -> None:
    from variegate.model.onnx_export import size_multiple

    assert size_multiple(model_of("munit")) == 4
    assert size_multiple(model_of("flow")) is None, "its code is a field of one size"
    assert size_multiple(model_of("cimle field")) is None
    assert size_of("munit") == (16, 16)
