"""Settings by dotted name: those of a method, and what of them also applies to the training before it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from .config import RENAMED, Config, from_mapping
from .errors import ConfigError, RenamedWarning, did_you_mean

C = TypeVar("C", bound=Config)
PARTS = ("generator", "randomness", "objective", "training")
NAMING = ("randomness.sites", "training.rate_factors", "training.hold", "training.restart")  # parts of one network


def override(config: C, changes: Mapping[str, Any]) -> C:
    """A copy with the fields at dotted paths (`generator.width`) replaced; the end of a path is enough.

    What is set in a method also reaches its `previous`, see `hand_on`. Former names still work, with a warning.

    Raises:
        ConfigError: a path does not exist (the message gives the closest one that does), or a value has the wrong type.
    """
    values, defaults = config.model_dump(), config.model_dump()
    known = dotted(values)
    given = {full_name(path, known): value for path, value in changes.items()}
    for path in sorted(given, key=lambda path: path.count("previous.")):  # what is set for `previous` has the last word
        put(values, path, given[path])
        hand_on(values, defaults, path, given[path])
    return from_mapping(type(config), values, "options")


def full_name(path: str, known: list[str]) -> str:
    """The one known path that ends like this; those of `previous` only if there is no other."""
    path = present_name(path.replace("-", "_"))
    matches = [name for name in known if name == path or name.endswith(f".{path}")]
    own = [name for name in matches if not name.startswith("previous.")]
    exact = [name for name in matches if name == path] or own or matches
    if not exact:
        raise ConfigError(f"--{path}: there is no such setting; {did_you_mean(path, known)}")
    if len(exact) > 1:
        raise ConfigError(f"--{path} could be {' or '.join(exact)}; give the full name")
    return exact[0]


def hand_on(values: dict[str, Any], defaults: Mapping[str, Any], path: str, value: Any) -> None:
    """Set it for `previous` too if that is a component of the same kind with the same default.

    The number of steps changes by the same factor instead, so that 4 steps do not follow 100,000. What names parts of a
    network is not handed on, since another may not have them.
    """
    before, (part, _, rest) = defaults.get("previous"), path.partition(".")
    if not before or not isinstance(values.get("previous"), dict) or path.startswith(NAMING):
        return
    if part == "previous":
        return hand_on(values[part], before, rest, value) if rest else None
    if path == "training.steps" and isinstance(value, int):
        value = max(1, round(value * get(before, path) / get(defaults, path)))
    elif part not in PARTS or any(get(before, name) != get(defaults, name) for name in (f"{part}.kind", path)):
        return
    put(values["previous"], path, value)
    hand_on(values["previous"], before, path, value)


def get(values: Mapping[str, Any], path: str) -> Any:
    """The value at a path, None if there is none."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def put(values: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        values = values[parent]
        if not isinstance(values, dict):
            raise ConfigError(f"--{path}: {parent} is {values!r}, which has no settings; leave one of the two out")
    values[leaf] = value


def present_name(path: str) -> str:
    """A dotted path with the current name of its last part; warns if it was a former name."""
    *parents, leaf = path.split(".")
    if leaf not in RENAMED:
        return path
    warnings.warn(f"--{path} is now called {RENAMED[leaf]}; the old name still works", RenamedWarning, stacklevel=3)
    return ".".join([*parents, RENAMED[leaf]])


def dotted(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of every leaf and branch of a nested mapping: a, a.b, a.b.c."""
    names = []
    for key, value in values.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            names += dotted(value, f"{prefix}{key}.")
    return names
