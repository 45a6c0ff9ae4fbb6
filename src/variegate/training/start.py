"""Start or resume a run: open the data, write `config.yaml`, train."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.config import to_yaml
from ..core.errors import CheckpointError, ConfigError, DataError
from ..core.files import words_for_a_full_disk, write_text
from ..core.interfaces import Size
from ..core.method import Method
from ..data.conditions import Condition, Labels, condition_from_mapping
from ..data.dataset.pairs import Pairs
from ..runs.config import RunConfig, differences, place_of, saved_config
from ..runs.folder import RunFolder
from ..runs.lock import holding
from ..runs.saved_model import ModelRecord, model_folder, read_record, read_weights
from ..runs.trackers import check_tracker
from .calibration import calibrate, with_fill_as_it_was

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from .state import InitialWeights


def start(config: RunConfig, folder: Path, resume: bool = False) -> None:
    """Train in `folder`.

    Raises:
        Interrupted: a signal stopped training; a checkpoint was written.
        ConfigError: the folder contains another run or a foreign `config.yaml`, or `resume` is given with settings that
            differ from the saved ones; or another process trains in it.
        DataError, TrainingError, CheckpointError: see their definitions.
    """
    refuse_foreign(folder)
    check_tracker(config.run.tracker)
    with words_for_a_full_disk(folder), holding(folder):
        start_alone(config, folder, resume)


def start_alone(config: RunConfig, folder: Path, resume: bool) -> None:
    """`start`, in a folder that this process holds."""
    from .loop import train  # importing torch and Fabric takes seconds; earlier errors should appear at once

    begun = bool(RunFolder(folder).checkpoints.steps())  # then it needs nothing more from earlier training
    pairs = Pairs(config.data.source(direction=RunFolder(folder).direction if begun else None), "train")
    if begun and (known := without_instances(folder, pairs)) is not None:
        pairs = Pairs(config.data.source(known, RunFolder(folder).direction), "train")
    if len(pairs) == 0:
        raise DataError(f"{config.data.path}: no pairs to train on")
    config = config.model_copy(update={"place": place_of(pairs, config.data.path)})
    config.method.check_data(pairs.condition)
    if config.predictor is not None and not begun:
        same_data(Path(config.predictor), config.method.previous_role, config, pairs)
    previous, predicts = folder / "previous", config.method.frozen is not None
    if config.initial is not None and not begun:
        read_record(model_folder(Path(config.initial)))
    needed = not begun and config.predictor is None and (predicts or config.initial is None)
    if begun:
        config = with_fill_as_it_was(config, folder)
        config = with_generator_as_it_was(with_previous_as_it_was(config, folder), folder)
    if config.method.previous is not None and needed:
        start(earlier(config, config.method.previous, pairs.size), previous, previous.exists())
    fabric = config.run.fabric()
    config = calibrate(config, pairs, folder, fabric)
    if fabric.is_global_zero:
        claim(folder, config, resume)
    fabric.barrier()
    train(config, pairs, folder, fabric, None if begun else initial_weights(config, pairs, previous))


def without_instances(folder: Path, pairs: Pairs) -> Condition | None:
    """The condition of a run that began when the instance maps beside its label maps were not read; None otherwise."""
    labels, run = pairs.condition.part(Labels), RunFolder(folder)
    if labels is None or not labels.boundaries or not (run.path / "model").is_dir():
        return None
    saved = condition_from_mapping(run.record.condition)
    own = saved.part(Labels)
    return saved if own is not None and not own.boundaries else None


def same_data(predictor: Path, role: str, config: RunConfig, pairs: Pairs) -> None:
    """Raise ConfigError if a predictor or teacher was trained on images of another size or data set."""
    run = RunFolder(predictor)
    record, own = run.record, run.config.data
    if record.size != pairs.size:
        (height, width), (own_height, own_width) = record.size, pairs.size
        raise ConfigError(
            f"--{role} {predictor} was trained at {height}x{width}, but these images are {own_height}x{own_width}; "
            f"train one at this size, or give --size {height}x{width}"
        )
    differ = {
        f"data, {record.data}": record.data != pairs.name or not known_same(run.config, config),
        "conditions": condition_from_mapping(record.condition) != pairs.condition,
        "--direction": run.direction != pairs.source.direction,
        "--unpaired": own.unpaired != config.data.unpaired,
        "--grey": record.image_channels != pairs.image_channels,
    }
    if any(differ.values()):
        words = " and ".join(name for name, yes in differ.items() if yes)
        raise ConfigError(f"--{role} {predictor} was trained with different {words}; train one on the same data")


def known_same(one: RunConfig, other: RunConfig) -> bool:
    """Whether two runs read the same files, as far as recorded."""
    return one.place is None or other.place is None or one.place.fingerprint == other.place.fingerprint


def initial_weights(config: RunConfig, pairs: Pairs, previous: Path) -> InitialWeights:
    """The weights of earlier training that a new run starts from."""
    from .state import InitialWeights

    method, remedy = config.method, "give a run of the same network"
    if config.initial is not None:
        record = read_record(model_folder(Path(config.initial)))
        remedy = f"{unlike(record, method, pairs.condition.channels)}start from a run of the same method and widths"
    before, frozen = method.previous, method.frozen is not None
    predictor = Path(config.predictor) if config.predictor else previous if frozen else None
    alike = before is not None and method.previous_role == "teacher" and before.generator.kind == method.generator.kind
    first = predictor if alike else previous if before is not None and not frozen else None
    start = Path(config.initial) if config.initial else first
    found = [None if place is None else (place, read_weights(model_folder(place))) for place in (start, predictor)]
    partly = config.initial is None if alike else before is not None and not frozen
    return InitialWeights(found[0], partly, found[1], remedy)


def unlike(record: ModelRecord, method: Method, channels: int) -> str:
    """A clause that says how a saved model's network differs from this run's; empty if it does not."""
    old, new = record.method, method.model_dump(mode="json")
    if old["generator"]["kind"] != new["generator"]["kind"]:
        return f"it is a {old['name']} run, not {new['name']}; "
    if record.condition_channels != channels:
        return f"its conditions have {record.condition_channels} channels, this run's have {channels}; "
    parts = [part for part in ("generator", "randomness") if old[part]["kind"] == new[part]["kind"]]
    names = [name for part in parts for name in differences(old[part], new[part], part)]
    if names:
        return f"its {' and '.join(names)} differ from this run's; "
    return f"it is a {old['name']} run, not {new['name']}; " if old["name"] != new["name"] else ""


def earlier(config: RunConfig, method: Method, size: Size) -> RunConfig:
    """The configuration of the previous run, whose result this one uses."""
    scale = config.method.previous_scale
    data = config.data.model_copy(update={"size": (size[0] // scale, size[1] // scale)})
    return config.model_copy(update={"method": method, "data": data, "initial": None, "predictor": None})


def with_previous_as_it_was(config: RunConfig, folder: Path) -> RunConfig:
    """The configuration with what was trained first: that is finished, and not trained again for other settings."""
    saved, method = RunFolder(folder).config.method.previous, config.method
    if method.previous is None or saved is None:
        return config
    one, two = (without_words(each.model_dump(mode="json")) for each in (saved, method.previous))
    if changed := differences(one, two):
        logger.warning(
            "%s: %s was trained first and stays as it is, with its own %s", folder, saved.name, ", ".join(changed)
        )
    return config.model_copy(update={"method": method.model_copy(update={"previous": saved})})


def with_generator_as_it_was(config: RunConfig, folder: Path) -> RunConfig:
    """The configuration with the run's generator, if only what suits its condition by default has changed since."""
    saved, condition = RunFolder(folder).config.method.generator, config.data.condition
    if condition is None or saved.for_condition(str(condition)) != config.method.generator:
        return config
    return config.model_copy(update={"method": config.method.model_copy(update={"generator": saved})})


