"""Files that are damaged in ways a checksum does not tell: one sentence, before memory or time is spent."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.runs import settings, start
from variegate.compression.file import Archive, Packed, condition_of, read, write
from variegate.core.errors import CheckpointError, ConfigError, DataError
from variegate.data.files.arrays import headers
from variegate.data.files.vectors import read_vectors
from variegate.model.model import Model
from variegate.runs.checkpoints import Checkpoints
from variegate.runs.folder import RunFolder

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    start(settings("pix2pix", 1), folder)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def changed(run: Path, change: Any) -> None:
    file = run / "model" / "config.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("width", [10**5, 2**40, 2**80])
def test_a_record_of_a_far_larger_network_than_was_saved_is_refused_before_it_is_built(run: Path, width: int) -> None:
    changed(run, lambda content: content["method"]["generator"].update(width=width))
    with pytest.raises(CheckpointError, match=r"config\.json: no network can be built from it"):
        Model.load(run)


def test_a_record_whose_condition_has_other_channels_is_refused(run: Path) -> None:
    changed(run, lambda content: content.update(condition_channels=9))
    with pytest.raises(CheckpointError, match=r"config\.json is damaged: its condition has 8 channels, but .* says 9"):
        Model.load(run)


def test_nested_anchors_of_yaml_are_refused_without_being_written_out(run: Path) -> None:
    names = "abcdefghij"
    lines = ["a: &a [x, x]", *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names))]
    (run / "config.yaml").write_text("\n".join([*lines, "method: {name: *j}", "data: *j"]))
    with pytest.raises(ConfigError) as caught:
        RunFolder(run).config  # noqa: B018
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["a: 2026-99-99", "[" * 5000, "a: b: c", "\x00"])
def test_a_configuration_that_is_no_yaml_is_told_in_one_line(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError) as caught:
        RunFolder(run).config  # noqa: B018
    assert "\n" not in str(caught.value)


def test_damaged_scores_and_rows_are_left_out(run: Path) -> None:
    [step] = Checkpoints(run / "checkpoints").steps()
    (run / "checkpoints" / f"step-{step:08d}" / "score.json").write_text('["score"]')
    assert Checkpoints(run / "checkpoints").best() is None
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n[1]\n")
    assert [row["step"] for row in RunFolder(run).log()] == [1, 1]


@pytest.mark.parametrize("damage", [{"step": None}, {"generator": {}}, {"optimizer/generator": 3}, {"ema": None}])
def test_a_checkpoint_without_a_part_is_said_to_be_damaged(run: Path, damage: dict[str, Any]) -> None:
    [path] = (run / "checkpoints").glob("step-*/state.pt")
    torch.save(torch.load(path, weights_only=True) | damage, path)
    with pytest.raises(CheckpointError, match=r"damaged|does not fit this training"):
        start(settings("pix2pix", 2), run, resume=True)


def test_weights_can_be_read_by_whoever_can_read_the_rest_of_the_model(run: Path) -> None:
    modes = {file.stat().st_mode for file in (run / "model").iterdir()}
    assert len(modes) == 1


def test_an_archive_that_is_whole_and_says_impossible_things_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.vgz"
    one = Packed("x", (3, 2**31, 2**31), b"", 0)
    write(file, Archive(bytes(32), "2.8", [one], b"1234"))
    with pytest.raises(DataError, match="2147483648x2147483648"):
        read(file)
    body = struct.pack("<BI", 200, 1)
    head = file.read_bytes()[:36]
    file.write_bytes(head + struct.pack("<I", zlib.crc32(head + body)) + body)
    with pytest.raises(DataError, match="a length beyond the end"):
        read(file)
    for content in (b"no zlib", zlib.compress(b"no safetensors")):
        with pytest.raises(DataError, match="a condition in the file is damaged"):
            condition_of(content, 4, 4)


def test_an_array_that_says_it_is_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4, 3), dtype=np.uint8))
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole.replace(b"(2, 4, 4, 3)", b"(999999, 4, 4, 3)"[:12].ljust(12)))
    with pytest.raises(DataError, match="damaged"):
        headers(tmp_path / "x.npz")
    np.savez(tmp_path / "v.npz", a=np.zeros(3), names=np.array(["a", "b"]))
    with pytest.raises(DataError, match="has no vector of 'b', which it names"):
        read_vectors(tmp_path / "v.npz")
