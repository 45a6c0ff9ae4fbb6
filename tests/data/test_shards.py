"""Shards are the folder they were packed from: same pairs, same order, same training; and WebDataset to others."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from helpers.odd_data import KINDS, draw, write
from helpers.odd_pictures import SOFT
from helpers.tiny import drawing, ids, labelled, photo, save
from variegate import train
from variegate.cli import main
from variegate.core.errors import ConfigError, DataError, VariegateError
from variegate.data import open_data
from variegate.data.checks.check import check
from variegate.data.dataset import packing
from variegate.data.dataset.opening import DataConfig
from variegate.data.dataset.packing import Limits, pack
from variegate.data.files import cache
from variegate.data.files.blobs import Shard
from variegate.data.readers import foreign_shards
from variegate.runs.settings import ExecutionSettings

pytestmark = pytest.mark.core
QUIET = ExecutionSettings(quiet=True, device="cpu")
QUICK = ("--protocol", "quick", "--no-perceptual", "--json")
SMALL = {"width": 4, "blocks": 1, "objective.layers": 1, "batch_size": 2}


def halves(root: Path) -> None:
    for i in range(12):
        save(root / f"im.{i}.png", np.hstack([drawing(), photo()]))


def both(root: Path) -> None:
    for split in ("train", "test"):
        for i in range(4):
            save(root / f"{split}A" / f"{i}.jpg", photo(18, 20))
            save(root / f"{split}B" / f"{i}.png", drawing(18, 20))


def instances(root: Path) -> None:
    labelled(root, "train_label", "train_img", maps=4)
    for i in range(4):
        save(root / "train_inst" / f"{i}.png", ids(1, 26001 % 256, 7, 9))


def sixteen_bits(root: Path) -> None:
    for i in range(4):
        values = np.random.default_rng(i).integers(0, 4096, (16, 16), dtype=np.uint16)
        values[0, 0] = 4095
        save(root / "low" / f"{i}.png", values)
        save(root / "high" / f"{i}.png", values)


def classes(root: Path) -> None:
    for name, count in (("cat", 8), ("a dog", 4)):
        for i in range(count):
            save(root / name / f"{i}.png", photo())


def landmarks(root: Path) -> None:
    table = {f"{i}.png": [[1.25 + i, 3.1], None, [7.7, 15 - i]] for i in range(4)}
    for name in table:
        save(root / name, photo())
    (root / "landmarks.json").write_text(json.dumps(table))


def normals(root: Path) -> None:
    (root / "train_normals").mkdir(parents=True)
    for i in range(3):
        vectors = np.random.default_rng(i).normal((0, 0, 3), size=(16, 24, 3))
        vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
        np.save(root / "train_normals" / f"{i}.npy", vectors.astype(np.float32))
        save(root / "train_img" / f"{i}.jpg", photo(16, 24))


def vectors(root: Path) -> None:
    halves(root)
    np.save(root / "v.npy", np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32))


FOLDERS: dict[str, tuple[Callable[[Path], object], dict[str, object]]] = {
    "halves": (halves, {"direction": "BtoA"}),
    "two folders": (both, {}),
    "label maps": (lambda root: labelled(root, maps=12), {"size": (8, 12)}),
    "instance maps": (instances, {}),
    "deep images": (sixteen_bits, {"white_level": 4095}),
    "classes": (classes, {}),
    "class+edges": (classes, {"condition": "class+edges"}),
    "landmarks": (landmarks, {}),
    "normals": (normals, {}),
    "unpaired": (both, {"unpaired": True}),
    "derived": (halves, {"condition": "superres:4"}),
    "vectors": (vectors, {"condition": "vectors:{root}/v.npy"}),
}


def settings_for(root: Path, settings: dict[str, object]) -> dict[str, object]:
    return {n: one.format(root=root) if isinstance(one, str) else one for n, one in settings.items()}


def packed(root: Path, out: Path, limits: Limits | None = None, **settings: object) -> Path:
    pack(DataConfig.model_validate({"path": str(root), **settings}), out, limits)
    return out


@pytest.mark.parametrize("name", FOLDERS)
def test_shards_are_the_folder_that_was_packed(name: str, tmp_path: Path) -> None:
    make, options = FOLDERS[name]
    make(tmp_path / "data")
    settings = settings_for(tmp_path / "data", options)
    folder = open_data(tmp_path / "data", **settings)
    shards = open_data(packed(tmp_path / "data", tmp_path / "shards", Limits(count=3), **settings))
    assert shards.source.fingerprint == folder.source.fingerprint
    assert (shards.name, shards.splits, shards.size) == (folder.name, folder.splits, folder.size)
    assert (shards.condition, shards.unpaired) == (folder.condition, folder.unpaired)
    assert shards.source.direction == folder.source.direction
    for split in folder.splits:
        one, other = folder.of_split(split), shards.of_split(split)
        assert len(one) == len(other)
        assert [Path(file).name for file in one.files] == [Path(file).name for file in other.files]
        for k in range(len(one)):
            assert all(torch.equal(a, b) for a, b in zip(one[k], other[k]))
    assert check(tmp_path / "shards").ok


@pytest.mark.parametrize("kind", KINDS)
def test_any_odd_folder_that_opens_is_packed_whole(kind: str, tmp_path: Path) -> None:
    drawn = (one for seed in range(1000) if (one := draw(seed)).kind == kind)
    odd = next(one for one in drawn if not one.harm and one.labels not in SOFT)
    write(odd, tmp_path / "data")
    folder = open_data(tmp_path / "data", **({"condition": "edges"} if kind in ("plain", "lama") else {}))
    shards = open_data(packed(tmp_path / "data", tmp_path / "shards", condition=folder.derived and "edges"))
    for split in folder.splits:
        one, other = folder.of_split(split), shards.of_split(split)
        assert all(torch.equal(a, b) for k in range(len(one)) for a, b in zip(one[k], other[k]))


def test_webdataset_reads_the_files_as_they_were(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    labelled(tmp_path / "data", maps=5)
    out = packed(tmp_path / "data", tmp_path / "shards", Limits(count=2))
    tars = [str(out / f"train-{number:06d}.tar") for number in range(3)]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"{i:08d}-{i}" for i in range(5)]
    for i, sample in enumerate(samples):
        assert sample["image.jpg"] == (tmp_path / "data" / "train" / f"{i}.jpg").read_bytes()
        assert sample["condition.png"] == (tmp_path / "data" / "train_labels" / f"{i}.png").read_bytes()


def test_other_programs_find_classes_landmarks_and_vectors(tmp_path: Path) -> None:
    classes(tmp_path / "data")
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    np.save(tmp_path / "v.npy", rows)
    out = packed(tmp_path / "data", tmp_path / "shards", condition=f"class+vectors:{tmp_path}/v.npy")
    with tarfile.open(out / "train-000000.tar") as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    first = sorted(members)[:3]
    assert [name.partition(".")[2] for name in first] == ["cls", "image.png", "vector.npy"]
    found = np.stack([np.load(io.BytesIO(value)) for name, value in members.items() if name.endswith("npy")])
    assert sorted(map(tuple, found)) == sorted(map(tuple, rows))


def test_packing_twice_gives_equal_bytes_and_shards_end_where_asked(tmp_path: Path) -> None:
    labelled(tmp_path / "data", maps=5)
    one = packed(tmp_path / "data", tmp_path / "one", Limits(count=2))
    other = packed(tmp_path / "data", tmp_path / "other", Limits(count=2))
    names = sorted(file.name for file in one.iterdir())
    assert names == [*(f"train-{number:06d}.tar" for number in range(3)), "variegate.json"]
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
    small = packed(tmp_path / "data", tmp_path / "small", Limits(size=1))
    assert len(list(small.glob("*.tar"))) == 5
    for bad in ({"count": 0}, {"size": 0}):
        with pytest.raises(ConfigError, match="a shard must hold at least one sample"):
            Limits(**bad)


def test_workers_read_what_one_process_reads(tmp_path: Path) -> None:
    """Also after this process opened the shards, whose open files forked workers inherit."""
    labelled(tmp_path / "data", maps=10)
    pairs = open_data(packed(tmp_path / "data", tmp_path / "shards", Limits(count=2)))
    alone = [pairs.raw(k) for k in range(len(pairs))]
    pairs._cache.clear()
    for way, workers in (("fork", 2), ("spawn", 1)):
        loader = DataLoader(
            pairs, batch_size=None, num_workers=workers, multiprocessing_context=multiprocessing.get_context(way)
        )
        read = list(loader)
        assert len(read) == len(alone)
        assert all(torch.equal(a, b) for one, other in zip(alone, read) for a, b in zip(one, other))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, its shards, and a run of three steps on each."""
    root = tmp_path_factory.mktemp("runs")
    labelled(root / "data", maps=8)
    packed(root / "data", root / "shards", Limits(count=3), size=(16, 16))
    train("basisgan", root / "data", root / "one", steps=3, run=QUIET, size=(16, 16), save_every=1, **SMALL)
    train("basisgan", root / "shards", root / "two", steps=3, run=QUIET, workers=2, **SMALL)
    return root


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def test_training_on_shards_with_workers_is_training_on_the_folder(runs: Path) -> None:
    one, two = weights(runs / "one"), weights(runs / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_continues_on_the_shards_of_its_folder(runs: Path) -> None:
    train("basisgan", runs / "data", runs / "half", steps=2, run=QUIET, size=(16, 16), **SMALL)
    train("basisgan", runs / "shards", runs / "half", True, steps=3, run=QUIET, **SMALL)
    one, half = weights(runs / "one"), weights(runs / "half")
    assert all(torch.equal(one[name], half[name]) for name in one)


def test_items_of_shards_are_sampled_and_evaluated(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sample", str(runs / "two"), "val:0", "-n", "2", "--out", str(runs / "samples")])
    assert list((runs / "samples").glob("*.png"))
    found = []
    for run, data in (("two", "shards"), ("one", "data")):
        capsys.readouterr()
        main(["evaluate", str(runs / run), "--data", str(runs / data), *QUICK])
        metrics = json.loads(capsys.readouterr().out)["metrics"]
        found.append({name: one for name, one in metrics.items() if one["unit"] != "s"})
    assert len(found[0]) > 10
    assert found[0] == found[1]


def test_the_command_packs_and_refuses_a_folder_with_anything_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(tmp_path / "data", maps=5)
    out = tmp_path / "shards"
    main(["data", "pack", str(tmp_path / "data"), "--out", str(out), "--shard-size", "1KB", "--size", "8x16"])
    assert "5 train, 0.0 MB in" in capsys.readouterr().out
    assert open_data(out).size == (8, 16)
    before = {file: file.read_bytes() for file in out.iterdir()}
    for words, told in (
        (["--out", str(out)], "exists and is not empty; give a new folder"),
        (["--out", str(tmp_path / "new"), "--shard-size", "many"], "must be a size such as 256MB"),
    ):
        with pytest.raises(SystemExit):
            main(["data", "pack", str(tmp_path / "data"), *words])
        assert told in capsys.readouterr().err
    assert {file: file.read_bytes() for file in out.iterdir()} == before
    for path, told in (("streets", "export it first"), (str(out), "is packed already"), ("digits", "is arrays")):
        with pytest.raises(SystemExit):
            main(["data", "pack", path, "--out", str(tmp_path / "new")])
        assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from variegate.data.dataset import packing
read, files = packing.read_bytes, []
def counting(file):
    files.append(file)
    return os.kill(os.getpid(), signal.SIGKILL) if len(files) == 6 else read(file)
packing.read_bytes = counting
packing.pack(packing.DataConfig(path=sys.argv[1]), Path(sys.argv[2]), packing.Limits(count=2))
"""


def test_killed_packing_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    labelled(tmp_path / "data", maps=5)
    words = [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(tmp_path / "shards")]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "shards").exists()
    assert not list(tmp_path.rglob("variegate.json"))
    packed(tmp_path / "data", tmp_path / "shards")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "shards"]


def test_stopped_packing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(tmp_path / "data", maps=5)
    files = iter(range(6))

    def stopped(file: Path) -> bytes:
        if next(files) == 5:
            raise KeyboardInterrupt
        return file.read_bytes()

    monkeypatch.setattr(packing, "read_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        packed(tmp_path / "data", tmp_path / "shards", Limits(count=2))
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    labelled(tmp_path / "data", maps=6)
    return packed(tmp_path / "data", tmp_path / "shards", Limits(count=2))


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def with_checksums(value: object) -> Callable[[Path], object]:
    """Damage that puts a value in the place of every checksum of an index."""

    def damage(root: Path) -> None:
        index = json.loads((root / "variegate.json").read_text())
        for split in index["splits"].values():
            for columns in split["files"].values():
                columns["crc32"] = [value] * len(columns["path"])
        (root / "variegate.json").write_text(json.dumps(index))

    return damage


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root: (root / "train-000001.tar").unlink(), "train-000001.tar: this shard is missing; copy it"),
        (
            lambda root: os.truncate(root / "train-000001.tar", 700),
            "train-000001.tar: this shard has 700 bytes instead",
        ),
        (
            lambda root: (root / "variegate.json").write_text("{"),
            "variegate.json: is no index of shards, or is damaged",
        ),
        (
            lambda root: (root / "variegate.json").write_text("{}"),
            "variegate.json: is no index of shards, or is damaged",
        ),
        (with_checksums({}), "variegate.json: is no index of shards, or is damaged"),
        (
            lambda root: (root / "variegate.json").write_text(json.dumps({"format": "variegate shards", "version": 9})),
            "variegate.json: has version 9 of the format, but version 1 is read here; update",
        ),
    ],
)
def test_damage_is_told_in_one_sentence_when_shards_are_opened(
    damage: Callable[[Path], object], told: str, shards: Path
) -> None:
    damage(shards)
    with pytest.raises(DataError) as error:
        open_data(shards)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert any(told in problem for problem in check(shards).problems)


def test_a_damaged_image_is_told_by_its_file_and_shard(shards: Path) -> None:
    index = json.loads((shards / "variegate.json").read_text())
    column = index["splits"]["train"]["files"]["image"]
    flip(shards / "train-000001.tar", column["offset"][3] + 200)
    told = "train-000001.tar/train/3.jpg: is not what was packed, so the shard is damaged; copy it again"
    assert [problem for problem in check(shards).problems if told in problem]
    with pytest.raises(DataError, match="is not what was packed"):
        open_data(shards)  # looks at the size of some images


def test_a_shard_that_goes_away_before_it_is_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tar: this shard cannot be read \(No such file.*\); copy it again"):
        Shard(tmp_path / "a.tar", 1024).read(512, 10)


def test_images_of_label_maps_take_a_derived_condition_and_anything_else_is_refused(shards: Path) -> None:
    folder, found = (open_data(root, condition="edges") for root in (shards.parent / "data", shards))
    assert all(torch.equal(a, b) for k in range(len(folder)) for a, b in zip(folder[k], found[k]))
    for settings, told in (
        ({"condition": "class"}, "was packed with the condition labels; omit --condition class"),
        ({"condition": "landmarks"}, "was packed with the condition labels; omit --condition landmarks"),
        ({"unpaired": True}, "was packed as pairs; pack the data again with --unpaired"),
    ):
        with pytest.raises(DataError, match=told):
            open_data(shards, **settings)


def bytes_of(pixels: np.ndarray, kind: str = "png") -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def foreign(path: Path, samples: list[dict[str, bytes]], first: int = 0) -> Path:
    """A tar file as other programs write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, sample in enumerate(samples, first):
            for extension, content in sample.items():
                header = tarfile.TarInfo(f"{number:05d}.{extension}")
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return path


def test_shards_of_others_with_classes_are_indexed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [{"jpg": bytes_of(photo(), "jpeg"), "cls": str(i % 3).encode()} for i in range(8)]
    foreign(tmp_path / "train-0000.tar", samples[:5])
    foreign(tmp_path / "train-0001.tar", samples[5:], 5)
    foreign(tmp_path / "val" / "0.tar", samples[:3])
    (tmp_path / "classes.txt").write_text("ant\nbee\ncow\n")
    pairs = open_data(tmp_path)
    assert pairs.condition.names == ("ant", "bee", "cow")
    assert (len(pairs), len(pairs.of_split("val"))) == (8, 3)
    monkeypatch.setattr(foreign_shards, "_indexed", lambda *_: pytest.fail("indexed again"))
    assert open_data(tmp_path).files == pairs.files
    monkeypatch.undo()
    foreign(tmp_path / "train-0001.tar", samples[5:7], 5)
    assert len(open_data(tmp_path)) == 7
    for file in cache.folder().rglob("*.json"):
        file.write_text("not JSON")
    assert len(open_data(tmp_path)) == 7


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("jpg", "seg.png", "seg.png has label maps, by its name"),
        ("jpg", "png", "png has label maps, by its values"),
        ("image.jpg", "condition.png", "condition.png is the condition, by its name"),
        ("target.png", "input.png", "input.png is the condition, by its name"),
    ],
)
def test_shards_of_others_with_pairs_are_told_by_names(first: str, second: str, told: str, tmp_path: Path) -> None:
    rows = [(photo(), ids(0, 1, 2)) for _ in range(4)]
    samples = [
        {first: bytes_of(image, "jpeg" if first.endswith("jpg") else "png"), second: bytes_of(label)}
        for image, label in rows
    ]
    foreign(tmp_path / "a.tar", samples)
    pairs = open_data(tmp_path)
    assert told in pairs.description
    condition, image = pairs.raw(0)
    assert image.shape == (3, 16, 16)
    if "label maps" in told:
        assert torch.equal(condition[0], torch.from_numpy(rows[0][1]))


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        ([{"jpg": b"1", "left.jpg": b"2", "right.jpg": b"3"}], "'jpg', 'left.jpg', 'right.jpg', which do not say what"),
        ([{"json": b"{}"}], "its samples have json, but no image; each sample needs KEY.jpg"),
        ([{"jpg": b"1", "cls": b"two"}], "holds 'two', but a class is a whole number"),
        ([{"jpg": b"1", "cls": b"2"}, {"jpg": b"1"}], "has no cls, unlike the first sample"),
        ([{"jpg": b"1"}], "has images without conditions of their own; give --condition edges"),
        ([], "its tar files hold no samples"),
    ],
)
def test_shards_of_others_that_are_not_recognised_are_refused(
    samples: list[dict[str, bytes]], told: str, tmp_path: Path
) -> None:
    foreign(tmp_path / "a.tar", samples)
    with pytest.raises(VariegateError) as error:
        open_data(tmp_path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("left", [100, 1000, -10240])
def test_a_foreign_shard_that_was_cut_short_is_named(left: int, tmp_path: Path) -> None:
    samples = [{"jpg": bytes_of(photo(40, 40), "jpeg"), "cls": b"0"} for _ in range(8)]
    file = foreign(tmp_path / "a.tar", samples)
    with tarfile.open(file) as tar:
        tar.getmembers()
        end = tar.offset - tarfile.BLOCKSIZE
    os.truncate(file, left if left > 0 else end)
    with pytest.raises(DataError, match=r"a\.tar: is no tar file, or was cut short \(.*\); copy it again"):
        open_data(tmp_path)


def test_a_tar_file_beside_images_is_not_taken_for_shards(tmp_path: Path) -> None:
    labelled(tmp_path, maps=4)
    foreign(tmp_path / "all.tar", [{"jpg": b"1", "cls": b"0"}])
    assert "paired by name" in open_data(tmp_path).description
