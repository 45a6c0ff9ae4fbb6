"""What is measured: a run with its data, or a model alone, such as one on the hub, with data that are given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...core.config import from_mapping
from ...core.errors import ConfigError
from ...core.files import check_writable
from ...data.conditions import ImageCondition
from ...data.dataset.opening import DataConfig
from ...data.dataset.pairs import Pairs
from ...data.readers.items import Direction
from ...data.readers.shards import settings_of_shards
from ...model.model import Model
from ...runs.folder import RunFolder, run_folder
from ...runs.saved_model import alone

ALONE = Path("evaluation")  # in the working directory: results of models without a run
SIDES: dict[str | None, Direction] = {"left": "AtoB", "right": "BtoA"}


class Subject(NamedTuple):
    """A model, the pairs to measure it on, and what it is compared with.

    Attributes:
        real: images for the distances of sets: those of training, or of a model alone the data's others.
        out: where results are written.
        run: None for a model alone.
        warnings: what must be known before the numbers are believed.
    """

    model: Model
    held: Pairs
    real: Pairs
    out: Path
    run: RunFolder | None
    warnings: list[str]


def open_subject(run: str | Path, data: str | Path | None, sampler: Mapping[str, Any] | None) -> Subject:
    """Open a run, or a model that `variegate.load` finds.

    Raises:
        ConfigError: a model alone is to be measured on no data.
        VariegateError: the model or the data cannot be read, or results not be written.
    """
    if alone(run):
        return _alone(run, data, sampler)
    folder = run_folder(run)
    check_writable(folder.path)
    model = Model.load(folder.path, sampler=sampler)
    held = folder.pairs("held", data)
    return Subject(model, held, folder.pairs("train"), folder.path, folder, unseen_or_not(held, data))


def _alone(run: str | Path, data: str | Path | None, sampler: Mapping[str, Any] | None) -> Subject:
    if data is None:
        raise ConfigError(f"{run}: is {alone(run)}, so its data are unknown; give some: --data DIR")
    model = Model.load(run, sampler=sampler)
    record, image = model.record, model.condition.part(ImageCondition)
    values = settings_of_shards(data) | {"path": str(data), "size": record.size, "grey": record.image_channels == 1}
    values["unpaired"] = values.get("unpaired", False) or record.method.get("unpaired", False)
    before = SIDES.get(None if image is None else image.half)
    source = from_mapping(DataConfig, values, "data").source(model.condition, before, whole=True)
    split = next((name for name in ("test", "val") if name in source.origins), next(iter(source.origins)))
    held = Pairs(source, split)
    real = held.of_split("train") if "train" in source.origins else held
    out = results_folder(run)
    check_writable(out)
    beside = f"the images of {real.split}" if real.split != split else "the measured images themselves"
    told = (
        f"{run} is a model without its run: whether it was trained on these images is unknown, metrics of sets compare "
        f"with {beside}, and the data were read as {source.description}"
    )
    return Subject(model, held, real, out, None, [told])


def results_folder(run: str | Path) -> Path:
    """Where results are written: the run, or for a model alone a folder of its name in `evaluation`."""
    return ALONE / re.sub(r"[^\w.]+", "-", str(run)).strip("-.") if alone(run) else Path(run)


def unseen_or_not(held: Pairs, data: str | Path | None) -> list[str]:
    """A warning if the model was trained on the pairs to be measured."""
    if held.split != "train" or data is not None:
        return []
    return [
        f"nothing is held out: {held.source.name} has no val or test split, so all metrics are measured on training "
        "images; add a split, or give other data with --data"
    ]
