"""Begin or resume a run: open the data, write `config.yaml`, train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field, SerializeAsAny

from ..core.config import Config, to_yaml
from ..core.errors import CheckpointError, ConfigError, DataError
from ..core.interfaces import Method, Size
from ..data.conditions.labels import condition_from_mapping
from ..data.conditions.landmarks import Landmarks
from ..data.dataset.pairs import Pairs, open_data
from ..generators.split_crn import SplitCRNConfig
from ..runs.checkpoints import Checkpoints
from ..runs.saved_model import ModelRecord, model_folder, read_record, read_weights
from ..runs.settings import Run
from .calibration import calibrated

if TYPE_CHECKING:
    from .state import Handed


class RunConfig(Config):
    """Everything that explains a run; written to its `config.yaml`."""

    method: SerializeAsAny[Method]
    data: str
    size: Size | None = None
    direction: Literal["AtoB", "BtoA"] | None = None
    condition: str | None = None
    unpaired: bool = False
    grey: bool | None = Field(None, description="images of one channel; as in the data unless given")
    initial: str | None = Field(None, description="run whose weights training starts from; its size may be another")
    predictor: str | None = Field(None, description="run of a predictor to use instead of training one")
    run: Run = Run()


def start(config: RunConfig, folder: Path, resume: bool = False) -> bool:
    """Train in `folder`; True when finished, False when a signal stopped it after a checkpoint.

    Raises:
        ConfigError: the folder holds another run or a `config.yaml` of something else, or `resume` with settings that
            differ from the saved ones.
        DataError, TrainingError, CheckpointError: see there.
    """
    from .loop import train  # torch and Fabric take seconds; mistakes above should be told at once

    how = {
        "direction": config.direction,
        "condition": config.condition,
        "unpaired": config.unpaired,
        "grey": config.grey,
    }
    refuse_foreign(folder, config)
    pairs = open_data(config.data, config.size, **how)  # type: ignore[arg-type]
    if len(pairs) == 0:
        raise DataError(f"{config.data}: no pairs to train on")
    needs_condition(config.method, pairs)
    fits_pyramid(config.method, pairs)
    if config.predictor is not None:
        same_data(Path(config.predictor), config, pairs)
    previous, predicts = folder / "previous", config.method.previous_role == "predictor"
    begun = bool(Checkpoints(folder / "checkpoints").steps())  # then it has all it needs of earlier training
    if config.initial is not None and not begun:
        read_record(model_folder(Path(config.initial)))
    needed = not begun and config.predictor is None and (predicts or config.initial is None)
    if config.method.previous is not None and needed:
        before = earlier(config, config.method.previous, pairs.size)
        if not start(before, previous, previous.exists()):
            return False
    fabric = config.run.fabric()
    config = calibrated(config, pairs, folder, fabric)
    if fabric.is_global_zero:
        claim(folder, config, resume)
    fabric.barrier()
    return train(config.method, pairs, folder, config.run, fabric, None if begun else handed(config, pairs, previous))


def needs_condition(method: Method, pairs: Pairs) -> None:
    """Raises ConfigError for a method that cannot do without conditions, and data that have none."""
    if not pairs.condition.channels and method.objective.kind != "likelihood":
        raise ConfigError(
            f"{method.name} draws images of conditions, and --condition none leaves it without; give class, edges or "
            "another, or train gated-pixelcnn, which needs none"
        )


def fits_pyramid(method: Method, pairs: Pairs) -> None:
    """Raises ConfigError for single points that would be averaged away, and for anything else that would be summed."""
    if not isinstance(method.generator, SplitCRNConfig):
        return
    landmarks, sums = isinstance(pairs.condition, Landmarks), method.generator.pyramid == "sum"
    if isinstance(pairs.condition, Landmarks) and not pairs.condition.heat and not sums:
        raise ConfigError(
            "the data's conditions are landmarks, single points that a pyramid of means fades out; give --task "
            "landmarks, which sums them, or blobs with --condition landmarks:1.5"
        )
    if sums and not landmarks:
        raise ConfigError(
            f"--task landmarks sums points, but a condition of these data is a {pairs.condition.noun}, whose values "
            "would grow fourfold from level to level; give --task normals, which averages them"
        )


def same_data(predictor: Path, config: RunConfig, pairs: Pairs) -> None:
    """Raises ConfigError for a predictor that was trained on pictures of another size or data set."""
    record = read_record(predictor / "model")
    if record.size != pairs.size:
        (height, width), (own_height, own_width) = record.size, pairs.size
        raise ConfigError(
            f"--predictor {predictor}: was trained at {height}x{width}, these pictures are {own_height}x{own_width}; "
            f"train one at this size, or give --size {height}x{width}"
        )
    own = saved_config(predictor)
    differ = {
        f"data, {record.data}": record.data != pairs.name,
        "conditions": condition_from_mapping(record.condition) != pairs.condition,
        "--direction": own["direction"] != config.direction,
        "--unpaired": own.get("unpaired", False) != config.unpaired,
        "--grey": record.image_channels != pairs.image_channels,
    }
    if any(differ.values()):
        words = " and ".join(name for name, yes in differ.items() if yes)
        raise ConfigError(f"--predictor {predictor}: was trained with other {words}; train one on the same data")


def handed(config: RunConfig, pairs: Pairs, previous: Path) -> Handed:
    """What earlier training hands over to a run that begins."""
    from .state import Handed

    remedy = "give a run of the same network"
    if config.initial is not None:
        record = read_record(model_folder(Path(config.initial)))
        remedy = (
            f"{unlike(record, config.method, pairs.condition.channels)}start from a run of the same method and widths"
        )
    predicts, before = config.method.previous_role == "predictor", config.method.previous is not None
    start = Path(config.initial) if config.initial else previous if before and not predicts else None
    predictor = Path(config.predictor) if config.predictor else previous if before and predicts else None
    found = [None if place is None else (place, read_weights(model_folder(place))) for place in (start, predictor)]
    return Handed(found[0], before and not predicts, found[1], remedy)


def unlike(record: ModelRecord, method: Method, channels: int) -> str:
    """In which settings of its network a saved model is unlike this run: a clause, empty if they are the same."""
    old, new = record.method, method.model_dump(mode="json")
    if old["generator"]["kind"] != new["generator"]["kind"]:
        return f"it is a {old['name']} run, not {new['name']}; "
    if record.condition_channels != channels:
        return f"its conditions have {record.condition_channels} channels, these {channels}; "
    parts = [part for part in ("generator", "randomness") if old[part]["kind"] == new[part]["kind"]]
    names = [name for part in parts for name in differences(old[part], new[part], part)]
    if names:
        return f"its {' and '.join(names)} differ from this run's; "
    return f"it is a {old['name']} run, not {new['name']}; " if old["name"] != new["name"] else ""


def earlier(config: RunConfig, method: Method, size: Size) -> RunConfig:
    """The run whose result this one takes over."""
    scale = config.method.previous_scale
    changes = {"method": method, "size": (size[0] // scale, size[1] // scale), "initial": None, "predictor": None}
    return config.model_copy(update=changes)


def refuse_foreign(folder: Path, config: RunConfig) -> None:
    """Raises ConfigError if the folder's `config.yaml` is not that of a run; it would be overwritten."""
    path = folder / "config.yaml"
    if not path.exists() or Checkpoints(folder / "checkpoints").steps():
        return
    try:
        as_run(saved_config(folder), config)
    except (CheckpointError, ConfigError, ValueError, TypeError, KeyError):
        raise ConfigError(
            f"{path} is not that of a run that can be read, and would be overwritten; move it away, or train into "
            "another --out"
        ) from None


