"""Errors in the user's language; each says what is wrong, where, and how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VariegateError(Exception):
    """Base of every error a user can cause; the command line prints it without a traceback and exits with 2."""


class DataError(VariegateError):
    """A file or folder of images cannot be used as it is."""


class ConfigError(VariegateError):
    """A method, an option or a combination of parts does not exist or makes no sense."""


class CheckpointError(VariegateError):
    """A run directory, checkpoint or saved model is missing, truncated or belongs to something else."""


class WeightsError(VariegateError):
    """Network weights that a metric or loss needs are neither in VARIEGATE_WEIGHTS nor downloadable."""


class TrainingError(VariegateError):
    """Training cannot continue: a loss became NaN or infinite, or the disk is full."""


class Interrupted(VariegateError):
    """A signal stopped training, after the last step was saved.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal


class RenamedWarning(FutureWarning):
    """A setting or option is used by its former name, which still works."""


def check_keywords(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise ConfigError for a keyword argument that a function does not take."""
    known = sorted(known)
    for name in given:
        if name not in known:
            raise ConfigError(f"{where} takes no {name!r}; {did_you_mean(name, known)}")


def with_article(noun: str) -> str:
    """`a label map`, `an image`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closing clause of an error message: the closest known name, or the list of all."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
