"""What a study is, as `study.json` holds it, and what a trial shows."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ...core.errors import DataError
from ..wire import Wire

VERSION = 1
STUDY, ANSWERS, IMAGES = "study.json", "answers.sqlite", "images"  # in the folder of a study
REAL = "real"  # how results name images that no method made
MOST_TRIALS = 500  # of one participant
FEWEST_RANKED, MOST_RANKED = 3, 9  # images of one ranking: two are a pair, and there are nine number keys

Kind = Literal["real-or-fake", "two-alternative", "ranking"]
AsksFor = Literal["artefacts", "quality"]
Role = Literal["main", "repeat", "attention"]
Position = Annotated[int, Field(ge=0, lt=MOST_RANKED)]
Choice = Literal["real", "fake", "left", "right"] | Annotated[tuple[Position, ...], Field(max_length=MOST_RANKED)]
ImageName = Annotated[str, Field(pattern=r"^[0-9a-f]{20}$")]


class StudyImage(Wire):
    """Where an image of a study is from."""

    condition: str
    method: str | None = Field(description="None: real, or destroyed for an attention check")
    destroyed: bool = False


class Trial(Wire):
    """What a participant judges at once.

    Attributes:
        images: from left to right.
        exposure: seconds; None: shown until answered.
        repeats: the number of the trial that this one repeats.
    """

    number: int
    role: Role
    images: tuple[ImageName, ...]
    exposure: float | None = None
    repeats: int | None = None


PLAN = TypeAdapter(tuple[Trial, ...])  # of one participant


class Study(Wire):
    """A study, without its answers.

    Attributes:
        asks_for: whether the image to choose, or to rank first, has the most artefacts or the best quality.
        exposures: seconds, each about equally often; empty: images are shown until answered.
        per_participant: trials, without repeats and attention checks.
        repeats: trials shown to each participant a second time, sides swapped.
        attention: trials with a known answer.
    """

    version: Literal[1] = 1
    id: ImageName
    created: str
    kind: Kind
    question: str
    asks_for: AsksFor
    consent: str
    exposures: tuple[Annotated[float, Field(gt=0, le=60)], ...]
    size: tuple[int, int] = Field(description="height, width")
    methods: tuple[str, ...]
    conditions: tuple[str, ...]
    per_participant: Annotated[int, Field(ge=1, le=MOST_TRIALS)]
    repeats: Annotated[int, Field(ge=0, le=MOST_TRIALS)]
    attention: Annotated[int, Field(ge=0, le=MOST_TRIALS)]
    seed: int
    images: dict[ImageName, StudyImage]

    @cached_property
    def shown(self) -> dict[tuple[str | None, str], str]:
        """The image of each method and condition; of method None: the real one."""
        return {(one.method, one.condition): name for name, one in self.images.items() if not one.destroyed}

    @cached_property
    def destroyed(self) -> dict[str, str]:
        """The condition of each destroyed image, by its name."""
        return {name: one.condition for name, one in self.images.items() if one.destroyed}


def is_choice(study: Study, trial: Trial, choice: Choice) -> bool:
    """Whether a trial can be answered in this way."""
    if study.kind == "real-or-fake":
        return choice in ("real", "fake")
    if study.kind == "two-alternative":
        return choice in ("left", "right")
    return isinstance(choice, tuple) and sorted(choice) == list(range(len(trial.images)))


def passed(study: Study, trial: Trial, choice: Choice) -> bool:
    """Whether an attention check was answered as it must be by who looked at it."""
    [place] = [at for at, name in enumerate(trial.images) if name in study.destroyed]
    if study.kind == "real-or-fake":
        return choice == "fake"
    if study.kind == "two-alternative":
        destroyed = ("left", "right")[place]
        return (choice == destroyed) == (study.asks_for == "artefacts")
    assert isinstance(choice, tuple)
    return choice[0 if study.asks_for == "artefacts" else -1] == place


def read_study(folder: Path) -> Study:
    """The study in a folder.

    Raises:
        DataError: there is none, it is damaged or of a newer version, or its images or database are missing.
    """
    file = folder / STUDY
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{folder}: is not a study; make one with `variegate study create`") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); restore it, or create the study anew") from None
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise DataError(f"{file}: has version {version}, but this program reads {VERSION}; use the one that wrote it")
    try:
        study = Study.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{file}: {where} is not valid ({first['msg']}); restore it") from None
    missing = [name for name in study.images if not image_file(folder, name).is_file()]
    if missing:
        raise DataError(f"{image_file(folder, missing[0])}: is missing; restore it, or create the study anew")
    if not (folder / ANSWERS).is_file():
        raise DataError(f"{folder / ANSWERS}: is missing; restore it, or create the study anew")
    return study


def image_file(folder: Path, name: str) -> Path:
    return folder / IMAGES / f"{name}.png"
