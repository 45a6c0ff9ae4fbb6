"""Two processes that share an evaluation give the numbers of one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import variegate
from helpers.runs import python
from helpers.shared import shared_weights
from variegate.core.errors import ConfigError
from variegate.evaluation.compare import compare

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
COSTS = ("seconds_per_image", "megabytes")


def test_two_processes_measure_what_one_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared_weights(monkeypatch, "squeezenet1_1.safetensors")
    run = tmp_path / "run"
    variegate.train("pix2pix", "streets:60", run, size=32, steps=2, quiet=True, width=4, noise="input")
    shutil.copytree(run, tmp_path / "alone")
    alone = variegate.evaluate(tmp_path / "alone", protocol="quick", extractor="squeezenet")
    monkeypatch.setenv("VARIEGATE_CACHE", str(tmp_path / "cache"))
    ended = python("evaluating.py", str(run), launcher=TORCHRUN)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.count("written by") == 1, "one process speaks"
    together = json.loads((run / "metrics.json").read_text())
    assert together["skipped"] == alone["skipped"]
    assert "frechet_squeezenet" in together["metrics"]
    for name, metric in alone["metrics"].items():
        if name not in COSTS:
            assert together["metrics"][name]["value"] == pytest.approx(metric["value"], rel=1e-5, abs=1e-7), name
    assert (run / "report.html").is_file()


def test_a_comparison_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"start one process, or share only `variegate evaluate --json`"):
        compare(["one", "two"])
