"""Verbs and options of the command line are frozen, so that changes are deliberate.

After a change that is wanted, `python tests/house/test_command_line.py` writes `command_line.txt` anew; read its diff.
Of methods and settings more may come, and none may go without an alias: people have typed them, and runs hold them in
their YAML.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_args, get_type_hints

from variegate.cli import VERBS, dispatch
from variegate.core.config import RENAMED

FILE = Path(__file__).with_name("command_line.txt")
SETTINGS = Path(__file__).with_name("settings.txt")


def verbs() -> Iterator[str]:
    """One line an option: verb, name as typed, default."""
    for verb, kind in VERBS.items():
        yield verb
        hints = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            marks = get_args(hints[field.name])[1:]
            names = [f"--{field.name.replace('_', '-')}"]
            for mark in marks:
                names = [f"--{mark.name}"] if getattr(mark, "name", None) else names
                names += getattr(mark, "aliases", None) or []
            typed = field.name.upper() if any("Positional" in repr(mark) for mark in marks) else " ".join(names)
            yield f"    {typed}" + ("" if field.default is MISSING else f" = {field.default!r}")


def settings() -> Iterator[str]:
    """One line for each option of a method and each of its dotted settings."""
    from variegate.core.overrides import dotted
    from variegate.methods import METHODS

    for name, make in METHODS.items():
        for option, parameter in inspect.signature(make).parameters.items():
            yield f"{name} {option} = {parameter.default!r}"
        for setting in dotted(make().model_dump(exclude={"previous"})):
            yield f"{name} {setting}"


def in_present_words(line: str) -> str:
    """A line of `settings` by the present name of the setting."""
    first, dot, last = line.rpartition(".")
    return f"{first}{dot}{RENAMED.get(last, last)}"


def test_verbs_and_options_are_those_written_down() -> None:
    assert list(verbs()) == FILE.read_text().splitlines()
    assert all(any(line.split() == [name, "=", "False"] for line in verbs()) for name in dispatch.RENAMED.values())


def test_no_setting_of_a_method_is_gone() -> None:
    gone = {in_present_words(line) for line in SETTINGS.read_text().splitlines()} - set(settings())
    assert not gone


if __name__ == "__main__":
    FILE.write_text("\n".join(verbs()) + "\n")
    SETTINGS.write_text("\n".join(dict.fromkeys([*SETTINGS.read_text().splitlines(), *settings()])) + "\n")
