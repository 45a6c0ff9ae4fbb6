"""Every training command of README and docs, run in full: its samples are neither grey nor all alike.

README's first one always runs; the others take minutes and run with `-m slow`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from test_docs import commands, exit_status

from helpers.shared import SHARED
from variegate.evaluation.doctor.diagnosis import contrast
from variegate.model.model import Model
from variegate.runs.folder import RunFolder

FIRST = "variegate train basisgan --data my-streets"
TRAINED = [line for _, line in commands() if line.startswith("variegate train ")]
LEAST_DIFFERENCE = 0.5 / 255  # mean, between two samples of a condition: a person could see it on no pixel


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


def typed(line: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    words = shlex.split(line.replace("../shared", str(SHARED)))[1:]
    assert not exit_status(words), line


def option(line: str, name: str) -> str | None:
    found = re.search(rf"--{name} (\S+)", line)
    return found[1] if found else None


def looked_at(run: Path) -> None:
    model, held = Model.load(run), RunFolder(run).pairs("held")
    enough, told = contrast(model, held)
    assert enough, told
    if model.generator.code_size:
        codes = model.generator.draw([(0, i) for i in range(4)])
        drawn = torch.stack([model.decode(held.raw(i)[0], codes) for i in range(min(4, len(held)))])
        apart = float((drawn[:, :1] - drawn[:, 1:]).abs().mean())
        assert apart > LEAST_DIFFERENCE, f"samples differ by {255 * apart:.2f} of 255"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=line[16:60], marks=[] if line.startswith(FIRST) else [pytest.mark.slow])
        for line in TRAINED
    ],
)
def test_a_training_command_makes_samples_worth_looking_at(
    line: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "../shared" in line and not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here; set VARIEGATE_SHARED")
    for _, earlier in commands():
        made = option(earlier, "out") or next(iter(re.findall(r"export-streets (\S+)", earlier)), None)
        wanted = made is not None and made in line and earlier != line and not (desk / made).exists()
        if wanted and earlier.startswith(("variegate data", "variegate embed", "variegate train")):
            typed(earlier, desk, monkeypatch)
    typed(line, desk, monkeypatch)
    looked_at(desk / (option(line, "out") or ""))
