"""What methods learn and draw stays as it was: `golden.json` was written before the house was rebuilt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import variegate
from helpers import golden

RATIO_OF_NOTHING = 1e6  # code sensitivity where conditions do not change samples yet
KNOWN = json.loads(golden.FILE.read_text())


def levels(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8).astype(int)


def test_every_method_is_among_them() -> None:
    from variegate.methods import METHODS

    assert set(golden.METHODS) == set(KNOWN["methods"]) == set(METHODS)


@pytest.mark.parametrize("name", golden.METHODS)
def test_five_steps_and_the_first_image_are_those_written_down(name: str, tmp_path: Path) -> None:
    """Bit by bit where sums round alike, closely elsewhere."""
    now, then = golden.lived(name, tmp_path), KNOWN["methods"][name]
    if golden.machine() == KNOWN["machine"]:
        assert now == then
        return
    assert len(now["losses"]) == len(then["losses"])
    for row, known in zip(now["losses"], then["losses"]):
        ours, theirs = ({name: min(value, RATIO_OF_NOTHING) for name, value in one.items()} for one in (row, known))
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.02)
    assert np.abs(levels(bytes.fromhex(now["sample"])) - levels(bytes.fromhex(then["sample"]))).mean() < 2


@pytest.mark.parametrize("name", golden.KEPT)
def test_a_run_of_the_old_house_is_loaded_sampled_and_resumed(name: str, tmp_path: Path) -> None:
    run = tmp_path / name
    shutil.copytree(golden.RUNS / name, run)
    with Image.open(golden.RUNS / f"{name}.png") as image:
        known = levels(image.tobytes())
    assert np.abs(levels(golden.sample(run, tmp_path / "drawn")) - known).max() <= 2
    model = variegate.load(run)
    assert model.name == name
    assert (model.inverter is not None) == (name == "bicyclegan")
    golden.train(name, run, golden.STEPS + 3, *golden.KEPT[name], "--resume")
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if any("generator/" in key for key in row)] == [*range(1, golden.STEPS + 4)]
