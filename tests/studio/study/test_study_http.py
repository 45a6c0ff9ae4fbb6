"""Participants' requests: what is answered, what is refused, and that nothing is served that they must not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from study_helpers import content_of, study_in

from variegate.studio.study.app import make_app
from variegate.studio.study.schema import ANSWERS, PLAN, Trial, read_study
from variegate.studio.study.store import Store

pytestmark = pytest.mark.core
HOSTS = frozenset({"study.test"})
URL = "http://study.test"


class Desk:
    """A study, its store, and a browser."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.study = folder, read_study(folder)
        self.store = Store(folder / ANSWERS)
        app = make_app(self.study, folder, self.store, HOSTS)
        self.browser = TestClient(app, base_url=URL, raise_server_exceptions=False)

    def join(self) -> dict[str, Any]:
        found = self.browser.post("/v1/participants", json={"agreed": True})
        assert found.status_code == 201
        return dict(found.json())

    def trials(self, session: dict[str, Any]) -> tuple[Trial, ...]:
        one = self.store.participant(session["participant"])
        assert one is not None
        return PLAN.validate_json(one.plan)

    def answer_of(self, session: dict[str, Any], trial: int = 0, **changes: Any) -> dict[str, Any]:
        content = content_of(self.trials(session)[trial], "real")
        return {"participant": session["participant"], "trial": trial, **content, **changes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_in(tmp_path_factory.mktemp("http"), attention=2)


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    found = Desk(folder)
    yield found
    found.store.close()


def test_a_participant_agrees_answers_and_goes_on(desk: Desk) -> None:
    terms = desk.browser.get("/v1/study").json()
    assert terms["question"] == desk.study.question
    session = desk.join()
    assert session["answered"] == []
    assert {trial["exposure_ms"] for trial in session["trials"]} == {500.0, 1000.0}
    assert len(session["trials"]) == desk.study.per_participant + desk.study.repeats + desk.study.attention
    for trial in (0, 2):
        stored = desk.browser.post("/v1/answers", json=desk.answer_of(session, trial))
        assert (stored.status_code, stored.json()) == (200, {"stored": True})
    again = desk.browser.get(f"/v1/participants/{session['participant']}").json()
    assert again == {**session, "answered": [0, 2]}
    image = desk.browser.get(f"/images/{session['trials'][0]['images'][0]}.png")
    assert (image.headers["content-type"], image.content[:4]) == ("image/png", b"\x89PNG")


def test_nothing_says_where_an_image_is_from(desk: Desk) -> None:
    served = desk.browser.get("/v1/study").text + json.dumps(desk.join())
    for secret in ("m0", "m1", "street", "attention", "main", "repeat", "destroyed", str(desk.folder)):
        assert f'"{secret}' not in served
    for path in ("/results.json", "/report.html", "/study.json", "/answers.sqlite", "/openapi.json", "/docs"):
        assert desk.browser.get(path).status_code == 404


def test_the_pages_load_nothing_from_elsewhere(desk: Desk) -> None:
    page = desk.browser.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in page.headers
    for name, kind in (("main.js", "text/javascript"), ("study.css", "text/css"), ("icon.svg", "image/svg+xml")):
        assert desk.browser.get(f"/static/{name}").headers["content-type"].startswith(kind)
    for file in (Path(__file__).parents[3] / "src/variegate/studio/study/web").iterdir():
        text = file.read_text()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert " style=" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/images/../study.json",
        "/images/..%2fstudy.json",
        "/images/%2e%2e/study.json",
        "/images/....//study.json",
        "/static/..%2f..%2fapp.py",
        "/static/%2fetc%2fpasswd",
        "/images/" + "0" * 20 + ".png",
        "/static/app.py",
    ],
)
def test_a_request_never_names_a_file(desk: Desk, path: str) -> None:
    found = desk.browser.get(path)
    assert found.status_code == 404
    assert set(found.json()) == {"error"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.test"}, 421),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-length": "100000"}, 413),
    ],
)
def test_what_other_sites_can_send_is_refused(desk: Desk, headers: dict[str, str], status: int) -> None:
    before = len(desk.store.participants())
    sent = {"content-type": "application/json", **headers}
    found = desk.browser.post("/v1/participants", content=b'{"agreed": true}', headers=sent)
    assert found.status_code == status
    assert len(desk.store.participants()) == before


def test_own_pages_may_send(desk: Desk) -> None:
    headers = {"origin": URL, "sec-fetch-site": "same-origin"}
    assert desk.browser.post("/v1/participants", json={"agreed": True}, headers=headers).status_code == 201


def test_a_long_body_without_a_length_is_refused(desk: Desk) -> None:
    parts = (b" " * 4096 for _ in range(8))
    found = desk.browser.post("/v1/answers", content=parts, headers={"content-type": "application/json"})
    assert found.status_code == 413
    assert "at most 16 kB" in found.json()["error"]


