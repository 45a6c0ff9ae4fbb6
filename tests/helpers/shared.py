"""Where real images, network weights and odd inputs are, on machines that have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VARIEGATE_SHARED", ROOT.parent / "shared"))


def shared(*parts: str) -> Path:
    """A file or folder there; skips the test, with the reason, where it is absent."""
    place = SHARED.joinpath(*parts).resolve()
    if not place.exists():
        pytest.skip(f"{place} is not here; set VARIEGATE_SHARED to the folder that holds {'/'.join(parts)}")
    return place


def shared_weights(monkeypatch: pytest.MonkeyPatch, *files: str) -> Path:
    """The folder of network weights, named in VARIEGATE_WEIGHTS for this test; skips it where a file is absent."""
    folder = Path(os.environ.get("VARIEGATE_WEIGHTS", SHARED / "weights"))
    for file in files:
        if not (folder / file).is_file():
            pytest.skip(f"{folder / file} is not here; set VARIEGATE_WEIGHTS to the folder that holds it")
    monkeypatch.setenv("VARIEGATE_WEIGHTS", str(folder))
    return folder
