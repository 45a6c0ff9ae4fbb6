"""The methods by name. A preset is a function whose keyword arguments are the method's own options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ValidationError

from ..core.config import explain, from_mapping, override, value_in
from ..core.errors import ConfigError, did_you_mean
from .autoencoders import conv_autoencoder, pixelcnn_autoencoder
from .basisgan import basisgan, basisgan_autoencoder, basisgan_dsgan, basisgan_hd, basisgan_inpainting, filtergan
from .bicyclegan import bicyclegan
from .cimle import cimle
from .crn import crn
from .latent_dropout import latent_dropout
from .mode_seeking import dsgan, msgan
from .mrgan import glcic, moment_predictor, mrgan, mrgan_inpainting, mrgan_superres, srgan
from .munit import munit
from .pix2pix import pix2pix
from .pix2pixhd import pix2pixhd
from .pixelcnn import gated_pixelcnn, pixelcnn
from .pixelnn import pixelnn
from .preset import Preset

METHODS: dict[str, Callable[..., Preset]] = {
    "pix2pix": pix2pix,
    "pix2pixhd": pix2pixhd,
    "bicyclegan": bicyclegan,
    "msgan": msgan,
    "dsgan": dsgan,
    "munit": munit,
    "srgan": srgan,
    "glcic": glcic,
    "mrgan": mrgan,
    "mrgan-superres": mrgan_superres,
    "mrgan-inpainting": mrgan_inpainting,
    "moment-predictor": moment_predictor,
    "basisgan": basisgan,
    "basisgan-hd": basisgan_hd,
    "basisgan-inpainting": basisgan_inpainting,
    "basisgan-autoencoder": basisgan_autoencoder,
    "basisgan-dsgan": basisgan_dsgan,
    "filtergan": filtergan,
    "crn": crn,
    "pixelnn": pixelnn,
    "pixelcnn": pixelcnn,
    "gated-pixelcnn": gated_pixelcnn,
    "pixelcnn-autoencoder": pixelcnn_autoencoder,
    "conv-autoencoder": conv_autoencoder,
    "cimle": cimle,
    "latent-dropout": latent_dropout,
}


def method(name: str, options: Mapping[str, str] | None = None) -> Preset:
    """The preset `name` with its own options (`noise`, `width`) and any dotted field (`objective.reconstruction`).

    Values are text, as typed on a command line.

    Raises:
        ConfigError: an unknown method, option or value, with the closest one that exists.
    """
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r}; {did_you_mean(name, METHODS)}")
    make, options = METHODS[name], dict(options or {})
    own = {key: options.pop(key) for key in list(options) if key in inspect.signature(make).parameters}
    try:
        preset = make(**{key: value_of(make, key, text) for key, text in own.items()})
    except ValidationError as error:
        raise ConfigError(f"options of {name}: {explain(error, Preset)}") from None
    return override(preset, options)


def value_of(make: Callable[..., Preset], key: str, text: str) -> Any:
    """Read one option of a preset function by its annotation."""
    kind = get_type_hints(make)[key]
    choices = {str(choice): choice for choice in get_args(kind)} if get_origin(kind) is Literal else {}
    if choices and text not in choices:
        raise ConfigError(f"--{key}: {text!r} is none of {', '.join(choices)}")
    if choices:
        return choices[text]
    value = value_in(text, f"--{key}")
    kinds = tuple(k for k in (get_args(kind) or (kind,)) if k is not NoneType)
    number = (int, float) if float in kinds else kinds
    if not isinstance(value, number) or (isinstance(value, bool) and bool not in kinds):
        raise ConfigError(f"--{key}: {text!r} is not of type {kinds[0].__name__}")
    return value


def method_from_mapping(values: Mapping[str, Any], where: str) -> Preset:
    """Read a saved method back."""
    return from_mapping(Preset, values, where)


def listing() -> list[dict[str, str]]:
    """What there is: name, paper, generator, randomness, objective, condition and summary of every method."""
    rows = []
    for name, make in METHODS.items():
        preset = make()
        parts = {part: getattr(preset, part).kind for part in ("generator", "randomness", "objective")}
        rows.append(
            {"name": name, "paper": preset.paper, **parts, "condition": preset.condition, "summary": preset.summary}
        )
    return rows
