"""Start a studio, and say where it is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

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
    where = listening.url + (f"#token={token}" if listening.public else "")
    announce(f"{', '.join(studio.shelf.entries)}: {where}\ntoken of the API: {token}\nstop with Ctrl-C")
    listening.run(make_app(studio, listening.hosts, token, listening.public))
