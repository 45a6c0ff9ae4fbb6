"""A run directory, as written by training, and everything that can be read from it."""

from __future__ import annotations

import json
import logging
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.config import from_mapping
from ..core.errors import CheckpointError, DataError
from ..data.conditions import condition_from_mapping
from ..data.dataset.opening import absolute, is_there
from ..data.dataset.pairs import DataSource, Pairs
from ..data.readers.items import Direction
from .checkpoints import Checkpoints
from .config import RunConfig, saved_config
from .saved_model import ModelRecord, alone, read_record

logger = logging.getLogger(__name__)
LOG = "metrics.jsonl"


class RunFolder:
    """One run. `Model.load(path)` gives its model.

    Raises:
        CheckpointError: from any property, if what it reads is missing or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._warned = False  # that the data changed

    @cached_property
    def config(self) -> RunConfig:
        """What was trained, on which data, and how."""
        if what := alone(self.path):
            raise CheckpointError(
                f"{self.path}: is {what}, so its training and its data are unknown; give a run directory, or others "
                "(evaluate takes --data, sample takes files)"
            )
        return from_mapping(RunConfig, saved_config(self.path), str(self.path / "config.yaml"))

    @cached_property
    def record(self) -> ModelRecord:
        """What the saved model is."""
        return read_record(self.path / "model")

    @property
    def direction(self) -> Direction | None:
        """Which of A and B was the condition; None where nothing was to be chosen, and for older runs that chose it."""
        place = self.config.place
        return self.config.data.direction if place is None else place.direction

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints")

    def log(self) -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl`, without a last row truncated by a crash."""
        path, rows = self.path / LOG, []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                row = json.loads(line)
                rows.append({"step": int(row.pop("step")), **row})
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return rows

    def pairs(self, split: str = "train", path: str | Path | None = None) -> Pairs:
        """The run's data, or other data read in the same way: with its size, direction and condition.

        Args:
            split: "held" means test if there is one, else val. Of other data without either, all.
            path: path of other data.

        Raises:
            DataError: see `open_data`.
        """
        config, record, place = self.config.data, self.record, self.config.place
        if path is not None and place is not None and absolute(str(path)) == place.path:
            path = None
        changes = {
            "path": str(self.data_path() if path is None else path),
            "size": record.size,
            "grey": record.image_channels == 1,
        }
        same = config.model_copy(update=changes)
        source = same.source(condition_from_mapping(record.condition), self.direction, whole=path is not None)
        if path is None:
            self._recognise(source)
        held = next((name for name in ("test", "val") if name in source.origins), "train")
        return Pairs(source, held if split == "held" else split)

    def data_path(self) -> str:
        """Where the data of the run are: where they were, or as typed if they moved with it.

        Raises:
            DataError: they are at neither place.
        """
        typed, place = self.config.data.path, self.config.place
        if place is None or is_there(place.path):
            return typed if place is None else place.path
        if Path(typed).is_absolute() or not is_there(absolute(typed)) or absolute(typed) == typed:
            raise DataError(
                f"{place.path}: the data of this run are not there any more; put them back, or give others "
                "(evaluate takes --data, sample takes files)"
            )
        return typed

    def _recognise(self, source: DataSource) -> None:
        """Raises DataError for other data than the run's; warns of data that changed where they are."""
        place = self.config.place
        if place is None or source.fingerprint == place.fingerprint:
            return
        if not is_there(place.path):
            raise DataError(
                f"{self.config.data.path}: is not what this run was trained on, which was {place.path} and held files "
                "of other names or sizes; put that back, or give data where the command takes some"
            )
        if not self._warned:
            logger.warning("%s: files were added, removed or changed since this run was trained", place.path)
            self._warned = True

    @property
    def predictor(self) -> Path | None:
        """The run of the moment-predictor that it was trained with, if it exists."""
        if not (self.path / "config.yaml").is_file() or self.config.method.previous_role != "predictor":  # only a model
            return None
        place = Path(self.config.predictor or self.path / "previous")
        return place if (place / "model").is_dir() else None


def run_folder(path: str | Path) -> RunFolder:
    """Open a run directory.

    Raises:
        CheckpointError: it is not a folder.
    """
    if not Path(path).is_dir():
        raise CheckpointError(f"{path} is not a folder; give a run directory that `variegate train` wrote")
    return RunFolder(path)