def claim(folder: Path, config: RunConfig, resume: bool) -> None:
    """Make the run folder, or check that it is the same run."""
    path = folder / "config.yaml"
    if not (path.exists() and Checkpoints(folder / "checkpoints").steps()):  # nothing was learned there yet
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(config))
        return
    if not resume:
        raise ConfigError(f"{folder} already holds a run; give --resume to go on with it, or another --out")
    changed = differences(with_defaults(saved_config(folder), config), yaml.safe_load(to_yaml(config)))
    # a longer run and other ways to carry it out are fine; anything else would be another experiment
    serious = [name for name in changed if name != "method.training.steps" and not name.startswith("run.")]
    if serious or "run.seed" in changed:
        raise ConfigError(
            f"{folder} was trained with another {', '.join(serious or ['run.seed'])}; "
            "leave the change out, or train into another --out"
        )
    second = config.method.training.restart
    if second.at and "method.training.steps" in changed:
        raise ConfigError(
            f"{folder}: its second phase begins at {second.at:.0%} of the steps, so a longer run is another one; leave "
            "--steps out, or train into another --out with --initial"
        )
    path.write_text(to_yaml(config))


def with_defaults(saved: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """A saved configuration with the defaults of settings that are newer than the run."""
    try:
        return as_run(saved, config).model_dump(mode="json")
    except (ValueError, TypeError, KeyError):  # something else changed, which the comparison will name
        return saved


def as_run(saved: dict[str, Any], config: RunConfig) -> RunConfig:
    """A saved configuration read back; pydantic's errors unless it is that of a run."""
    method = type(config.method).model_validate(saved["method"])
    return RunConfig.model_validate({**saved, "method": method})


def saved_config(folder: Path) -> dict[str, Any]:
    """`config.yaml` of a run as plain data."""
    path = folder / "config.yaml"
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); give a folder that `variegate train` wrote") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is empty or damaged; give a folder that `variegate train` wrote")
    return values


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Dotted names of the values that are not equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for key in keys for d in differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)]
    return [] if old == new else [name]
