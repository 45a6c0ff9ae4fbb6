"""What the page of a study and its server send each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..wire import Wire
from .schema import MOST_TRIALS, Choice, Kind

Identity = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
Milliseconds = Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)]


class Terms(Wire):
    """What participants read before they take part."""

    id: str
    kind: Kind
    question: str
    consent: str
    height: int
    width: int
    minutes: int = Field(description="about how long it takes")


class Join(Wire):
    agreed: Literal[True]


class ShownTrial(Wire):
    """A trial, without what would give its answer away."""

    images: list[str]
    exposure_ms: float | None


class Session(Wire):
    participant: str
    trials: list[ShownTrial]
    answered: list[int]


class Answer(Wire):
    """How a trial was answered, and how its images were really shown.

    `shown_ms` and `frames` are counted by the frame clock of the browser, from the frame that showed the images to the
    one that hid them; None where they stay until answered.
    """

    participant: Identity
    trial: Annotated[int, Field(ge=0, lt=4 * MOST_TRIALS)]
    choice: Choice
    shown_ms: Milliseconds | None
    frames: Annotated[int, Field(ge=0, le=100_000)] | None
    frame_ms: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = Field(
        description="median time between two frames before the images were shown"
    )
    hidden: bool = Field(description="whether the page was out of sight while the images were shown")
    answer_ms: Milliseconds = Field(description="from the question to the answer")


class Stored(Wire):
    stored: Literal[True] = True
