"""Everything that defines a run, as stored in its `config.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, model_validator

from ..core.config import Budget, Config, from_mapping
from ..core.errors import CheckpointError, ConfigError
from ..core.method import Method
from ..core.overrides import override
from ..data.dataset.opening import DataConfig, absolute
from ..data.dataset.pairs import Pairs
from ..data.readers.items import Direction
from ..data.readers.shards import settings_of_shards
from ..methods import method as method_of_name
from ..methods import method_from_mapping
from ..methods.budgets import BUDGETS
from .bundled import bundled
from .hub import on_hub
from .saved_model import read_record
from .settings import ExecutionSettings

FLAT = ("size", "direction", "condition", "unpaired", "grey")  # where older runs keep their data settings


class DataPlace(Config):
    """Where data were when training began, and what tells them from others of the same name."""

    path: str = Field(description="as typed, made absolute")
    fingerprint: str = Field(description="of the names and sizes of all files")
    direction: Direction | None = Field(None, description="which of A and B is the condition, where one was chosen")


class RunConfig(Config):
    """What is trained, on which data, starting from what, and how it is executed."""

    method: Method
    data: DataConfig
    place: DataPlace | None = Field(None, description="where the data were; unknown for older runs")
    initial: str | None = Field(None, description="run whose weights training starts from; its size may differ")
    predictor: str | None = Field(None, description="run of a predictor or teacher to use instead of training one")
    run: ExecutionSettings = ExecutionSettings()

    @model_validator(mode="before")
    @classmethod
    def _of_older_runs(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("data"), str):
            return values
        data = {"path": values["data"], **{name: values[name] for name in FLAT if name in values}}
        return {**{name: value for name, value in values.items() if name not in FLAT}, "data": data}

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.initial is not None and self.method.objective.from_predicted():
            raise ConfigError("--initial and --from-predictor both say where the generator starts; leave one out")
        return self


def place_of(pairs: Pairs, path: str) -> DataPlace:
    """Where data that were opened from a path are."""
    source = pairs.source
    return DataPlace(path=absolute(path), fingerprint=source.fingerprint, direction=source.direction)


def run_config(
    method: str | Method,
    data: str | Path | DataConfig,
    *,
    run: ExecutionSettings | None = None,
    **settings: Any,
) -> RunConfig:
    """Build the configuration of a run from user input.

    Args:
        method: a name listed by `variegate methods`, or a method, which has no further options of its own.
        data: see `DataConfig.path`.
        run: how it is executed.
        settings: fields of `DataConfig` (`size`, `direction`, `condition`, `unpaired`, `grey`), of `RunConfig`
            (`initial`, `predictor`, `teacher`), of `ExecutionSettings` (`seed`, `quiet`, ...); `steps`; the rest is the
            method's.

    Raises:
        ConfigError: a setting does not exist or does not fit.
    """

    def take(names: Iterable[str]) -> dict[str, Any]:
        return {name: settings.pop(name) for name in names if settings.get(name) is not None or settings.pop(name, 0)}

    of_data = take(name for name in DataConfig.model_fields if name != "path")
    execution = (run or ExecutionSettings()).model_dump() | take(ExecutionSettings.model_fields)
    places = {name: str(Path(place).absolute()) for name, place in take(("predictor", "teacher")).items()}
    places |= {name: start_of(place) for name, place in take(("initial",)).items()}
    if (steps := settings.pop("steps", None)) is not None:
        if settings.get("training.steps", steps) != steps:
            raise ConfigError(f"--steps {steps} and --training.steps {settings['training.steps']} differ; give one")
        settings["training.steps"] = steps
    chosen = method_of_name(method, settings) if isinstance(method, str) else override(method, settings)
    if "predictor" in places:
        chosen = with_predictor(chosen, places["predictor"])
    if taught := "teacher" in places:
        chosen = with_teacher(chosen, places["teacher"])
        places["predictor"] = places.pop("teacher")
    base = data.model_dump(exclude_unset=True) if isinstance(data, DataConfig) else {"path": data}
    wanted = {"condition": chosen.derived} | settings_of_shards(base["path"]) | base | of_data
    if wanted["condition"] is not None and not taught:  # a student keeps the network of a trained teacher
        chosen = for_condition(chosen, str(wanted["condition"]))
    wanted["unpaired"] = wanted.get("unpaired", False) or chosen.unpaired
    values = {
        "method": chosen,
        "data": from_mapping(DataConfig, wanted, "options"),
        "run": from_mapping(ExecutionSettings, execution, "options"),
    }
    return from_mapping(RunConfig, values | places, "options")


def start_of(place: str | Path) -> str:
    """Where training starts from: an absolute path, or the name of a model that is bundled or on the hub."""
    named = bundled(Path(place)) is not None or on_hub(place) is not None
    return str(place) if named else str(Path(place).absolute())


def for_condition(method: Method, condition: str) -> Method:
    """The method, and the one trained before it, with generators that suit a condition, as `--condition` spells it."""
    changes: dict[str, Any] = {"generator": method.generator.for_condition(condition)}
    if method.previous is not None:
        changes["previous"] = for_condition(method.previous, condition)
    return method.model_copy(update=changes)


def budget_of(method: Method) -> Budget:
    """What a method gets if training must take minutes, as far as its generator has such settings; methods made in
    Python stay as they are."""
    budget = BUDGETS.get(method.name, Budget())
    names = {f"generator.{name}" for name in type(method.generator).model_fields}
    options = {name: v for name, v in budget.options.items() if name in names or not name.startswith("generator.")}
    return budget.model_copy(update={"options": options})


def with_predictor(method: Method, run: str) -> Method:
    """The method with the model of a run as its predictor.

    Raises:
        ConfigError: the method takes no predictor, or the run is not a predictor, or one of another family.
    """
    found = method_from_mapping(read_record(Path(run) / "model").method, run)
    if method.previous is None or method.previous_role != "predictor":
        raise ConfigError(
            f"--predictor: {method.name} uses none; leave it out (mrgan needs --proxy true, and --moments 1 or 2)"
        )
    wanted, family = method.previous.generator.moments_family(), found.generator.moments_family()
    if family is None:
        raise ConfigError(
            f"--predictor {run} is a {found.name} run; train a predictor with `variegate train moment-predictor`"
        )
    if family != wanted:
        raise ConfigError(f"--predictor {run} predicts the {family} family; add --family {family}")
    return Method.model_validate({**method.model_dump(), "previous": found.model_dump()})


def with_teacher(method: Method, run: str) -> Method:
    """The method with the model of a run as its teacher; a student of the same network gets its widths.

    Raises:
        ConfigError: the method takes no teacher, or the run's codes are of another kind than a student needs.
    """
    found = method_from_mapping(read_record(Path(run) / "model").method, run)
    if method.previous is None or method.previous_role != "teacher":
        raise ConfigError(f"--teacher: {method.name} has none; leave it out, or train flow-student")
    wanted = method.previous.generator.kind
    if found.generator.kind != wanted:
        raise ConfigError(f"--teacher {run} is a {found.name} run; a teacher is a run of `variegate train {wanted}`")
    values = method.model_dump() | {"previous": found.model_dump()}
    same = found.generator.in_one_pass()
    if same is not None and method.generator.kind == wanted:
        values["generator"] = same.model_dump()
    return Method.model_validate(values)


def saved_config(folder: Path) -> dict[str, Any]:
    """`config.yaml` of a run as plain data.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    path = folder / "config.yaml"
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} cannot be read ({told}); give a folder that `variegate train` wrote") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is empty or damaged; give a folder that `variegate train` wrote")
    return values


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Dotted names of the values that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)]
    return [] if old == new else [name]
