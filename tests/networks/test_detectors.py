"""Landmarks found by a network in an ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.shared import shared, shared_weights
from variegate.core.errors import WeightsError
from variegate.networks import detectors, weights
from variegate.networks.detectors import Detector, OnnxLandmarks

pytestmark = pytest.mark.core
FILE = "pfld_68landmarks.onnx"


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    pytest.importorskip("onnxruntime")
    shared_weights(monkeypatch, FILE)
    return OnnxLandmarks(FILE)


class Corners:
    """Stands for a session: one point at the brightest column and row, as shares of the sides."""

    def __init__(self, shape: list[Any]) -> None:
        self.inputs = [SimpleNamespace(name="input", shape=shape)]

    def get_inputs(self) -> list[Any]:
        return self.inputs

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        planes = feed["input"].mean(1)
        height, width = planes.shape[1:]
        flat = planes.reshape(len(planes), -1).argmax(1)
        return [np.stack([(flat % width + 0.5) / width, (flat // width + 0.5) / height], 1).astype(np.float32)]


def test_points_are_where_the_faces_have_them(detector: Detector) -> None:
    folder = shared("data", "faces_landmarks", "test")
    truth = json.loads((folder / "landmarks.json").read_text())
    names = list(truth)[:24]
    pictures = np.stack([np.asarray(Image.open(folder / name).convert("RGB")) for name in names])
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    found, expected = detector(images), torch.tensor([truth[name] for name in names])
    assert found.shape == (24, 68, 2)
    eyes = (expected[:, 36] - expected[:, 45]).norm(dim=-1)
    error = (found - expected).norm(dim=-1).mean(1) / eyes
    assert float(error.median()) < 0.06
    wide = torch.nn.functional.interpolate(images[:1], scale_factor=(1, 2), mode="bilinear")
    assert torch.allclose(detector(wide)[0, :, 1], found[0, :, 1], atol=1.5)
    assert torch.allclose((detector(wide)[0, :, 0] + 0.5) / 2, found[0, :, 0] + 0.5, atol=1.5)


def test_shares_become_pixels_with_the_first_centre_at_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(b"x")
    monkeypatch.setattr(detectors, "open_session", lambda path: Corners(["batch", 3, 20, 40]))
    detector = OnnxLandmarks(tmp_path / "net.onnx")
    assert (detector.points, detector.name) == (1, "net.onnx")
    images = torch.full((70, 3, 20, 40), -1.0)
    spots = [(i % 20, (3 * i) % 40) for i in range(70)]
    for image, (y, x) in zip(images, spots, strict=True):
        image[:, y, x] = 1
    assert torch.allclose(detector(images)[:, 0], torch.tensor([(x, y) for y, x in spots]).float(), atol=1e-4)
    assert detector(images[:0]).shape == (0, 1, 2)


def test_what_is_no_detector_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.delenv(weights.FOLDER, raising=False)
    with pytest.raises(WeightsError, match=r"no such file, and VARIEGATE_WEIGHTS names no folder"):
        OnnxLandmarks(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(WeightsError, match=r"bad\.onnx is not a valid ONNX file"):
        OnnxLandmarks(tmp_path / "bad.onnx")
    monkeypatch.setattr(detectors, "open_session", lambda path: Corners(["batch", 1, 20, 20]))
    with pytest.raises(WeightsError, match=r"a landmark network must take \(B, 3, h, w\) with fixed h and w, got "):
        OnnxLandmarks(tmp_path / "bad.onnx")


def test_a_batch_that_the_file_fixes_is_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fixed(Corners):
        def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert len(feed["input"]) == 2
            return super().run(_, feed)

    (tmp_path / "a.onnx").write_bytes(b"x")
    images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = []
    for session in (Fixed([2, 3, 8, 8]), Corners(["B", 3, 8, 8])):
        monkeypatch.setattr(detectors, "open_session", lambda path, session=session: session)
        found.append(OnnxLandmarks(tmp_path / "a.onnx")(images))
    assert found[0].shape == (5, 1, 2)
    assert torch.equal(found[0], found[1])
