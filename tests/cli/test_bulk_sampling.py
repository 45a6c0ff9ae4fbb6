"""`variegate sample --shard`: many conditions into tar files, by any number of processes, and again after a stop."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.shared import ROOT
from helpers.untrained import untrained
from variegate.cli import main
from variegate.cluster import drawing
from variegate.cluster.bulk import sample_shards
from variegate.cluster.conditions import find_conditions
from variegate.cluster.drawing import at_once
from variegate.cluster.plan import Bulk, Division, different
from variegate.core.chunks import CHUNK
from variegate.core.device import one_thread
from variegate.core.errors import ConfigError
from variegate.core.tars import Add
from variegate.data.scenes.layouts import palette_image
from variegate.data.streets.streets import PALETTE
from variegate.evaluation.measuring.cost import peak_bytes
from variegate.model.model import Model
from variegate.model.samples import read_codes

CONDITIONS, N, PER_SHARD = 5, 20, 40  # two conditions a shard, 20 images in chunks of 16 and 4
OPTIONS = ["-n", str(N), "--shard", "--shard-images", str(PER_SHARD)]


def layouts(folder: Path, count: int = CONDITIONS, size: int = 32) -> Path:
    folder.mkdir()
    for i in range(count):
        ids = np.random.default_rng(i).integers(0, 8, (4, 4)).repeat(size // 4, 0).repeat(size // 4, 1)
        palette_image(ids, PALETTE).save(folder / f"c{i}.png")
    return folder


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, its conditions, and the shards that one process draws."""
    place = tmp_path_factory.mktemp("bulk")
    untrained().save(place / "run")
    layouts(place / "layouts")
    main(["sample", str(place / "run"), str(place / "layouts"), *OPTIONS, "--out", str(place / "shards")])
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def members(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for one in tar:
                content = tar.extractfile(one)
                assert content is not None
                assert one.name not in found
                found[one.name] = content.read()
    return found


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("variegate: ")]
    assert len(said) == 1
    return said[0]


def test_shards_hold_the_very_images_of_sample(desk: Path, tmp_path: Path) -> None:
    found, files = members(desk / "shards"), sorted((desk / "layouts").iterdir())
    assert len(found) == 2 * CONDITIONS * N
    with one_thread():
        main(["sample", str(desk / "run"), *map(str, files), "-n", str(N), "--out", str(tmp_path)])
    for file in files:
        for index in range(N):
            assert found[f"{file.stem}/0-{index}.png"] == (tmp_path / f"{file.stem}-0-{index}.png").read_bytes()
    codes = Model.load(desk / "run").codes(N)
    made = [json.loads(found[f"c3/0-{index}.json"]) for index in range(N)]
    assert torch.equal(torch.tensor([one["code"] for one in made]), codes)
    assert made[7] == {"condition": "c3", "seed": 0, "index": 7, "code": made[7]["code"]}


def test_the_manifest_says_what_was_drawn_and_where_it_is(desk: Path) -> None:
    manifest = json.loads((desk / "shards" / "manifest.json").read_text())
    assert (manifest["complete"], manifest["images"], manifest["n"], manifest["seed"]) == (True, 100, N, 0)
    assert [shard["images"] for shard in manifest["shards"]] == [40, 40, 20]
    for shard in manifest["shards"]:
        content = (desk / "shards" / shard["file"]).read_bytes()
        assert shard["bytes"] == len(content)
        assert shard["sha256"] == hashlib.sha256(content).hexdigest()


