"""Embeddings: they learn people they have never seen, go on where they stopped, and are the same from disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from helpers.people import draw_people
from helpers.runs import held_by_another
from variegate.cli import main
from variegate.core.errors import CheckpointError, ConfigError, DataError, VariegateError
from variegate.embedding import Embedding, embed_folder, open_embedding, train_embedding
from variegate.embedding.identities import read_identities
from variegate.embedding.saved import Settings
from variegate.evaluation.metrics.plugged import plug
from variegate.runs.checkpoints import Checkpoints
from variegate.runs.lock import NAME
from variegate.runs.settings import ExecutionSettings

QUIET = ExecutionSettings(quiet=True)
SMALL = Settings(size=(24, 24), length=16, width=8, people=8, pictures=3, steps=6)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_embedding(people, tmp_path_factory.mktemp("runs") / "run", SMALL, run=QUIET)


def images_of(file: Path) -> torch.Tensor:
    return torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_people_never_seen_are_told_apart_better_than_before_training_and_than_by_pixels(tmp_path: Path) -> None:
    people = draw_people(tmp_path / "people", people=60)
    settings = SMALL.model_copy(update={"steps": 120, "people": 16, "pictures": 4})
    content = json.loads((train_embedding(people, tmp_path / "run", settings, run=QUIET) / "metrics.json").read_text())
    before = settings.model_copy(update={"steps": 1, "learning_rate": 1e-9})
    first = json.loads((train_embedding(people, tmp_path / "one", before, run=QUIET) / "metrics.json").read_text())
    after = content["metrics"]["auc_unseen"]["value"]
    assert after > 0.9
    assert after > content["metrics"]["auc_unseen_pixels"]["value"] + 0.05
    assert after > first["metrics"]["auc_unseen"]["value"] + 0.05
    protocol = content["protocol"]["auc_unseen"]
    assert protocol["inputs"] == 6
    assert protocol["pairs"] == "all: 36 of one person, 240 of two"
    assert "54 to 59" in protocol["notes"][0]


def test_people_who_are_held_out_are_in_no_batch(people: Path) -> None:
    learn, unseen = read_identities(people, (24, 24)).split()
    assert (len(learn.names), unseen.names) == (22, ("22", "23"))
    own = {image.numpy().tobytes() for image in unseen.images}
    assert len(own) == 8
    assert own.isdisjoint(image.numpy().tobytes() for image in learn.images)


def test_a_batch_has_so_many_images_of_so_many_people_and_depends_on_seed_and_step_alone(people: Path) -> None:
    learn, _ = read_identities(people, (24, 24)).split()
    images, shown = learn.batch(3, 5, people=6, images=3)
    assert images.shape == (18, 3, 24, 24)
    assert shown.unique(return_counts=True)[1].tolist() == [3] * 6
    again, same = learn.batch(3, 5, people=6, images=3)
    assert torch.equal(images, again)
    assert torch.equal(shown, same)
    assert not torch.equal(shown, learn.batch(3, 6, people=6, images=3)[1])
    assert not torch.equal(shown, learn.batch(4, 5, people=6, images=3)[1])


def test_equal_seeds_give_equal_weights_and_a_run_that_stopped_goes_on_exactly(people: Path, tmp_path: Path) -> None:
    whole = train_embedding(people, tmp_path / "whole", SMALL, run=QUIET)
    half = SMALL.model_copy(update={"steps": 3})
    train_embedding(people, tmp_path / "run", half, run=QUIET)
    assert (tmp_path / "run" / "model" / "model.safetensors").read_bytes() != (
        whole / "model" / "model.safetensors"
    ).read_bytes()
    train_embedding(people, tmp_path / "run", SMALL, resume=True, run=QUIET)
    for name in ("model/model.safetensors", "metrics.json", "metrics.jsonl", "config.yaml"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    kept = checkpoints.steps()
    shutil.copytree(checkpoints.path(kept[-1]), checkpoints.path(0))  # as a kill right after saving leaves one
    train_embedding(people, tmp_path / "run", SMALL, resume=True, run=QUIET)
    assert checkpoints.steps() == kept
    other = SMALL.model_copy(update={"seed": 1})
    train_embedding(people, tmp_path / "other", other, run=QUIET)
    assert Embedding.load(tmp_path / "other").digest != Embedding.load(whole).digest


def test_vectors_have_length_1_and_do_not_depend_on_the_company(run: Path, people: Path) -> None:
    embedding = Embedding.load(run)
    images = torch.cat([images_of(file) for file in sorted(people.rglob("0.png"))])
    vectors = embedding(images)
    assert vectors.shape == (24, 16)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(24), atol=1e-6)
    assert torch.allclose(embedding(images[5:6])[0], vectors[5], atol=1e-6)
    assert embedding(torch.zeros(2, 3, 40, 30)).shape == (2, 16)
    assert torch.equal(plug(embedding, "embedding")(images), vectors)
    with pytest.raises(DataError, match=r"images must have shape .*, got \(3, 24, 24\)"):
        embedding(images[0])


def test_a_run_measures_how_far_the_identity_of_samples_spreads(
    run: Path, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--size", "32", "--width", "4", "--steps", "1", "--batch-size", "2", "--quiet", "--device", "cpu"]
    drawn = tmp_path / "drawn"
    words += ["--learning-rate.generator", "1e-9"]  # as it began, when codes still change what it draws
    main(["train", "basisgan", "--data", "streets:20", "--blocks", "1", *words, "--out", str(drawn)])
    capsys.readouterr()
    main(["evaluate", str(drawn), "--protocol", "quick", "--no-perceptual", "--json", "--embedding", str(run)])
    content = json.loads(capsys.readouterr().out)
    protocol = content["protocol"]["std_identity"]
    assert content["metrics"]["std_identity"]["value"] > 0
    assert protocol["weights"] == {"Embedding": Embedding.load(run).digest}
    assert protocol["resize"] == "24 x 24, bicubic, antialiased"
    with pytest.raises(SystemExit):
        main(["evaluate", str(drawn), "--protocol", "quick", "--no-perceptual", "--embedding", str(people)])
    assert "contains no embedding; give a folder written by `variegate embed train`" in capsys.readouterr().err


def test_vectors_of_a_folder_are_the_same_in_every_kind_of_file(run: Path, people: Path, tmp_path: Path) -> None:
    for kind in ("npy", "npz", "safetensors"):
        main(["embed", "apply", str(run), str(people), "--out", str(tmp_path / f"v.{kind}")])
    plain = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert plain.shape == (96, 16)
    assert plain.dtype == np.float32
    with np.load(tmp_path / "v.npz", allow_pickle=False) as both:
        names = both["names"].tolist()
        assert np.array_equal(both["vectors"], plain)
    assert names[:5] == ["00/0.png", "00/1.png", "00/2.png", "00/3.png", "01/0.png"]
    with safe_open(tmp_path / "v.safetensors", "np") as content:
        assert json.loads(content.metadata()["names"]) == names
        assert np.array_equal(content.get_tensor("vectors"), plain)
    place = names.index("07/2.png")
    expected = Embedding.load(run)(images_of(people / "07" / "2.png"))[0].numpy()
    assert np.allclose(plain[place], expected, atol=1e-6)
    with pytest.raises(ConfigError, match="already exists"):
        embed_folder(open_embedding(run), people, tmp_path / "v.npy")
    with pytest.raises(ConfigError, match="must end with"):
        embed_folder(open_embedding(run), people, tmp_path / "v.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.npy", "v.npz", "v.safetensors"]


def test_the_command_line_trains_measures_and_goes_on(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["embed", "train", str(people), "--out", str(tmp_path / "run"), "--size", "24", "--length", "8", "--quiet"]
    main([*words, "--steps", "2"])
    assert "auc_unseen " in capsys.readouterr().out
    main([*words, "--steps", "3", "--resume"])
    assert Embedding.load(tmp_path / "run").record.step == 3
    with pytest.raises(SystemExit):
        main([*words, "--steps", "3"])
    assert "is not empty; give another --out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*words, "--steps", "3", "--resume", "--seed", "1"])
    assert "was trained with a different embedding.seed" in capsys.readouterr().err


def test_a_second_training_in_a_folder_is_refused_in_a_sentence(
    run: Path, people: Path, capsys: pytest.CaptureFixture
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with held_by_another(run) as child:
        for more in ([], ["--resume"]):
            with pytest.raises(SystemExit) as ended:
                main(["embed", "train", str(people), "--out", str(run), "--quiet", *more])
            assert ended.value.code == 2
            [line] = capsys.readouterr().err.splitlines()
            assert f"{run}: process {child} on " in line
            assert line.endswith(", trains in it; wait for it, or give another --out")
    (run / NAME).unlink()  # which the killed process could not remove
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def broken(people: Path, root: Path, how: str) -> Path:
    shutil.copytree(people, root)
    folders = sorted(root.iterdir())
    if how == "one person":
        for folder in folders[1:]:
            shutil.rmtree(folder)
    elif how == "three people":
        for folder in folders[3:]:
            shutil.rmtree(folder)
    elif how == "one image":
        for file in sorted(folders[4].iterdir())[1:]:
            file.unlink()
    elif how == "empty person":
        shutil.rmtree(folders[4])
        folders[4].mkdir()
    elif how == "no folders":
        (root / "x.png").write_bytes((folders[0] / "0.png").read_bytes())
        for folder in folders:
            shutil.rmtree(folder)
    elif how == "unreadable":
        (folders[2] / "1.png").write_bytes(b"<html>")
    return root


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("one person", "has 1 person, but needs at least 4"),
        ("three people", "has 3 people, but needs at least 4"),
        ("one image", "04: has only one image; a person needs at least two"),
        ("empty person", "04: has no images; a person needs at least two"),
        ("no folders", "has no sub-folders; put the images of each person in a sub-folder"),
        ("unreadable", "1.png: is not an image but a web page"),
    ],
)
def test_a_folder_that_cannot_be_learned_from_is_named(people: Path, tmp_path: Path, how: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        train_embedding(broken(people, tmp_path / "people", how), tmp_path / "run", SMALL, run=QUIET)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_is_no_embedding_is_named(run: Path, people: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a folder"):
        Embedding.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="contains no embedding"):
        Embedding.load(people)
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "model" / "config.json").write_text('{"method": {}}')
    with pytest.raises(CheckpointError, match="does not describe an embedding or is damaged"):
        Embedding.load(copy)
    shutil.copy(run / "model" / "config.json", copy / "model" / "config.json")
    whole = (copy / "model" / "model.safetensors").read_bytes()
    (copy / "model" / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        Embedding.load(copy)
    with pytest.raises(VariegateError, match="no such file"):
        open_embedding(tmp_path / "mine.onnx")
    assert not list(run.rglob("*.pkl"))
