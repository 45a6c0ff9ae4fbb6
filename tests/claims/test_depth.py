"""What `benchmarks.depth` says of deep stacks: only the horizontal one, with its residuals, keeps its signal."""

from __future__ import annotations

import json

import pytest
import torch
from benchmarks import depth

RECORD = json.loads(depth.FILE.read_text())


def test_rows_are_deviations_of_the_layers_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "LAYERS", 3)
    monkeypatch.setattr(depth, "SIDE", 6)
    generator, images = depth.built(True, 6, 0), torch.randint(256, (2, 3, 6, 6)) / 127.5 - 1
    found = depth.measure(generator, images)
    down = along = images
    for i, layer in enumerate(generator.stack.layers):  # type: ignore[arg-type]
        down, along = layer(down, along, None)
        assert found["vertical"][i] == pytest.approx(down.std().item(), rel=1e-4)
        assert found["horizontal"][i] == pytest.approx(along.std().item(), rel=1e-4)
        assert found["horizontal gradient"][i] == pytest.approx(layer.horizontal.weight.grad.std().item(), rel=1e-4)


def test_the_record_is_what_the_command_finds() -> None:
    again = depth.rows(RECORD["network"]["width"], RECORD["seeds"][:1])[0]
    first = RECORD["rows"][0]
    assert again["initialisation"] == first["initialisation"]
    for key in ("vertical", "horizontal", "vertical gradient", "horizontal gradient"):
        assert len(first[key]) == depth.LAYERS
        assert again[key][-1] == pytest.approx(first[key][-1], rel=0.7), key
    for row in RECORD["rows"]:
        assert row["vertical"][-1] < 1e-5 * row["vertical"][0]
        assert row["horizontal"][-1] > row["horizontal"][0]
