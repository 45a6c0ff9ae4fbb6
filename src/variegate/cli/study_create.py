"""`variegate study create`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from ..core.errors import ConfigError


@dataclass(frozen=True)
class StudyCreate:
    """Make a human study of images: real or fake, which of two, or a ranking.

    Its images are copied under random names and without metadata, so that nothing tells participants where they are
    from.
    """

    study: Positional[Path]
    """a new folder"""
    kind: Literal["real-or-fake", "two-alternative", "ranking"]
    """real-or-fake: one image for a short time; two-alternative: two methods side by side; ranking: all methods"""
    images: tuple[str, ...]
    """NAME=FOLDER of each method: samples CONDITION-NUMBER.png, a folder of them for each condition, or one image of
    each, CONDITION.png"""
    reference: Path | None = None
    """real images, CONDITION.png; needed for real-or-fake; else the sample of each method nearest to it is shown"""
    exposure: tuple[float, ...] = ()
    """seconds for which images are shown; default: 0.5 and 1 for real-or-fake, else until answered"""
    question: str | None = None
    """what participants are asked; default: the question of the papers"""
    asks_for: Literal["artefacts", "quality"] | None = None
    """which image the question asks for; default: artefacts for two-alternative, quality for ranking"""
    consent: Path | None = None
    """text that participants agree to first; default: a short one that says what is stored"""
    per_participant: int | None = None
    """trials of each participant; default: as many as there are, at most 40"""
    repeats: float = 0.1
    """share of the trials that are repeated with sides swapped, to measure consistency"""
    attention: int = 4
    """trials with a known answer, which shows whether participants look"""
    seed: int = 0

    def run(self) -> None:
        from ..studio.study.create import StudyOptions, create_study

        options = StudyOptions(
            kind=self.kind,
            images=folders_of(self.images),
            reference=self.reference,
            exposures=self.exposure,
            question=self.question,
            asks_for=self.asks_for,
            consent=self.consent,
            per_participant=self.per_participant,
            repeats=self.repeats,
            attention=self.attention,
            seed=self.seed,
        )
        study = create_study(self.study, options)
        print(
            f"{self.study}: {len(study.conditions)} conditions, {study.per_participant} trials of each participant, "
            f"{study.repeats} of them repeated, {study.attention} attention checks; variegate study serve {self.study}"
        )


def folders_of(texts: Sequence[str]) -> dict[str, Path]:
    """The folder of each name in NAME=FOLDER.

    Raises:
        ConfigError: a text has another form, or a name is given twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not name.strip() or not folder:
            raise ConfigError(f"--images {text}: give NAME=FOLDER, such as mine={text.strip('=') or 'samples'}")
        if name.strip() in found:
            raise ConfigError(f"--images: the name {name.strip()!r} is given twice; give each method its own")
        found[name.strip()] = Path(folder)
    return found
