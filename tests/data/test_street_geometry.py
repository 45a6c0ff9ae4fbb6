"""Landmarks and normals of drawn streets lie exactly where things are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from variegate.core.errors import DataError
from variegate.data import open_data
from variegate.data.conditions.landmarks import Landmarks, points_of
from variegate.data.streets.geometry import point_count, point_names, survey
from variegate.data.streets.scene import BUILDING, CAR, CLASSES, PAVEMENT, ROAD, ROOF, SKY, TREE, WINDOW, draw_labels
from variegate.data.streets.streets import GEOMETRY, Streets

pytestmark = pytest.mark.core
ON = {  # the classes that a point of that name can be on
    "eaves": {ROOF, BUILDING},
    "ground": {BUILDING, WINDOW},
    "roof": {ROOF},
    "tree": {TREE},
    "car": {CAR},
    "front": {ROAD},
    "back": {ROAD},
}


@pytest.mark.parametrize("size", [(64, 64), (32, 72), (64, 24)])
def test_a_survey_draws_the_same_street_and_every_point_is_on_what_it_names(size: tuple[int, int]) -> None:
    streets, seen = Streets(size, 60, split="val"), 0
    for i in range(60):
        found = survey(size, streets.stream(i, GEOMETRY))
        labels = draw_labels(size, streets.stream(i, GEOMETRY))
        assert np.array_equal(np.asarray(found.image), labels)
        points = found.landmarks()
        assert points.shape == (point_count(size), 2)
        for name, (x, y) in zip(point_names(size), points):
            if not np.isfinite(x):
                continue
            column, row = round(float(x) * 3 + 1), round(float(y) * 3 + 1)  # the sample it lies on
            assert labels[row, column] in ON[name.split()[0]], (i, name, CLASSES[labels[row, column]])
            seen += 1
    assert seen > 60 * 10


def test_points_are_the_corners_and_tips_of_what_is_drawn() -> None:
    size = (64, 64)
    streets, names = Streets(size, 80), point_names(size)
    checked = 0
    for i in range(80):
        labels = draw_labels(size, streets.stream(i, GEOMETRY))
        points = dict(zip(names, np.rint(np.nan_to_num(streets.landmarks(i)) * 3 + 1).astype(int).tolist()))
        shown = np.isfinite(streets.landmarks(i)).all(axis=1)
        for name, there in zip(names, shown):
            column, row = points[name]
            if not there:
                continue
            if name.startswith("ground"):
                assert labels[row + 1, column] in (PAVEMENT, TREE), "the next sample is pavement"
                side = -1 if "left" in name else 1
                if 0 < column < 191 and labels[row, column + side] not in (TREE, BUILDING):
                    assert labels[row, column + side] == SKY, "the next sample is the gap between houses"
                    checked += 1
            if name.startswith("tree top"):
                assert labels[row - 1, column] != TREE or row == 0
            if name.startswith("tree foot"):
                assert labels[row + 1, column] in (PAVEMENT, ROAD, CAR)
    assert checked > 100


def test_absent_and_hidden_points_are_empty() -> None:
    size = (64, 64)
    streets, names = Streets(size, 100), point_names(size)
    found = np.stack([np.isfinite(streets.landmarks(i)).all(axis=1) for i in range(100)])
    shares = dict(zip(names, found.mean(0)))
    assert shares["eaves left 0"] == 1
    assert 0.1 < shares["eaves left 3"] < 0.5, "few streets have a fourth house"
    assert 0.3 < shares["car front 1"] < 0.7, "half of the streets have a second car"
    counts = found[:, [names.index(f"eaves left {k}") for k in range(4)]].sum(1)
    assert set(counts) == {2, 3, 4}
    assert shares["ground right 0"] < 1, "a tree may stand before a corner"


def test_normals_face_as_the_classes_do() -> None:
    streets = Streets((64, 64), 20)
    for i in range(20):
        labels, normals = streets.layout(i)[0].numpy(), streets.normals(i)
        length = np.linalg.norm(normals, axis=2)
        assert np.array_equal(length > 0.5, labels != SKY)
        assert np.abs(length[labels != SKY] - 1).max() < 1e-5
        assert (normals[labels == BUILDING] == (0, 0, 1)).all()
        assert (normals[(labels == ROAD) | (labels == PAVEMENT)] == (0, 1, 0)).all()
        roof = normals[labels == ROOF]
        assert ((roof[:, 1] > 0.3) & (roof[:, 2] > 0.3)).all(), "roofs lean back"
        tree, car = normals[labels == TREE], normals[labels == CAR]
        assert tree[:, 0].min() < -0.4
        assert tree[:, 0].max() > 0.4
        assert car[:, 1].max() > 0.3
        assert car[:, 1].min() < -0.3
        assert (normals[..., 2] >= 0).all()
        rows, columns = np.nonzero(labels == CAR)
        assert np.corrcoef(rows, normals[rows, columns, 1])[0, 1] < -0.3, "cars turn up at their roofs"


@pytest.mark.parametrize("condition", ["landmarks", "landmarks:1.5", "normals"])
def test_streets_open_with_either_condition(condition: str) -> None:
    pairs = open_data("streets:30", 32, condition=condition)
    plain = open_data("streets:30", 32)
    raw, image = pairs.raw(3)
    assert torch.equal(image, plain.raw(3)[1])
    assert torch.equal(pairs.layout(3), plain.raw(3)[0]), "modes can be read"
    assert pairs.condition.encode(raw[None]).shape == (1, pairs.condition.channels, 32, 32)
    again = open_data("streets:30", 32, condition=pairs.condition)
    assert torch.equal(again.raw(3)[0], raw)
    assert f"with the condition {condition!r}" in pairs.description
    larger = pairs.resized((48, 48)).raw(3)[0]
    assert larger.shape[-2:] == (48, 48)
    assert len(open_data("streets:30", 32, condition=condition, unpaired=True)) == 30


def test_streets_place_points_at_the_size_they_are_drawn() -> None:
    pairs, streets = open_data("streets", 64, condition="landmarks"), Streets((64, 64), 2000)
    points = torch.from_numpy(streets.landmarks(5)).round().clamp(0, 63)
    assert torch.equal(points_of(pairs.raw(5)[0]).nan_to_num(-1), points.nan_to_num(-1))
    with pytest.raises(DataError, match=r"have a list of landmarks of 38 channels, but the model reads .* of 5"):
        open_data("streets", 64, condition=Landmarks(points=5, frame=(64, 64)))
    with pytest.raises(DataError, match="but the model reads"):
        open_data("streets", 64, condition=open_data("streets", 64).condition.model_copy(update={"boundaries": True}))
