"""The methods by name. A preset is a function whose keyword arguments are the method's own options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import ValidationError

from ..core.config import explain, from_mapping
from ..core.errors import ConfigError, did_you_mean
from ..core.method import Method
from ..core.overrides import override
from .budgets import EXPECT

METHODS: dict[str, Callable[..., Method]] = {}
# what `recommended` stands for, by the table of docs/gallery.md; docs/decisions.md has other guidance beside it
RECOMMENDED: tuple[str, dict[str, Any]] = (
    "flow",
    {
        "generator.earlier_at": 0.15,
        "generator.sampler.guide": "earlier",
        "generator.sampler.guidance": 1.5,
        "generator.sampler.guided_from": 0.15,
    },
)
Preset = TypeVar("Preset", bound=Callable[..., Method])


def preset(make: Preset) -> Preset:
    """Register a preset under the name of its function, with dashes."""
    METHODS[make.__name__.replace("_", "-")] = make
    return make


def method(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """The preset `name` with its own options (`noise`, `width`) and any dotted field (`objective.reconstruction`).

    `recommended` is another name of the preset RECOMMENDED, with its options.

    Raises:
        ConfigError: an unknown method, option or value, with the closest one that exists.
    """
    make, settings = preset_of(name), dict(options or {})
    if name == "recommended":
        settings = RECOMMENDED[1] | settings
    own = {key: settings.pop(key) for key in inspect.signature(make).parameters if key in settings}
    for key, value in own.items():
        check_option(make, key, value)
    try:
        found = make(**own)
    except ValidationError as error:
        raise ConfigError(f"options of {name}: {explain(error, Method)}") from None
    return override(found, settings)


def preset_of(name: str) -> Callable[..., Method]:
    """The function that makes a method; raises ConfigError if there is none."""
    if name == "recommended":
        name = RECOMMENDED[0]
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r}; {did_you_mean(name, [*METHODS, 'recommended'])}")
    return METHODS[name]


def method_from_mapping(values: Mapping[str, Any], where: str) -> Method:
    """Validate a saved method; `where` it was saved goes into error messages."""
    return from_mapping(Method, values, where)


def choices_of(make: Callable[..., Method], key: str) -> tuple[Any, ...]:
    """The values a preset's option may take if they are enumerated; empty otherwise, or if there is no such option."""
    kind = get_type_hints(make).get(key)
    return get_args(kind) if get_origin(kind) is Literal else ()


def check_option(make: Callable[..., Method], key: str, value: Any) -> None:
    """Raise ConfigError if the annotation of an option does not allow the value."""
    kind, choices = get_type_hints(make)[key], choices_of(make, key)
    if choices and value not in choices:
        raise ConfigError(f"--{key} must be one of {', '.join(map(str, choices))}, got {value!r}")
    if choices:
        return
    kinds = tuple(k for k in (get_args(kind) or (kind,)) if k is not NoneType)
    allowed = (int, float) if float in kinds else kinds
    optional = value is None and NoneType in get_args(kind)
    if not optional and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds)):
        raise ConfigError(f"--{key} must be of type {kinds[0].__name__}, got {value!r}")


def listing() -> list[dict[str, str]]:
    """Name, paper, components, condition, summary and what to expect of ten minutes, for every method, by name."""
    rows = []
    for name in sorted(METHODS):
        found = METHODS[name]()
        parts = {part: getattr(found, part).kind for part in ("generator", "randomness", "objective")}
        rows.append(
            {"name": name, "paper": found.paper, **parts, "condition": found.condition, "summary": found.summary}
            | {"in_ten_minutes": EXPECT[name]}
        )
    return rows
