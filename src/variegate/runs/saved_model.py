"""A saved model: `config.json`, `model.safetensors` and a card, in one folder that is complete or absent."""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.errors import CheckpointError, ConfigError
from ..core.files import saving
from ..core.interfaces import Generator
from .bundled import bundled
from .card import card
from .hub import fetch, on_hub
from .record import ModelRecord


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("variegate", "torch", "torchvision", "numpy")}


FILES = {"config.json", "model.safetensors", "inverter.safetensors", "README.md"}


def write_model(
    folder: Path,
    generator: Generator,
    record: ModelRecord,
    inverter: nn.Module | None = None,
    text: str | None = None,
) -> None:
    """Save a model in a folder of its own.

    Args:
        text: of its card; default: what the record tells.

    Raises:
        ConfigError: the folder contains other files, which would be lost.
        TrainingError: the disk is full.
    """
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    others = sorted(name for name in names if name not in FILES and not name.startswith("."))
    if others:
        raise ConfigError(f"{folder} contains {others[0]}, which is not part of a model; save to a separate folder")
    with saving(folder) as aside:
        for name, module in (("model", generator), ("inverter", inverter)):
            if module is not None:
                tensors = {key: tensor.contiguous() for key, tensor in module.state_dict().items()}
                save_file(tensors, aside / f"{name}.safetensors", metadata={"format": "pt"})
        (aside / "config.json").write_text(record.model_dump_json(indent=2))
        for file in aside.glob("*.safetensors"):  # which are written for their owner alone
            shutil.copymode(aside / "config.json", file)
        (aside / "README.md").write_text(card(record) if text is None else text, encoding="utf-8")


def model_folder(place: str | Path) -> Path:
    """The folder of the model: inside a run directory, the given folder itself, or of a bundled model of that name;
    in the cache for one on the hub, such as user/name.

    Raises:
        CheckpointError: it is not a folder, and not a model on the hub.
        ConfigError: it is a folder, but names a revision.
    """
    if (shipped := bundled(Path(place))) is not None:
        return shipped
    if (wanted := on_hub(place)) is not None:
        return fetch(wanted, FILES, read_record)
    folder = Path(place)
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder; give a run directory that `variegate train` wrote")
    return folder / "model" if (folder / "model").is_dir() else folder


def alone(place: str | Path) -> str:
    """What `place` names, in words, if that is a model without a run, which would know its data; else empty."""
    if bundled(Path(place)) is not None:
        return "a bundled model without its run"
    if on_hub(place) is not None:
        return "no run that is here, at most a model on the hub"
    files = ("config.json", "model.safetensors")
    saved = all((Path(place) / name).is_file() for name in files) and not (Path(place) / "config.yaml").is_file()
    return "a saved model without its run" if saved else ""


def read_record(folder: Path) -> ModelRecord:
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no saved model (no config.json); give the directory of a finished run")
    try:
        return ModelRecord.model_validate_json(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({str(error).splitlines()[0]}); copy the model again") from None


def read_weights(folder: Path, name: str = "model") -> dict[str, Tensor]:
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; copy the whole model folder again")
    if not os.access(path, os.R_OK):
        raise CheckpointError(f"{path} cannot be read (permission denied); ask its owner for the right to read it")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is cut short or damaged ({error}); copy it again or train again") from None


def load_weights(
    module: nn.Module,
    weights: dict[str, Tensor],
    where: Path,
    remedy: str = "copy the whole model folder again",
    shared: bool = False,
) -> None:
    """Load saved weights into a network.

    Args:
        where: what the error message names.
        remedy: what to do if they do not fit.
        shared: load only what both networks have with the same name and shape.

    Raises:
        CheckpointError: the weights belong to another network.
    """
    if shared:
        own = module.state_dict()
        weights = own | {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        first = re.split(r'(?<="),|\.$', first)[0]  # the first of a list of names
        raise CheckpointError(f"{where}: the saved weights belong to another network: {first}; {remedy}") from None
