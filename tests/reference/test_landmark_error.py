"""Landmark error equals NumPy's; a real detector finds the landmarks of real faces and not those of others."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from helpers.shared import shared
from variegate.core.errors import DataError
from variegate.evaluation.metrics.landmark_error import distances, landmark_error
from variegate.evaluation.metrics.plugged import Plugged, plug
from variegate.networks.onnx import OnnxNetwork

DETECTOR = ("weights", "pfld_68landmarks.onnx")


def corners(images: Tensor) -> Tensor:
    """A detector of two points that lie where the mean colour says."""
    red, green = images[:, 0].mean(dim=(1, 2)), images[:, 1].mean(dim=(1, 2))
    return torch.stack([torch.stack([red, green], dim=1), torch.stack([green, -red], dim=1)], dim=1) * 10


@pytest.mark.core
def test_error_equals_numpy() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(3, 12, 3, 5, 8, generator=rng) * 2 - 1
    true = torch.rand(3, 2, 2, generator=rng) * 8
    found = landmark_error(zip(images, true), plug(corners, "detector"), ("a remark",))
    drawn = corners(images.flatten(0, 1)).numpy().reshape(3, 12, 2, 2)
    errors = np.sqrt(((drawn - true.numpy()[:, None]) ** 2).sum(axis=3)).sum(axis=2) / 8
    assert found["landmark_error_mean"].value == pytest.approx(errors.mean())
    assert found["landmark_error_best"].value == pytest.approx(errors.min(axis=1).mean())
    assert found["landmark_error_top10"].value == pytest.approx(np.sort(errors, axis=1)[:, :10].mean())
    record = found["landmark_error_best"].protocol
    assert (record.inputs, record.samples, record.size, record.extractor) == (3, 12, (5, 8), "corners")
    assert record.metric.startswith("sum over 2 points")
    assert record.notes[-1] == "a remark"


@pytest.mark.core
def test_points_that_a_condition_lacks_do_not_count() -> None:
    true = torch.tensor([[5.0, 1.0], [torch.nan, torch.nan]])
    found = torch.tensor([[[8.0, 5.0], [0.0, 0.0]]])
    assert distances(found, true, 10).tolist() == pytest.approx([0.5])


@pytest.mark.core
def test_conditions_without_any_point_are_left_out() -> None:
    images, true = torch.zeros(2, 3, 4, 4), torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    nothing = torch.full((2, 2), torch.nan)
    alone = landmark_error([(images, true)], plug(corners, "detector"))["landmark_error_mean"]
    beside = landmark_error([(images, true), (images, nothing)], plug(corners, "detector"))["landmark_error_mean"]
    assert (alone.value, beside.value, beside.n) == (1.25, 1.25, 1)
    with pytest.raises(DataError, match="no condition has any landmarks"):
        landmark_error([(images, nothing)], plug(corners, "detector"))


@pytest.mark.core
def test_other_points_and_other_numbers_of_samples_are_refused() -> None:
    images, true = torch.zeros(2, 3, 4, 4), torch.zeros(3, 2)
    with pytest.raises(DataError, match=r"gives landmarks of shape \(2, 2\), but the condition has \(3, 2\)"):
        landmark_error([(images, true)], plug(corners, "detector"))
    with pytest.raises(DataError, match=r"same number of samples, got \[1, 2\]"):
        landmark_error([(images, true[:2]), (images[:1], true[:2])], plug(corners, "detector"))


def as_callable() -> Plugged:
    network = OnnxNetwork(shared(*DETECTOR), mean=(0, 0, 0), deviation=(1, 1, 1))

    def detector(images: Tensor) -> Tensor:
        return network(images).unflatten(1, (-1, 2)) * torch.tensor([images.shape[-1], images.shape[-2]]) - 0.5

    return plug(detector, "detector")


def as_file() -> Plugged:
    pytest.importorskip("variegate.networks.detectors", reason="there is no reader of detectors' files")
    return plug(shared(*DETECTOR), "detector")


@pytest.mark.parametrize("brought", [as_callable, as_file])
def test_a_real_detector_tells_the_right_face_from_another(brought: Callable[[], Plugged]) -> None:
    """Error of the true landmarks against those of the next face, of 20 test faces."""
    pytest.importorskip("onnxruntime")
    faces_folder = shared("data", "faces_landmarks", "test")
    detector = brought()
    names, points = zip(*list(json.loads((faces_folder / "landmarks.json").read_text()).items())[:20])
    faces = [torch.from_numpy(np.array(Image.open(faces_folder / name))).permute(2, 0, 1) / 127.5 - 1 for name in names]
    true = torch.tensor(points).round().clamp(0, 127)
    measured = [
        landmark_error([(face[None], one) for face, one in zip(faces, order)], detector)
        for order in (true, true.roll(1, dims=0))
    ]
    right, shuffled = (one["landmark_error_mean"].value for one in measured)
    assert right < 68 * 0.05, "within a twentieth of the width at each point"
    assert right < 0.35 * shuffled