def test_only_who_agrees_takes_part(desk: Desk) -> None:
    for body in ({}, {"agreed": False}, {"agreed": True, "name": "me"}, []):
        assert desk.browser.post("/v1/participants", json=body).status_code == 422


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"trial": 11}, 404, "there is no trial 11; you have 11"),
        ({"trial": -1}, 422, "trial: "),
        ({"trial": 10**9}, 422, "trial: "),
        ({"choice": "left"}, 422, "'left' does not answer the question of a real-or-fake study"),
        ({"choice": [0, 1]}, 422, "does not answer the question"),
        ({"choice": "x" * 1000}, 422, "choice"),
        ({"choice": list(range(100))}, 422, "choice"),
        ({"shown_ms": None}, 422, "shown_ms, frames and frame_ms are needed"),
        ({"shown_ms": -1}, 422, "shown_ms: "),
        ({"frames": 10**9}, 422, "frames: "),
        ({"frame_ms": 0}, 422, "frame_ms: "),
        ({"colour": "red"}, 422, "colour: "),
        ({"participant": "../../etc/passwd"}, 422, "participant: "),
        ({"participant": "A" * 22}, 404, "no such participant"),
    ],
)
def test_answers_that_fit_nothing_are_refused(desk: Desk, changes: dict[str, Any], status: int, told: str) -> None:
    session = desk.join()
    found = desk.browser.post("/v1/answers", json={**desk.answer_of(session), **changes})
    assert found.status_code == status
    assert told in found.json()["error"]
    participant = desk.store.participant(session["participant"])
    assert participant is not None
    assert participant.answered == ()


def test_numbers_that_are_none_are_refused(desk: Desk) -> None:
    text = json.dumps(desk.answer_of(desk.join(), shown_ms=float("nan")))
    found = desk.browser.post("/v1/answers", content=text, headers={"content-type": "application/json"})
    assert found.status_code == 422


def test_a_participant_of_another_study_is_unknown(desk: Desk, tmp_path: Path) -> None:
    other = Desk(study_in(tmp_path))
    session = other.join()
    assert desk.browser.get(f"/v1/participants/{session['participant']}").status_code == 404
    found = desk.browser.post("/v1/answers", json=other.answer_of(session))
    assert found.status_code == 404
    other.store.close()


def test_an_answer_may_be_sent_twice_and_not_changed(desk: Desk) -> None:
    session = desk.join()
    body = desk.answer_of(session)
    assert [desk.browser.post("/v1/answers", json=body).status_code for _ in range(3)] == [200] * 3
    found = desk.browser.post("/v1/answers", json={**body, "choice": "fake"})
    assert found.status_code == 409
    assert "answered before, differently" in found.json()["error"]


def test_a_full_disk_is_answered_in_words_and_loses_nothing(desk: Desk) -> None:
    sessions = [desk.join() for _ in range(6)]
    bodies = [desk.answer_of(session, trial) for session in sessions for trial in range(len(session["trials"]))]
    [pages] = desk.store.connection.execute("PRAGMA page_count").fetchone()
    desk.store.connection.execute(f"PRAGMA max_page_count = {pages}")
    answers = [desk.browser.post("/v1/answers", json=body) for body in bodies]
    refused = [found for found in answers if found.status_code != 200]
    assert {found.status_code for found in refused} == {507}
    assert "the server's disk is full" in refused[0].json()["error"]
    assert refused[0].headers["retry-after"] == "2"
    kept = {(body["participant"], body["trial"]) for body, found in zip(bodies, answers) if found not in refused}
    assert kept == stored(desk, sessions)
    desk.store.connection.execute("PRAGMA max_page_count = 1000000")
    assert all(desk.browser.post("/v1/answers", json=body).status_code == 200 for body in bodies)
    assert stored(desk, sessions) == {(body["participant"], body["trial"]) for body in bodies}


def stored(desk: Desk, sessions: list[dict[str, Any]]) -> set[tuple[str, int]]:
    """The participant and trial of every answer, as the server tells them."""
    each = [desk.browser.get(f"/v1/participants/{session['participant']}").json() for session in sessions]
    return {(one["participant"], trial) for one in each for trial in one["answered"]}


def test_rankings_and_pairs_are_answered_in_their_own_way(tmp_path: Path) -> None:
    for kind, good, bad in (
        ("two-alternative", "left", ["real", [0, 1]]),
        ("ranking", [2, 0, 1], ["left", [0, 1], [0, 0, 1], [0, 1, 3]]),
    ):
        desk = Desk(study_in(tmp_path / kind, kind, methods=3))  # type: ignore[arg-type]
        session = desk.join()
        assert all(len(trial["images"]) == (2 if kind == "two-alternative" else 3) for trial in session["trials"])
        for choice in bad:
            assert desk.browser.post("/v1/answers", json=desk.answer_of(session, choice=choice)).status_code == 422
        late = desk.browser.post("/v1/answers", json=desk.answer_of(session, choice=good, shown_ms=5.0))
        assert "has no exposure time" in late.json()["error"]
        assert desk.browser.post("/v1/answers", json=desk.answer_of(session, choice=good)).status_code == 200
        desk.store.close()


def test_a_mistake_of_the_server_is_one_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(desk.store, "participant", fail)
    found = desk.browser.get(f"/v1/participants/{'A' * 22}")
    assert (found.status_code, found.json()) == (
        500,
        {"error": "this is a fault of variegate (RuntimeError); the server's log has it"},
    )
