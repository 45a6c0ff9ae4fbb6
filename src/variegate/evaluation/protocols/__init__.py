"""The protocols by name: one YAML each, as its paper measured; `chosen` is what the paper leaves open."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import Field, model_validator

from ...core.config import Config, from_mapping
from ...core.errors import ConfigError, did_you_mean

Pairing = Literal["all", "consecutive", "disjoint", "random"]
SHOWN_FIRST = ("default", "quick")


class NamedProtocol(Config):
    """How many conditions and samples are measured, and which pairs of samples are compared.

    All pairings estimate the same mean distance between two independent samples, but with different variance.
    """

    name: str
    paper: str
    inputs: int | None = Field(
        None, ge=1, description="conditions, the first of the test split, else of val; None: all"
    )
    samples: int = Field(ge=0, description="of each condition; 0: none, only the likelihood is measured")
    pairing: Pairing = "all"
    pairs: int | None = Field(None, ge=1, description="random: how many, drawn without replacement")
    in_sets: int | None = Field(
        None, ge=1, description="samples of each condition in distances of sets, the first; default: all"
    )
    version: Literal["0.0", "0.1"] = Field("0.1", description="of LPIPS")
    net: str = Field("alex", description="of LPIPS")
    says: tuple[str, ...] = Field((), description="what the paper, its code or its authors say")
    chosen: tuple[str, ...] = Field((), description="what was chosen where they are silent")

    @model_validator(mode="after")
    def _pairs_need_two(self) -> NamedProtocol:
        if self.samples == 1:
            raise ConfigError(f"protocol {self.name}: samples must be 0, or 2 or more to compare")
        return self

    def count(self) -> int:
        """Pairs per condition."""
        every = self.samples * (self.samples - 1) // 2
        counts = {"all": every, "consecutive": self.samples - 1, "disjoint": self.samples // 2}
        return counts.get(self.pairing, self.pairs or every)

    def in_words(self) -> str:
        """What is measured, in one line."""
        inputs = f"{self.inputs} conditions" if self.inputs else "all conditions"
        if not self.samples:
            return f"{inputs}, no samples: the likelihood"
        all_of = f"all {self.count()}" if self.pairing == "all" else f"{self.count()} {self.pairing}"
        return f"{inputs}, {self.samples} samples of each, {all_of} pairs, LPIPS v{self.version}"

    def notes(self) -> tuple[str, ...]:
        """What belongs beside every number measured by it."""
        return (f"protocol {self.name}: {self.paper}", *self.says, *self.chosen)


def text_of(name: str) -> str:
    """The YAML of a protocol, as written."""
    return (files(__package__) / f"{name}.yaml").read_text("utf-8")


@cache
def protocols() -> dict[str, NamedProtocol]:
    """All of them by name, the library's own first."""
    places = [file.name for file in files(__package__).iterdir()]
    found = {}
    for name in sorted(place.removesuffix(".yaml") for place in places if place.endswith(".yaml")):
        found[name] = from_mapping(NamedProtocol, {"name": name, **yaml.safe_load(text_of(name))}, f"{name}.yaml")
    return {name: found.pop(name) for name in SHOWN_FIRST} | found


def named_protocol(name: str) -> NamedProtocol:
    """A protocol by name.

    Raises:
        ConfigError: there is no such protocol; the message gives the closest name.
    """
    known = protocols()
    if name not in known:
        raise ConfigError(f"there is no protocol {name!r}; {did_you_mean(name, known)}")
    return known[name]
