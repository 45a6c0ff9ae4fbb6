"""A server that is killed while it is answered loses nothing that it acknowledged."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2 as httpx
from study_helpers import study_in

from variegate.studio.study.schema import ANSWERS
from variegate.studio.study.store import Store

PEOPLE = 8
PATIENCE = 60


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server in a process of its own, and its address."""
    program = "from variegate.cli import main; main()"
    words = [sys.executable, "-c", program, "study", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = (line for line in process.stdout if line.startswith("participants open "))
    return process, next(lines).split()[-1]


def take_part(url: str, acknowledged: set[tuple[str, int]], wanted: threading.Event) -> None:
    """Join and answer until the server is gone; note what it acknowledged."""
    with httpx.Client(base_url=url, timeout=PATIENCE) as browser:
        session: dict[str, Any] = browser.post("v1/participants", json={"agreed": True}).json()
        for number, trial in enumerate(session["trials"]):
            content = {"choice": "left", "shown_ms": None, "frames": None, "frame_ms": None, "hidden": False}
            body = {"participant": session["participant"], "trial": number, **content, "answer_ms": 1.0}
            assert len(trial["images"]) == 2
            try:
                stored = browser.post("v1/answers", json=body)
            except httpx.TransportError:
                return
            assert stored.status_code == 200
            acknowledged.add((session["participant"], number))
            if len(acknowledged) >= 10 * PEOPLE:
                wanted.set()


def test_kill_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    folder = study_in(tmp_path, "two-alternative", methods=5, conditions=40, per_participant=400)
    process, url = serve(folder)
    acknowledged: set[tuple[str, int]] = set()
    wanted = threading.Event()
    people = [threading.Thread(target=take_part, args=(url, acknowledged, wanted)) for _ in range(PEOPLE)]
    try:
        for one in people:
            one.start()
        assert wanted.wait(PATIENCE)
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    finally:
        process.kill()
        for one in people:
            one.join(PATIENCE)
    with Store(folder / ANSWERS) as store:
        number_of = {one.id: one.number for one in store.participants()}
        stored = {(answer.participant, answer.trial) for answer in store.answers()}
        assert len(acknowledged) < PEOPLE * 400  # it was killed while it was busy
        assert {(number_of[identity], trial) for identity, trial in acknowledged} <= stored
