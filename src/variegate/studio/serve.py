"""Start a studio, and say where it is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.types import ASGIApp

from .app import make_app
from .listening import Listening
from .service import Studio
from .shelf import Shelf

logger = logging.getLogger(__name__)


def serve_studio(
    places: Sequence[Path],
    listening: Listening,
    token: str | None = None,
    device: str = "cpu",
    announce: Callable[[str], None] = logger.info,
) -> None:
    """Serve models until a signal says stop.

    Args:
        token: of every write; default: a new one at each start.
        announce: called once with where the server is, and its token.

    Raises:
        CheckpointError: one of the places holds no model.
    """
    token = token or secrets.token_urlsafe(24)
    studio = Studio(Shelf(places, device))
    announce(announcement(studio.shelf, listening, token))
    listening.run(make_app(studio, listening.hosts, token, listening.public))


def announcement(shelf: Shelf, listening: Listening, token: str) -> str:
    """Where a server is, with which models, and its token."""
    where = listening.url + (f"#token={token}" if listening.public else "")
    return f"{', '.join(shelf.entries)}: {where}\ntoken of the API: {token}\nstop with Ctrl-C"


def app_of(
    places: Sequence[Path], hosts: frozenset[str], token: str, public: bool = False, device: str = "cpu"
) -> ASGIApp:
    """The application with models that it loads now; for a server that starts processes of its own."""
    return make_app(Studio(Shelf(places, device)), hosts, token, public)
