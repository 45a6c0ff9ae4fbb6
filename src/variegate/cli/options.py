"""Parse the settings of a method as typed: `--generator.width 32` to the number 32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ..core.errors import ConfigError


def options_of(words: list[str]) -> dict[str, str]:
    """Parse `--a.b value` and `--a.b=value` to {"a.b": "value"}."""
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"{word!r} is not an option; write settings as --name value")
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                raise ConfigError(f"--{name} needs a value")
            value = words.pop(0)
        options[name.replace("-", "_")] = value
    return options


def typed_options(method: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Convert the settings of a method from text: a word where it is one of the choices, otherwise a YAML value."""
    from ..methods.registry import choices_of, preset_of

    def choices(name: str) -> tuple[Any, ...]:
        return choices_of(preset_of(method), name)

    return {name: text if text in choices(name) else value_in(text, f"--{name}") for name, text in texts.items()}


def value_in(text: str, where: str) -> Any:
    """Parse a YAML scalar or list; text such as 1e-4 becomes a number, although YAML 1.1 does not treat it as one.

    Raises:
        ConfigError: the text is not a value, for example because of an unclosed bracket.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{where}: cannot parse {text!r} as a value; check brackets and quotes") from None
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
