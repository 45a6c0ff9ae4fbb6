"""Serve a study."""

from __future__ import annotations

from pathlib import Path

from ..listening import Listening
from .app import make_app
from .schema import ANSWERS, Study
from .store import Store


def serve_study(study: Study, folder: Path, listening: Listening) -> None:
    """Answer participants until the process is told to stop."""
    with Store(folder / ANSWERS) as store:
        listening.run(make_app(study, folder, store, listening.hosts))
