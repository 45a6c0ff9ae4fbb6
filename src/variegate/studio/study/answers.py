"""Answers beside the trials that they belong to, who is excluded, and the answers as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ...core.errors import DataError
from .schema import ANSWERS, PLAN, REAL, Choice, Study, Trial, passed, read_study
from .store import Participant, Store, StoredAnswer

NEEDED = 0.75  # share of attention checks
RULE = (
    f"A participant is excluded who answered less than {NEEDED:.0%} of the attention checks seen correctly; who has "
    "seen none is kept."
)
FRAMES_OFF = 2  # more than these, and a measured exposure is flagged
CHOICE: TypeAdapter[Choice] = TypeAdapter(Choice)
COLUMNS = (
    *("participant", "excluded", "trial", "role", "repeats", "condition", "shown", "exposure_s", "choice", "chosen"),
    *("passed", "shown_ms", "frames", "frame_ms", "off", "hidden", "answer_ms", "received"),
)


@dataclass(frozen=True)
class Judgement:
    """One answer.

    Attributes:
        participant: number.
        shown_ms: as measured; None: until answered.
        frame_ms: median time between two frames.
        hidden: whether the page was out of sight meanwhile.
    """

    participant: int
    trial: Trial
    choice: Choice
    shown_ms: float | None
    frames: int | None
    frame_ms: float | None
    hidden: bool
    answer_ms: float
    received: str

    @property
    def off(self) -> bool:
        """Whether the measured exposure is off by more than two frames."""
        if self.shown_ms is None or self.frame_ms is None or self.trial.exposure is None:
            return False
        return abs(self.shown_ms - 1000 * self.trial.exposure) > FRAMES_OFF * self.frame_ms

    @property
    def places(self) -> tuple[int, ...]:
        """The chosen image's place from the left, or the places in the order in which they were ranked."""
        if isinstance(self.choice, str):
            return (int(self.choice == "right"),)
        return self.choice


@dataclass(frozen=True)
class Responses:
    """All that is known of a study.

    Attributes:
        lengths: how many trials each participant has.
    """

    study: Study
    judgements: tuple[Judgement, ...]
    lengths: dict[int, int]

    def of_role(self, role: str, without: Iterable[int] = ()) -> list[Judgement]:
        left_out = set(without)
        return [one for one in self.judgements if one.trial.role == role and one.participant not in left_out]

    def finished(self) -> int:
        """How many participants answered every trial."""
        counts = {number: 0 for number in self.lengths}
        for one in self.judgements:
            counts[one.participant] += 1
        return sum(counts[number] == length for number, length in self.lengths.items())

    def started(self) -> int:
        return len({one.participant for one in self.judgements})

    def excluded(self) -> dict[int, tuple[int, int]]:
        """The participants excluded by RULE: attention checks answered correctly, and all that were answered."""
        checks: dict[int, list[bool]] = {}
        for one in self.of_role("attention"):
            checks.setdefault(one.participant, []).append(passed(self.study, one.trial, one.choice))
        return {who: (sum(each), len(each)) for who, each in checks.items() if sum(each) < NEEDED * len(each)}

    def method_of(self, image: str) -> str:
        """The method of an image, as results name it."""
        return self.study.images[image].method or REAL


def read_responses(folder: Path) -> Responses:
    """The answers in the folder of a study, which may be served meanwhile.

    Raises:
        DataError: the folder is not a study, or a stored answer does not belong to it.
    """
    study = read_study(folder)
    with Store(folder / ANSWERS) as store:
        participants, stored = store.participants(), store.answers()
    return joined(study, participants, stored)


def joined(study: Study, participants: Sequence[Participant], stored: Sequence[StoredAnswer]) -> Responses:
    """Every stored answer with its trial."""
    try:
        plans = {one.number: PLAN.validate_json(one.plan) for one in participants}
        found = tuple(judgement(plans[answer.participant][answer.trial], answer) for answer in stored)
        strange = [
            name for plan in plans.values() for trial in plan for name in trial.images if name not in study.images
        ]
        if strange:
            raise KeyError(strange[0])
    except (KeyError, IndexError, TypeError, ValidationError) as error:
        raise DataError(f"the stored answers do not belong to this study ({error}); restore both together") from None
    return Responses(study, found, {number: len(plan) for number, plan in plans.items()})


def judgement(trial: Trial, answer: StoredAnswer) -> Judgement:
    content = dict(answer.content)
    choice = CHOICE.validate_python(content.pop("choice"))
    return Judgement(participant=answer.participant, trial=trial, choice=choice, received=answer.received, **content)


def as_csv(responses: Responses) -> str:
    """One line for each answer; participants are numbers, not the ids by which they go on."""
    text, excluded = io.StringIO(), responses.excluded()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in responses.judgements:
        trial, images = one.trial, responses.study.images
        names = ["destroyed" if images[name].destroyed else responses.method_of(name) for name in trial.images]
        check = passed(responses.study, trial, one.choice) if trial.role == "attention" else ""
        chosen = "" if responses.study.kind == "real-or-fake" else ">".join(names[place] for place in one.places)
        choice = one.choice if isinstance(one.choice, str) else " ".join(map(str, one.choice))
        head = (one.participant, one.participant in excluded, trial.number, trial.role, trial.repeats)
        shown = (images[trial.images[0]].condition, " | ".join(names), trial.exposure, choice, chosen, check)
        measured = (one.shown_ms, one.frames, one.frame_ms, one.off, one.hidden, one.answer_ms, one.received)
        table.writerow(["" if value is None else value for value in (*head, *shown, *measured)])
    return text.getvalue()