def refuse_foreign(folder: Path) -> None:
    """Raise ConfigError if the folder has a `config.yaml` that is not a run's, because it would be overwritten."""
    run, path = RunFolder(folder), folder / "config.yaml"
    if not path.exists() or run.checkpoints.steps():
        return
    try:
        run.config  # noqa: B018 reads and validates it
    except (CheckpointError, ConfigError, DataError):
        raise ConfigError(
            f"{path} is not the configuration of a run and would be overwritten; move it away, or give another --out"
        ) from None


def refuse_existing(folder: Path) -> None:
    """Raise ConfigError if the folder has a run with a checkpoint."""
    if RunFolder(folder).checkpoints.steps():
        raise ConfigError(f"{folder} already contains a run; give --resume to continue it, or another --out")


def claim(folder: Path, config: RunConfig, resume: bool) -> None:
    """Create the run folder, or check that it contains the same run."""
    path = folder / "config.yaml"
    if not (path.exists() and RunFolder(folder).checkpoints.steps()):  # no training to lose
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, to_yaml(config))
        return
    if not resume:
        refuse_existing(folder)
    saved, now = with_defaults(folder), config.model_dump(mode="json")
    old, new = saved.pop("place", None), now.pop("place")
    if isinstance(old, dict) and isinstance(
        saved.get("data"), dict
    ):  # compare where the data are, not how the path was typed
        saved["data"]["path"], now["data"]["path"] = "as before", "as before" if same_files(old, new) else "other files"
    saved["method"], now["method"] = (without_words(one.get("method")) for one in (saved, now))
    changed = differences(saved, now)
    # a longer run and other execution settings are fine; anything else would be another experiment
    serious = [name for name in changed if name != "method.training.steps" and not name.startswith("run.")]
    if serious or "run.seed" in changed:
        names = ["data" if name == "data.path" else name.removeprefix("data.") for name in serious]
        raise ConfigError(
            f"{folder} was trained with a different {', '.join(names or ['run.seed'])}; "
            "undo the change, or give another --out"
        )
    done, steps = RunFolder(folder).checkpoints.steps()[-1], config.method.training.steps
    if steps < done:
        raise ConfigError(f"{folder} has {done} steps already, which --steps {steps} cannot undo; give more, in all")
    second = config.method.training.restart
    if second.at and "method.training.steps" in changed:
        raise ConfigError(
            f"{folder}: the second phase begins at {second.at:.0%} of the steps, so it cannot be resumed with other "
            "--steps; omit --steps, or start a new run with --initial and another --out"
        )
    write_text(path, to_yaml(config))


def without_words(method: Any) -> Any:
    """A method without its descriptive texts, which may be reworded in later versions."""
    if not isinstance(method, dict):
        return method
    kept = {name: value for name, value in method.items() if name not in ("paper", "summary", "condition")}
    return kept | {"previous": without_words(kept.get("previous"))}


def same_files(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether two places hold the same data. Data changed in place, such as a repaired file, count as the same."""
    if old["path"] == new["path"]:
        if old["fingerprint"] != new["fingerprint"]:
            logger.warning("%s: files were added, removed or changed since this run began", new["path"])
        return True
    return bool(old["fingerprint"]) and old["fingerprint"] == new["fingerprint"]


def with_defaults(folder: Path) -> dict[str, Any]:
    """A saved configuration, with defaults for settings that are newer than the run."""
    try:
        return RunFolder(folder).config.model_dump(mode="json")
    except (ConfigError, DataError):  # something else changed; the comparison will name it
        return saved_config(folder)
