"""What a user types, and what they are told when it is wrong: one sentence, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from variegate.cli import main
from variegate.cli.parsing import prefixes
from variegate.core.images import to_uint8
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

QUICK = [
    "--noise",
    "input",
    "--objective.layers",
    "2",
    "--size",
    "16",
    "--steps",
    "8",
    "--width",
    "4",
    "--batch-size",
    "2",
    "--quiet",
]


def picture(path: Path, height: int = 16, width: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def pairs(folder: Path, count: int = 6) -> Path:
    for i in range(count):
        picture(folder / "train" / f"{i}.png")
    return folder


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run, expect exit code 2 and one sentence on standard error; return it."""
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    output = capsys.readouterr()
    lines = [line for line in output.err.splitlines() if line.startswith("variegate: ")]
    assert len(lines) == 1
    assert "Traceback" not in output.err
    return lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    options = ["--generator.widths", "[8,8,4]", "--perceptual", "laplacian", "--vector", "4", "--inner-steps", "2"]
    sizes = ["--size", "16", "--steps", "2", "--batch-size", "4", "--candidates", "2", "--quiet", "--device", "cpu"]
    main(["train", "cimle", "--data", "streets:20", "--out", str(out), *options, *sizes])
    return out


@pytest.mark.core
def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    told = capsys.readouterr().out
    for verb in (
        "demo",
        "demo likelihood",
        "methods",
        "data check",
        "train",
        "sample",
        "interpolate",
        "edit",
        "sequence",
        "evaluate",
        "doctor",
    ):
        assert f"  {verb} " in told


@pytest.mark.core
def test_methods_are_listed_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    main(["methods", "--json"])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"pix2pix", "basisgan", "cimle"} <= set(rows)
    assert set(rows["cimle"]) == {
        "name",
        "paper",
        "generator",
        "randomness",
        "objective",
        "condition",
        "summary",
        "in_ten_minutes",
    }