def test_webdataset_reads_the_shards(desk: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    urls = sorted(map(str, (desk / "shards").glob("*.tar")))
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
    assert [one["__key__"] for one in samples[:2]] == ["c0/0-0", "c0/0-1"]
    assert len(samples) == CONDITIONS * N
    assert samples[25]["png"].size == (32, 32)
    assert samples[25]["json"]["index"] == 5


def test_two_processes_finish_what_one_began(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first is killed within its second shard, and leaves a file half written."""
    words = ["sample", str(desk / "run"), str(desk / "layouts"), *OPTIONS, "--out", str(tmp_path / "out")]
    stop_after(monkeypatch, 50, KeyboardInterrupt())
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 130
    out = tmp_path / "out"
    assert not json.loads((out / "manifest.json").read_text())["complete"]
    first = (out / "shard-000000.tar").stat()
    (out / ".shard-000001.1.writing.tar").write_bytes(b"half")
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    other = {**os.environ, **place, "RANK": "1", "LOCAL_RANK": "1", "PYTHONPATH": str(ROOT / "src")}
    for name, value in {**place, "RANK": "0", "LOCAL_RANK": "0"}.items():  # as torchrun would
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    with subprocess.Popen([sys.executable, "-m", "variegate", *words], env=other, stdout=subprocess.PIPE) as process:
        main(words)
        assert process.communicate(timeout=250) == (b"", None), "only the first process says where the images are"
    assert process.returncode == 0
    assert capsys.readouterr().out.split() == [str(out)]
    assert contents(out) == contents(desk / "shards")
    assert (out / "shard-000000.tar").stat().st_mtime_ns == first.st_mtime_ns, "a finished shard is left alone"


@pytest.mark.slow
def test_torchrun_starts_the_processes(desk: Path, tmp_path: Path) -> None:
    words = ["sample", str(desk / "run"), str(desk / "layouts"), *OPTIONS, "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    done = subprocess.run(
        [*launched, "variegate", *words], env=environment, capture_output=True, text=True, timeout=550
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(tmp_path / "out")]
    assert contents(tmp_path / "out") == contents(desk / "shards")


def stop_after(monkeypatch: pytest.MonkeyPatch, images: int, error: BaseException) -> None:
    """Writing the PNG of image number `images` fails."""
    original, seen = drawing.png_bytes, 0

    def png_bytes(image: torch.Tensor) -> bytes:
        nonlocal seen
        seen += 1
        if seen == images:
            monkeypatch.setattr(drawing, "png_bytes", original)
            raise error
        return original(image)

    monkeypatch.setattr(drawing, "png_bytes", png_bytes)


def test_a_condition_that_cannot_be_read_costs_no_other(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = layouts(tmp_path / "layouts"), tmp_path / "out"
    whole = (given / "c2.png").read_bytes()
    (given / "c2.png").write_bytes(whole[:60])
    (given / "c4.png").write_bytes(b"")
    words = ["sample", str(desk / "run"), str(given), *OPTIONS, "--out", str(out)]
    told = refusal(words, capsys)
    assert f"{given / 'c2.png'}: is" in told
    assert "2 of 5 conditions cannot be read" in told
    there = members(out)
    assert {name.partition("/")[0] for name in there} == {"c0", "c1", "c3"}
    assert there.items() <= members(desk / "shards").items()
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["complete"], manifest["images"], [*manifest["missing"]]) == (False, 60, ["c2", "c4"])
    (given / "c2.png").write_bytes(whole)
    layouts(tmp_path / "again")
    (given / "c4.png").write_bytes((tmp_path / "again" / "c4.png").read_bytes())
    main(words)
    assert contents(out) == contents(desk / "shards")


def test_a_full_disk_leaves_what_is_finished(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["sample", str(desk / "run"), str(desk / "layouts"), *OPTIONS, "--out", str(tmp_path / "out")]
    original, written = drawing.writing_tar, 0

    @contextmanager
    def filling(path: Path) -> Iterator[Add]:
        nonlocal written
        with original(path) as add:

            def limited(name: str, content: bytes) -> int:
                nonlocal written
                written += 1
                if written > 100:
                    raise OSError(28, os.strerror(28))
                return add(name, content)

            yield limited

    with monkeypatch.context() as full:
        full.setattr(drawing, "writing_tar", filling)
        told = refusal(words, capsys)
    assert "No space left on device; finished shards are complete; free some space and repeat" in told
    assert sorted(contents(tmp_path / "out")) == ["manifest.json", "shard-000000.json", "shard-000000.tar"]
    main(words)
    assert contents(tmp_path / "out") == contents(desk / "shards")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["--seed", "1"], "images with seed 0, not 1"),
        (["-n", "21"], "images with n 20, not 21"),
        (["--size", "16"], r"images with size \[32, 32\], not \[16, 16\]"),
        (["--shard-images", "41"], "images with images per shard 40, not 41"),
        (["--precision", "bf16-mixed"], "images with precision 32-true, not bf16-mixed"),
    ],
)
def test_a_folder_is_not_continued_with_other_settings(
    desk: Path, changed: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(desk / "shards")
    words = ["sample", str(desk / "run"), str(desk / "layouts"), *OPTIONS, "--out", str(desk / "shards"), *changed]
    assert re.search(
        rf"shards: was begun for {told}; repeat that command, or give another --out", refusal(words, capsys)
    )
    assert contents(desk / "shards") == before


def test_nor_with_another_model_or_other_conditions(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = untrained(), ["--out", str(desk / "shards")]
    next(other.generator.parameters()).add_(1)
    other.save(tmp_path / "other")
    words = ["sample", str(tmp_path / "other"), str(desk / "layouts"), *OPTIONS, *out]
    assert "was begun for another model's images" in refusal(words, capsys)
    words = ["sample", str(desk / "run"), *map(str, sorted((desk / "layouts").iterdir())[:4]), *OPTIONS, *out]
    assert "was begun for images of other conditions" in refusal(words, capsys)


def test_what_does_not_go_with_shards_is_one_sentence(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, out = ["sample", str(desk / "run"), str(desk / "layouts")], ["--out", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert "contains notes.txt, which is not of bulk sampling" in refusal([*begin, *OPTIONS, *out], capsys)
    assert sorted(contents(tmp_path / "out")) == ["notes.txt"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text('{"name": "my page"}')
    mine = [*begin, *OPTIONS, "--out", str(tmp_path / "mine")]
    assert "manifest.json: is not a manifest of bulk sampling; give an empty folder" in refusal(mine, capsys)
    assert "omit --like" in refusal([*begin, "--shard", "--like", "a.png"], capsys)
    assert "--ray belongs to --shard" in refusal([*begin, "--ray", "local"], capsys)
    assert "--ray-actors belongs to --ray" in refusal([*begin, "--shard", "--ray-actors", "2"], capsys)
    assert "n must be at least 1, got 0" in refusal([*begin, *OPTIONS, "-n", "0", *out], capsys)
    assert "seed must be 0 or more, got -1" in refusal([*begin, *OPTIONS, "--seed", "-1", *out], capsys)
    nowhere = ["sample", str(desk / "run"), "nowhere", *OPTIONS]
    assert "nowhere: there is no such file or folder" in refusal(nowhere, capsys)
    (tmp_path / "empty").mkdir()
    empty = ["sample", str(desk / "run"), str(tmp_path / "empty"), *OPTIONS]
    assert "empty: contains no label maps" in refusal(empty, capsys)


def test_given_codes_are_drawn_on_every_condition(desk: Path, tmp_path: Path) -> None:
    sampled = Model.load(desk / "run").sample(desk / "layouts" / "c0.png", 3, seed=5)
    sampled.save(tmp_path / "styles")
    codes = tmp_path / "styles" / "codes.safetensors"
    out = ["--shard", "--codes", str(codes), "--out", str(tmp_path / "out")]
    main(["sample", str(desk / "run"), str(desk / "layouts"), *out])
    found = members(tmp_path / "out")
    assert [name for name in found if name.startswith("c1")][::2] == [f"c1/000{i}.png" for i in range(3)]
    made = [json.loads(found[f"c1/000{i}.json"]) for i in range(3)]
    assert torch.equal(torch.tensor([one["code"] for one in made]), read_codes(codes))
    drawn = np.asarray(Image.open(io.BytesIO(found["c0/0001.png"]))).astype(int)
    assert np.abs(drawn - np.asarray(sampled.pil()[1])).max() <= 1


def test_splits_and_items_of_a_runs_data_are_conditions(tmp_path: Path) -> None:
    run = ROOT / "tests" / "house" / "runs" / "latent-dropout"
    found = find_conditions(run, ["test", "val:0"])
    assert [one.name for one in found][-2:] == [f"test{len(found) - 2}", "val0"]
    main(["sample", str(run), "test", "val:0", "--fixed-codes", "-n", "2", "--shard", "--out", str(tmp_path / "out")])
    there = members(tmp_path / "out")
    assert len(there) == 4 * len(found)
    with one_thread():
        main(["sample", str(run), "test:1", "--fixed-codes", "-n", "2", "--out", str(tmp_path / "drawn")])
    assert there["test1/0001.png"] == (tmp_path / "drawn" / "0001.png").read_bytes()
    assert there["test1/0001.png"] != there["test0/0001.png"]


def test_memory_does_not_grow_with_the_number_of_images(desk: Path, tmp_path: Path) -> None:
    conditions = find_conditions(desk / "run", [str(desk / "layouts" / "c0.png")])

    def bulk(n: int, name: str) -> Bulk:
        return Bulk(desk / "run", tmp_path / f"{name}{n}", conditions, n, per_shard=10_000)

    def objects(n: int) -> int:
        tracemalloc.start()
        sample_shards(bulk(n, "objects"))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    def tensors(n: int) -> int:
        return peak_bytes(lambda: sample_shards(bulk(n, "tensors")), torch.device("cpu"))

    few, many = 2 * CHUNK, 6 * CHUNK
    assert objects(many) <= objects(few) + 2**17
    assert tensors(many) <= 1.05 * tensors(few)
    sizes = [(tmp_path / f"objects{n}" / "shard-000000.tar").stat().st_size for n in (few, many)]
    assert sizes[1] - sizes[0] > 2**18, "or a shard gathered in memory would pass, too"


@given(st.integers(1, 9), st.integers(1, 200), st.integers(1, 300))
def test_shards_divide_all_images_into_whole_chunks(conditions: int, n: int, per_shard: int) -> None:
    division = Division(conditions, n, per_shard)
    parts = [part for shard in range(division.shards) for part in division.parts(shard)]
    assert sorted((condition, i) for condition, first, last in parts for i in range(first, last)) == [
        (condition, i) for condition in range(conditions) for i in range(n)
    ]
    assert all(first % CHUNK == 0 for _, first, _ in parts)
    assert all(1 <= division.images(shard) <= max(per_shard, CHUNK) for shard in range(division.shards))


def test_names_are_told_apart_and_fit_into_a_folder() -> None:
    assert different(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-3", "a-2", "a-4"]
    assert different(["x/y", "ü" * 200])[0] == "x-y"
    assert len(different(["ü" * 200])[0].encode()) <= 180


def test_nothing_to_draw_is_refused() -> None:
    refused: Callable[..., Any] = Division
    for numbers in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ConfigError, match="must be at least 1, got 0"):
            refused(*numbers)


def test_a_command_that_drew_nothing_binds_no_other(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sample", str(desk / "run"), str(desk / "layouts"), *OPTIONS, "--out", str(tmp_path / "out")]
    assert "no temperature to choose" in refusal([*words, "--temperature", "0.5"], capsys)
    main(words)
    assert contents(tmp_path / "out") == contents(desk / "shards")


@given(st.integers(1, 10**8))
def test_images_that_are_decoded_together_never_cross_the_end_of_a_chunk(pixels: int) -> None:
    assert CHUNK % at_once(pixels) == 0
    assert at_once(pixels) in (1, CHUNK) or CHUNK * 128**2 / 2 < at_once(pixels) * pixels <= CHUNK * 128**2
