"""The command line: which verb, with which options. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import tyro

from ..core.errors import ConfigError, VariegateError, did_you_mean
from ..core.memory import keep_freed_memory
from .verbs import VERBS, Train


def options_of(words: list[str]) -> dict[str, str]:
    """`--a.b value` and `--a.b=value` to {"a.b": "value"}."""
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"{word!r} is not an option; settings are written as --name value")
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                raise ConfigError(f"--{name} needs a value")
            value = words.pop(0)
        options[name.replace("-", "_")] = value
    return options


def usage() -> str:
    lines = [f"  {name:20} {(verb.__doc__ or '').split('.')[0].strip()}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "variegate: one condition, many images",
            "",
            *lines,
            "",
            "variegate VERB --help explains one of them; variegate --version tells which one this is.",
        ]
    )


def dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return
    if words[0] == "--version":
        from importlib.metadata import version

        print(version("variegate"))
        return
    grouped = any(name.startswith(f"{words[0]} ") for name in VERBS)
    length = 2 if grouped and (words[0] not in VERBS or " ".join(words[:2]) in VERBS) else 1
    name = " ".join(words[:length])
    if name not in VERBS:
        raise ConfigError(f"there is no command {name!r}; {did_you_mean(name, VERBS)}")
    verb = VERBS[name]
    keep_freed_memory()
    parsed: Any
    parsed, unknown = tyro.cli(verb, prog=f"variegate {name}", args=words[length:], return_unknown_args=True)
    if isinstance(parsed, Train):
        parsed.run(options_of(list(unknown)))
        return
    if unknown:
        known = [f"--{field.name.replace('_', '-')}" for field in fields(verb)]
        raise ConfigError(f"{name} has no option {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
    parsed.run()


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `variegate`. Mistakes of the user end with one sentence and exit code 2."""
    try:
        dispatch(sys.argv[1:] if arguments is None else arguments)
    except VariegateError as error:
        print(f"variegate: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno is None or error.filename is None:
            raise
        print(f"variegate: {error.filename}: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