@pytest.mark.core
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "did you mean 'train'"),
        (["train", "pix2pixx", "--data", "streets"], "did you mean 'pix2pix'"),
        (["train", "pix2pix", "--data", "streets", "--generator.widht", "3"], "did you mean 'generator.width'"),
        (["train", "pix2pix", "--data", "streets", "--noise", "loud"], "dropout, input, none"),
        (["train", "pix2pix", "--data", "streets", "--generator.width"], "needs a value"),
        (["train", "pix2pix", "--data", "streets", "--generator.width", "-3"], "greater than or equal to 1"),
        (["train", "pix2pix", "--data", "streets", "--size", "big"], "height x width"),
        (["train", "pix2pix", "--data", "no-such-folder"], "no-such-folder"),
        (["train", "cimle", "--data", "streets:8", "--size", "20"], "multiples of 8"),
        (["train", "pix2pix", "--data", "streets", "--seed", "-1"], "seed: input should be greater than or equal to 0"),
        (["train", "pix2pix", "--data", "streets", "--seed", "5000000"], "seed: input should be less than 4194304"),
        (
            ["train", "pix2pix", "--data", "streets", "--workers", "-1"],
            "workers: input should be greater than or equal",
        ),
        (["train", "pix2pix", "--data", "streets", "--save-every", "0"], "save_every: input should be greater than or"),
        (["train", "pix2pix", "--data", "streets", "--device", "gpu"], "device: input should be 'auto', 'cpu', 'cuda'"),
        (["train", "cimle", "--data", "streets:8", "--initial", "nothere"], "nothere is not a folder; give a run"),
        (["data", "export-streets", "x.gif"], "x.gif: names a GIF, but a folder is expected; give a folder, or add"),
        (
            ["sequence", "run", "y.gif", "--out", "x.gif"],
            "--out x.gif: names an image, but a folder is expected; give a folder",
        ),
        (["edit", "run", "y.png", "--steps"], "--steps is empty; give at least one step"),
        (["sample", "no-such-run", "x.png"], "no-such-run"),
        (["evaluate", "no-such-run"], "no-such-run"),
    ],
    ids=lambda value: " ".join(value[:6]) if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_with_one_sentence(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in refused(words, capsys)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.core
def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    absent = "mps" if torch.cuda.is_available() else "cuda"
    for words in (["sample", ".", "x.png"], ["train", "pix2pix", "--data", "streets:8", *QUICK]):
        sentence = refused([*words, "--device", absent], capsys)
        assert sentence.startswith(f"variegate: --device {absent}: there is no such device here; give ")
        assert sentence.endswith("cpu")


def spoil_truncated(folder: Path) -> str:
    path = picture(folder / "train" / "bad.png", 64, 128)
    path.write_bytes(path.read_bytes()[:200])
    return "bad.png"


def spoil_odd_width(folder: Path) -> str:
    picture(folder / "train" / "odd.png", 16, 33)
    return "odd.png"


def spoil_not_an_image(folder: Path) -> str:
    (folder / "train" / "notes.png").write_text("not an image")
    return "notes.png"


def spoil_empty(folder: Path) -> str:
    for path in (folder / "train").iterdir():
        path.unlink()
    return str(folder)


@pytest.mark.core
@pytest.mark.parametrize("spoil", [spoil_truncated, spoil_odd_width, spoil_not_an_image, spoil_empty])
def test_bad_images_are_named(spoil: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pairs(tmp_path / "data")
    name = spoil(folder)  # type: ignore[operator]
    sentence = refused(["train", "pix2pix", "--data", str(folder), "--out", str(tmp_path / "run"), *QUICK], capsys)
    assert name in sentence
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.core
def test_a_label_out_of_range_is_named_before_it_reaches_a_kernel(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "layout.png"
    Image.fromarray(np.full((16, 16), 77, np.uint8)).save(path)
    sentence = refused(["sample", str(run), str(path), "--out", str(tmp_path / "drawn")], capsys)
    assert "layout.png" in sentence
    assert "77" in sentence
    assert not (tmp_path / "drawn").exists()


def test_samples_are_written_with_codes_and_can_be_drawn_again(run: Path, tmp_path: Path) -> None:
    main(["sample", str(run), "test:0", "-n", "3", "--seed", "5", "--out", str(tmp_path / "a")])
    codes = str(tmp_path / "a" / "codes.safetensors")
    main(["sample", str(run), "test:0", "--codes", codes, "--out", str(tmp_path / "b")])
    first, again = sorted((tmp_path / "a").glob("5-*.png")), sorted((tmp_path / "b").glob("0*.png"))
    assert len(first) == len(again) == 3
    for one, other in zip(first, again):
        assert np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))


def test_conditions_of_one_name_do_not_replace_each_other(run: Path, tmp_path: Path) -> None:
    for folder, value in (("a", 0), ("b", 6)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((16, 16), value, np.uint8)).save(tmp_path / folder / "0.png")
    both, out = [str(tmp_path / "a" / "0.png"), str(tmp_path / "b" / "0.png")], tmp_path / "out"
    main(["sample", str(run), *both, "-n", "1", "--out", str(out)])
    main(["sample", str(run), both[1], "-n", "1", "--out", str(tmp_path / "alone")])
    assert sorted(path.name for path in out.glob("0*-0-0.png")) == ["0-0-0.png", "0-2-0-0.png"]
    assert (out / "0-2-0-0.png").read_bytes() == (tmp_path / "alone" / "0-0.png").read_bytes()
    assert prefixes(["0", "0", "0-2", "0"]) == ["0-", "0-3-", "0-2-", "0-4-"]


def test_the_command_that_training_ends_with_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = pairs(tmp_path / "data"), tmp_path / "run"
    main(["train", "pix2pix", "--data", str(data), "--out", str(out), *QUICK, "--steps", "1", "--device", "cpu"])
    *_, command = capsys.readouterr().out.strip().rpartition("variegate ")
    main([*command.split(), "--out", str(tmp_path / "drawn")])
    assert len(list((tmp_path / "drawn").glob("0-*.png"))) == 16


def test_an_interpolation_is_a_strip_and_a_moving_image(run: Path, tmp_path: Path) -> None:
    words = ["interpolate", str(run), "val:1", "--from", "3", "--to", "7", "--frames", "5", "--out", str(tmp_path)]
    main(words)
    assert Image.open(tmp_path / "strip.png").size == (5 * 16 + 4 * 2, 16)
    assert Image.open(tmp_path / "morph.gif").n_frames == 5
    assert len(list((tmp_path / "frames").glob("0*.png"))) == 5


def test_an_interpolation_may_be_straight(run: Path, tmp_path: Path) -> None:
    words = ["interpolate", str(run), "val:1", "--frames", "3", "--out"]
    main([*words, str(tmp_path / "arc")])
    main([*words, str(tmp_path / "line"), "--straight"])
    model, condition = Model.load(run), RunFolder(run).pairs("val").raw(1)[0]
    middle = model.decode(condition, model.codes(2).mean(dim=0, keepdim=True))[0]
    frames = {
        name: [np.array(Image.open(file)) for file in sorted((tmp_path / name / "frames").glob("0*.png"))]
        for name in ("arc", "line")
    }
    assert np.array_equal(frames["line"][1], to_uint8(middle * 2 - 1).movedim(0, -1).numpy())
    assert np.array_equal(frames["line"][0], frames["arc"][0])
    assert not np.array_equal(frames["line"][1], frames["arc"][1])
    with pytest.raises(SystemExit):
        main(["interpolate", str(run), "val:1", "--frames", "0", "--straight"])


def test_an_evaluation_prints_numbers_with_protocols_and_nothing_else(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["evaluate", str(run), "--protocol", "quick", "--no-perceptual", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert {"coverage", "rare_recall", "precision", "diversity_pixel", "rmse_best"} <= set(content["metrics"])
    assert set(content["protocol"]) == set(content["metrics"])
    assert json.loads((run / "metrics.json").read_text()) == content
    assert "<html" in (run / "report.html").read_text()


def test_a_cut_short_model_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    weights = copy / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "model.safetensors" in refused(["sample", str(copy), "test:0"], capsys)


def test_the_doctor_explains_a_run_in_words(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", str(run)])
    told = capsys.readouterr().out
    assert "Training finished at step 2." in told
    assert "The code is used" in told


def test_a_checked_folder_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "export-streets", str(tmp_path / "streets"), "--count", "10", "--size", "32"])
    main(["data", "check", str(tmp_path / "streets")])
    told = capsys.readouterr().out
    assert "10" in told
    assert "train" in told


@pytest.mark.core
def test_import_and_help_stay_light() -> None:
    """Nothing heavy is imported by `import variegate` or by the command line before a verb runs."""
    code = "import sys, variegate, variegate.cli; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_demo_of_likelihood_draws_each_digit_and_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "likelihood"
    main(["demo", "likelihood", "--quick", "--out", str(out)])
    told = capsys.readouterr().err
    assert "299 held-out digits: " in told
    assert "bits per dimension; uncompressed: 4" in told
    log = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert 2.5 < next(row["val/bits_per_dim"] for row in log if "val/bits_per_dim" in row) < 4.1
    with Image.open(out / "digits.png") as sheet:
        assert sheet.size == (4 * (17 * 10 - 2), 4 * (10 * 10 - 2))
    main(["interpolate", str(out), "class:3", "--frames", "3", "--out", str(tmp_path / "way")])
    assert (tmp_path / "way" / "strip.png").is_file()
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "three small models" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m variegate methods"
    shown = subprocess.run(f"{command} | head -1", shell=True, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("recommended")
    assert not shown.stderr
