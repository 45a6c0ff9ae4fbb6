"""The demo learns the same, whether its methods are trained one after the other or two at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from variegate.demos.streets import SETTINGS, demo


def without_times(content: dict[str, Any]) -> dict[str, Any]:
    for row in content["methods"].values():
        row.pop("seconds")
    return content


def test_two_processes_learn_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone = without_times(demo(tmp_path / "alone", seed=1, quick=True))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    together = without_times(demo(tmp_path / "together", seed=1, quick=True))
    assert list(together["methods"]) == list(SETTINGS)
    assert json.dumps(together) == json.dumps(alone)
    assert (tmp_path / "together" / "report.html").is_file()
