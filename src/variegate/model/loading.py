"""The networks of a saved model, with their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, TypedDict

from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..core.capabilities import HasMemory
from ..core.errors import CheckpointError, ConfigError, VariegateError, check_keywords, did_you_mean
from ..core.interfaces import Generator
from ..core.overrides import override
from ..data.conditions import condition_from_mapping
from ..data.conditions.agreement import agreement
from ..methods import method_from_mapping
from ..runs.hub import two_models
from ..runs.saved_model import ModelRecord, load_weights, read_weights

CONSISTENT = "consistent"  # a way of drawing that every method has
ROOM = 4  # times as many parameters as were saved may exist while a network is built


class Origin(TypedDict, total=False):
    """Which state of a model on the hub."""

    revision: str | None


def at_revision(place: str | Path, origin: Mapping[str, Any]) -> str | Path:
    """Where a model is, spelled with its revision.

    Raises:
        ConfigError: there is a revision, which only models on the hub have, of a folder.
    """
    check_keywords(origin, Origin.__annotations__, "load")
    revision = origin.get("revision")
    if revision is None:
        return place
    if Path(place).is_dir():
        raise ConfigError(f"{place}@{revision}: {two_models(place)}")
    return f"{place}@{revision}"


def load_networks(
    folder: Path, record: ModelRecord, device: str, consistent: bool = False
) -> tuple[Generator, nn.Module | None]:
    """The generator in eval mode, and the encoder from images to codes if training produced one.

    Args:
        consistent: samples are made to agree with what their condition tells of the image.

    Raises:
        CheckpointError: weights are missing or damaged, or a model that copies from training images has none yet.
        ConfigError: `consistent`, but conditions tell nothing of the image.
    """
    method = method_from_mapping(record.method, str(folder / "config.json"))
    channels = condition_from_mapping(record.condition).channels
    if channels != record.condition_channels:
        raise CheckpointError(
            f"{folder / 'config.json'} is damaged: its condition has {channels} channels, but condition_channels says "
            f"{record.condition_channels}; copy the model again"
        )
    weights = read_weights(folder)
    with growing_up_to(weights, folder / "config.json"):
        generator = method.build_generator(record.shapes)
    load_weights(generator, weights, folder / "model.safetensors")
    if isinstance(generator, HasMemory) and not len(generator.images):
        raise CheckpointError(
            f"{folder}: this {method.name} model has not stored the training images that it needs for sampling, "
            "which happens at the end of training; repeat the training command with --resume"
        )
    inverter = None
    if (folder / "inverter.safetensors").is_file():  # imported generators, for example, have no encoder
        weights = read_weights(folder, "inverter")
        with growing_up_to(weights, folder / "config.json"):
            inverter = method.objective.build_inverter(record.shapes)
    if inverter is not None:
        load_weights(inverter, weights, folder / "inverter.safetensors")
        inverter.eval().requires_grad_(False).to(device)
    generator.eval().requires_grad_(False).to(device)
    if consistent:
        generator.agree = agreement(condition_from_mapping(record.condition))
    return generator, inverter


@contextmanager
def growing_up_to(weights: Mapping[str, Tensor], record: Path) -> Iterator[None]:
    """Within it, a network is built for saved weights; one that is far larger is stopped before it fills the memory.

    Raises:
        CheckpointError: it is larger, or cannot be built from what its record says.
    """
    room, thread = ROOM * sum(tensor.numel() for tensor in weights.values()) + 2**20, get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal room
        if get_ident() == thread and parameter is not None:
            room -= parameter.numel()
        if room < 0:
            raise MemoryError("it describes a much larger network than was saved")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except VariegateError:
        raise
    except (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{record}: no network can be built from it ({told}); copy the whole model again"
        ) from None
    finally:
        hook.remove()


def with_sampler(record: ModelRecord, changes: Mapping[str, Any]) -> ModelRecord:
    """The record of a model that draws otherwise; weights stay as they are.

    Raises:
        ConfigError: there is nothing to choose once the model is trained, or there is no such setting or value.
    """
    changes = {key: value for key, value in changes.items() if key != CONSISTENT}
    if not changes:
        return record
    name = record.method["name"]
    method = method_from_mapping(record.method, f"this {name} model")
    sampler = method.generator.model_dump().get("sampler", {})
    for key in changes:
        if key not in sampler:
            what = f"this {name} model has no {key.replace('_', ' ')} to choose"
            raise ConfigError(f"{what}; {did_you_mean(key, sampler) if sampler else 'its way of drawing is fixed'}")
    idle = [key for key in ("guide", "guided_from") if key in changes]
    if idle and {**sampler, **changes}["guidance"] == 1:
        raise ConfigError(f"{idle[0]} changes nothing with a guidance of 1; give --guidance too")
    changed = override(method, {f"generator.sampler.{key}": value for key, value in changes.items()})
    return record.model_copy(update={"method": changed.model_dump(mode="json")})
