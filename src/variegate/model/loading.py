"""The networks of a saved model, with their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..core.capabilities import HasMemory
from ..core.errors import CheckpointError, ConfigError, did_you_mean
from ..core.interfaces import Generator
from ..core.overrides import override
from ..data.conditions import condition_from_mapping
from ..data.conditions.agreement import agreement
from ..methods import method_from_mapping
from ..runs.saved_model import ModelRecord, load_weights, read_weights

CONSISTENT = "consistent"  # a way of drawing that every method has


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
    generator = method.build_generator(record.shapes)
    load_weights(generator, read_weights(folder), folder / "model.safetensors")
    if isinstance(generator, HasMemory) and not len(generator.images):
        raise CheckpointError(
            f"{folder}: this {method.name} model has not stored the training images that it needs for sampling, "
            "which happens at the end of training; repeat the training command with --resume"
        )
    inverter = method.objective.build_inverter(record.shapes)
    if not (folder / "inverter.safetensors").is_file():
        inverter = None  # imported generators, for example, have no encoder
    if inverter is not None:
        load_weights(inverter, read_weights(folder, "inverter"), folder / "inverter.safetensors")
        inverter.eval().requires_grad_(False).to(device)
    generator.eval().requires_grad_(False).to(device)
    if consistent:
        generator.agree = agreement(condition_from_mapping(record.condition))
    return generator, inverter


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
    if "guided_from" in changes and {**sampler, **changes}["guidance"] == 1:
        raise ConfigError("guided_from changes nothing with a guidance of 1; give --guidance too")
    changed = override(method, {f"generator.sampler.{key}": value for key, value in changes.items()})
    return record.model_copy(update={"method": changed.model_dump(mode="json")})
