"""A tiny untrained model that reads street layouts: images without meaning, all of the plumbing."""

from __future__ import annotations

import torch

from variegate.core.interfaces import Shapes
from variegate.data.conditions import ImageCondition, Labels
from variegate.data.streets.streets import CLASSES, PALETTE
from variegate.methods import method
from variegate.model.model import Model
from variegate.runs.saved_model import ModelRecord, versions

SIZE = (32, 32)


def untrained(condition: Labels | ImageCondition | None = None) -> Model:
    """A basisgan of width 4."""
    condition = condition or Labels(names=CLASSES, palette=PALETTE)
    preset = method("basisgan", {"width": 4, "blocks": 2})
    torch.manual_seed(0)
    generator = preset.build_generator(Shapes(condition.channels, 3, SIZE)).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.mul_(2)  # weights start so small that all images would be grey
    record = ModelRecord(
        method=preset.model_dump(mode="json"),
        condition=condition.model_dump(mode="json"),
        condition_channels=condition.channels,
        image_channels=3,
        size=SIZE,
        data="streets",
        step=0,
        seed=0,
        versions=versions(),
    )
    return Model(generator, condition, record)
