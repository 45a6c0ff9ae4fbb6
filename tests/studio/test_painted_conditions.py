"""Every kind of condition is sent and read without loss, and says which tool it needs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from variegate.core.errors import DataError
from variegate.data.conditions import Condition, ImageCondition, Labels
from variegate.data.conditions.class_label import ClassLabel
from variegate.data.conditions.composite import CompositeCondition
from variegate.data.conditions.constant import Unconditional
from variegate.data.conditions.landmarks import Landmarks
from variegate.data.conditions.vector import Vector
from variegate.data.derived.derived import parse_derived
from variegate.studio import wire
from variegate.studio.conditions import digest, need_of, read, write

SIZE = (16, 24)
FRAME = {"frame": SIZE}
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
MASK = np.zeros(SIZE, np.uint8)
MASK[4:9, 5:15] = 255
LABELS = Labels(names=("a", "b", "c"), palette=((0, 0, 0), (255, 0, 0), (0, 255, 0)))
CLASS = ClassLabel(names=("cat", "dog"), **FRAME)
CASES: dict[str, tuple[Condition, object, str]] = {
    "labels": (LABELS, np.random.default_rng(1).integers(0, 3, SIZE, dtype=np.uint8), "labels"),
    "instances": (
        LABELS.model_copy(update={"boundaries": True}),
        (np.zeros(SIZE, np.uint8), np.indices(SIZE)[1].astype(np.uint8) // 7),
        "labels",
    ),
    "image": (ImageCondition(), IMAGE, "image"),
    "grey": (ImageCondition(channels=1), IMAGE[..., 0], "image"),
    "low resolution": (ImageCondition(derived=parse_derived("superres:4")), IMAGE, "image"),
    "hole": (ImageCondition(channels=4, derived=parse_derived("inpaint")), (IMAGE, MASK), "hole"),
    "landmarks": (Landmarks(points=3, **FRAME), np.array([[1, 2], [20, 3], [9, 14]]), "landmarks"),
    "class": (CLASS, "dog", "class"),
    "vector": (Vector(length=4, **FRAME), np.array([0.1, -3e8, 1e-30, 0]), "vector"),
    "none": (Unconditional(**FRAME), "none", "none"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_is_read(name: str) -> None:
    condition, source, kind = CASES[name]
    raw = condition.read(source, SIZE)  # type: ignore[arg-type]
    sent = write(condition, raw)
    assert need_of(condition).kind == sent.kind == kind
    assert torch.equal(read(condition, type(sent).model_validate_json(sent.model_dump_json()), SIZE), raw)


def test_several_at_once() -> None:
    condition = CompositeCondition(parts=(CLASS, LABELS))
    raw = condition.read(("cat", CASES["labels"][1]), SIZE)  # type: ignore[arg-type]
    sent = write(condition, raw)
    assert [part.kind for part in sent.parts] == ["class", "labels"]
    assert torch.equal(read(condition, sent, SIZE), raw)
    with pytest.raises(DataError, match=r"this model's condition is class \+ labels, got labels"):
        read(condition, sent.parts[1], SIZE)


def test_a_landmark_that_is_not_there() -> None:
    condition = CASES["landmarks"][0]
    raw = condition.read(np.array([[1, 2], [np.nan, np.nan], [9, 14]]), SIZE)
    sent = write(condition, raw)
    assert sent.points == [(1, 2), None, (9, 14)]
    assert torch.equal(read(condition, sent, SIZE), raw)


def test_landmarks_of_another_frame_are_moved() -> None:
    condition = CASES["landmarks"][0]
    raw = read(condition, wire.LandmarkPoints(height=32, width=48, points=[(3, 5), (41, 7), (19, 29)]), SIZE)
    assert torch.equal(raw, condition.read(np.array([[1, 2], [20, 3], [9, 14]]), SIZE))


def test_digests_tell_conditions_apart() -> None:
    each = [condition.read(source, SIZE) for condition, source, _ in CASES.values()]  # type: ignore[arg-type]
    assert len({digest(raw) for raw in each}) == len(each)
    assert digest(each[0]) == digest(each[0].clone())
