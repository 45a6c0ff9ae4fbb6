"""Dispatch the command line to a verb and its options; nothing heavy is imported before the verb runs."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro

from ..core.errors import ConfigError, Interrupted, RenamedWarning, VariegateError, did_you_mean
from ..core.memory import keep_freed_memory
from .options import options_of
from .verbs import VERBS, Train

RENAMED = {"--training-codes": "--fixed-codes"}  # options of verbs: former name -> name


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `variegate`; user errors end with a one-sentence message and exit code 2."""
    try:
        with messages():
            dispatch(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
    except Interrupted as stopped:
        tell(stopped)
        raise SystemExit(128 + stopped.signal) from None
    except VariegateError as error:
        tell(error)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        tell("stopped")
        raise SystemExit(130) from None
    except BrokenPipeError:  # whoever read the output has seen enough, for example `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in the buffer
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno is None or error.filename is None:
            raise
        tell(f"{error.filename}: {error.strerror}")
        raise SystemExit(2) from None


def tell(message: object) -> None:
    print(f"variegate: {message}", file=sys.stderr)


@contextmanager
def messages() -> Iterator[None]:
    """Print the library's log messages, and warnings about renamed settings, to standard error."""
    logger, handler, show = logging.getLogger("variegate"), logging.StreamHandler(), warnings.showwarning

    def one_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, RenamedWarning):
            tell(message)
        else:
            show(message, category, *place, **more)

    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("always", RenamedWarning)
        warnings.showwarning = one_line
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


def dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return
    if words[0] == "--version":
        from importlib.metadata import version

        print(version("variegate"))
        return
    name = verb_in(words)
    verb, words = VERBS[name], [in_present_words(word) for word in words[len(name.split()) :]]
    keep_freed_memory()
    parsed: Any
    parsed, unknown = tyro.cli(verb, prog=f"variegate {name}", args=words, return_unknown_args=True)
    if isinstance(parsed, Train):
        parsed.run(options_of(list(unknown)))
        return
    if unknown:
        known = options_as_typed(verb)
        meant = known.get(unknown[0], unknown[0])  # --start is --from
        raise ConfigError(f"{name} has no option {unknown[0]!r}; {did_you_mean(meant, known.values())}")
    parsed.run()


def options_as_typed(verb: type) -> dict[str, str]:
    """The options of a verb by the names of its fields, and those that the command line knows, some of which differ."""
    hints = get_type_hints(verb, include_extras=True)
    names = {}
    for field in fields(verb):
        marks = get_args(hints[field.name])[1:] if get_origin(hints[field.name]) is Annotated else ()
        typed = next((mark.name for mark in marks if getattr(mark, "name", None)), field.name)
        names[as_option(field.name)] = as_option(typed)
    return names


def as_option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def verb_in(words: list[str]) -> str:
    """Return the verb that a command line begins with: one word or two.

    Raises:
        ConfigError: the verb does not exist.
    """
    grouped = any(name.startswith(f"{words[0]} ") for name in VERBS)
    length = 2 if grouped and (words[0] not in VERBS or " ".join(words[:2]) in VERBS) else 1
    name = " ".join(words[:length])
    if name not in VERBS:
        raise ConfigError(f"unknown command {name!r}; {did_you_mean(name, VERBS)}")
    return name


def in_present_words(word: str) -> str:
    """Return an option by its current name, warning if it was typed by a former one."""
    if word not in RENAMED:
        return word
    warnings.warn(f"{word} is now called {RENAMED[word]}; the old name still works", RenamedWarning, stacklevel=2)
    return RENAMED[word]


def usage() -> str:
    lines = [f"  {name:20} {(verb.__doc__ or '').split('.')[0].strip()}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "variegate: one condition, many images",
            "",
            *lines,
            "",
            "Run variegate VERB --help for the options of a verb, variegate --version for the version.",
        ]
    )
