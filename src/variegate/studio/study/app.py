"""The server of a study: its pages, its images, and the participants' answers. Results are never served.

Participants need no account: the random id that a participant gets is all that is asked for, and only who has it can
go on where it stopped. Nothing that a request holds becomes a path: pages and images are looked up in dictionaries.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import FastAPI, Response
from fastapi import Path as InPath
from starlette.types import ASGIApp

from ..failures import Statuses, add_failures
from ..pages import SHARED, read_pages
from ..security import Guard, Refusal
from .design import plan
from .schema import PLAN, Study, Trial, image_file, is_choice
from .store import Busy, CannotStore, Contradiction, Crowded, Participant, Store
from .wire import Answer, Identity, Join, Session, ShownTrial, Stored, Terms

T = TypeVar("T")
BODY_BYTES = 16 * 2**10
WAIT = 2  # seconds after which to send again what could not be stored
SECONDS = {"real-or-fake": 4, "two-alternative": 5, "ranking": 12}  # of a trial, about
OPEN_WRITES = ("/v1/participants", "/v1/answers")
NOT_STORED: Statuses = {
    CannotStore: (507, WAIT),
    Busy: (503, WAIT),
    Contradiction: (409, None),
    Crowded: (403, None),
}


def make_app(study: Study, folder: Path, store: Store, hosts: frozenset[str]) -> ASGIApp:
    """The application that answers for `hosts` (see `security.own_hosts`)."""
    app = FastAPI(title="variegate study", openapi_url=None, docs_url=None, redoc_url=None)
    add_failures(app, NOT_STORED)
    add_files(app, study, folder)
    add_participants(app, study, store)
    return Guard(app, hosts, token=None, open_writes=OPEN_WRITES, most_bytes=BODY_BYTES)


def add_files(app: FastAPI, study: Study, folder: Path) -> None:
    """Pages and images."""
    pages = read_pages([*(Path(__file__).parent / "web").iterdir(), SHARED])
    images = {f"{name}.png": image_file(folder, name) for name in study.images}

    def page_of(name: str) -> Response:
        content, kind = known(pages, name, "page")
        return Response(content, media_type=kind)

    @app.get("/")
    def start() -> Response:
        return page_of("index.html")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        return page_of(name)

    @app.get("/images/{name}")
    def image(name: str) -> Response:
        return Response(known(images, name, "image").read_bytes(), media_type="image/png")


def add_participants(app: FastAPI, study: Study, store: Store) -> None:
    """What participants read and send."""

    @lru_cache(maxsize=1024)
    def trials_of(text: str) -> tuple[Trial, ...]:
        return PLAN.validate_json(text)

    def participant_of(identity: str) -> Participant:
        found = store.participant(identity)
        if found is None:
            raise Refusal(404, "this study has no such participant; open its first page to take part")
        return found

    def session_of(one: Participant) -> Session:
        shown = [
            ShownTrial(images=list(trial.images), exposure_ms=None if trial.exposure is None else 1000 * trial.exposure)
            for trial in trials_of(one.plan)
        ]
        return Session(participant=one.id, trials=shown, answered=list(one.answered))

    @app.get("/v1/study")
    def terms() -> Terms:
        trials = study.per_participant + study.repeats + study.attention
        minutes = math.ceil(trials * SECONDS[study.kind] / 60)
        height, width = study.size
        said = {"id": study.id, "kind": study.kind, "question": study.question, "consent": study.consent}
        return Terms.model_validate({**said, "height": height, "width": width, "minutes": minutes})

    @app.post("/v1/participants", status_code=201)
    def join(body: Join) -> Session:
        return session_of(store.join(lambda number: PLAN.dump_json(plan(study, number)).decode()))

    @app.get("/v1/participants/{identity}")
    def go_on(identity: Annotated[Identity, InPath()]) -> Session:
        return session_of(participant_of(identity))

    @app.post("/v1/answers")
    def answer(body: Answer) -> Stored:
        one = participant_of(body.participant)
        trials = trials_of(one.plan)
        if body.trial >= len(trials):
            raise Refusal(404, f"there is no trial {body.trial}; you have {len(trials)}")
        check_answer(study, trials[body.trial], body)
        store.add(one.number, body.trial, body.model_dump(mode="json", exclude={"participant", "trial"}))
        return Stored()


def check_answer(study: Study, trial: Trial, answer: Answer) -> None:
    """Raise Refusal for an answer that does not belong to its trial."""
    if not is_choice(study, trial, answer.choice):
        raise Refusal(422, f"{answer.choice!r} does not answer the question of a {study.kind} study")
    measured = (answer.shown_ms, answer.frames, answer.frame_ms)
    if trial.exposure is not None and None in measured:
        raise Refusal(422, "shown_ms, frames and frame_ms are needed, since this trial has an exposure time")
    if trial.exposure is None and measured != (None, None, None):
        raise Refusal(422, "shown_ms, frames and frame_ms are null, since this trial has no exposure time")


def known(found: dict[str, T], name: str, noun: str) -> T:
    """Raise Refusal unless a dictionary has this name."""
    if name not in found:
        raise Refusal(404, f"there is no such {noun}")
    return found[name]
