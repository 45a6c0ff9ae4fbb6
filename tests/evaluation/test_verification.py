"""How well an embedding tells people apart, and embeddings that others made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from helpers.onnx_files import write_onnx
from variegate.cli import main
from variegate.core.errors import DataError
from variegate.embedding.verification import same_person_auc
from variegate.runs.measured import Protocol


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    torch.manual_seed(0)
    vectors, shown = torch.randn(12, 3), torch.arange(12) // 3
    protocol = Protocol(name="auc", metric="", libraries={}, value_range="any")
    found = same_person_auc(vectors, shown, protocol)
    same, other = [], []
    for i in range(12):
        for j in range(i):
            (same if shown[i] == shown[j] else other).append(float((vectors[i] - vectors[j]).norm()))
    right = sum((a < b) + (a == b) / 2 for a in same for b in other) / len(same) / len(other)
    assert found.value == pytest.approx(right, abs=1e-12)
    assert found.value == pytest.approx(roc_auc_score([1] * 12 + [0] * 54, [-d for d in same + other]))
    with pytest.raises(DataError, match="two people"):
        same_person_auc(vectors, torch.zeros(12), protocol)


def test_an_onnx_file_embeds_a_folder_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    given = {name: rng.integers(0, 256, (16, 20, 3), dtype=np.uint8) for name in ("b/10.png", "b/2.png", "a.png")}
    for name, pixels in given.items():
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "people" / name)
    file = write_onnx(tmp_path / "mine.onnx", ("GlobalAveragePool", "Flatten"), ("n", 3, "h", "w"))
    main(["embed", "apply", str(file), str(tmp_path / "people"), "--out", str(tmp_path / "v.npy")])
    found = np.load(tmp_path / "v.npy")
    mean = np.stack([given[name].mean(axis=(0, 1)) / 255 for name in ("a.png", "b/2.png", "b/10.png")])
    assert np.allclose(found, (mean - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], atol=1e-4)
