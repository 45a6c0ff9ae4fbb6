"""`variegate studio`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Studio:
    """Paint a condition and see many images, in a browser; also an HTTP API. Without runs, a small street model."""

    run_directories: Positional[tuple[Path, ...]] = ()
    host: str = "127.0.0.1"
    """address to listen on; all others than this machine's own need the token"""
    port: int = 8860
    """0 for any free port"""
    host_name: tuple[str, ...] = ()
    """names under which it is reached, such as studio.example or studio.example:443 behind a proxy"""
    token: str | None = None
    """of every write; default: a new one at each start"""
    device: str = "cpu"

    def run(self) -> None:
        from ..studio import require_packages

        require_packages()
        from ..studio.listening import Listening
        from ..studio.serve import serve_studio

        listening = Listening(self.host, self.port, self.host_name)
        serve_studio(self.run_directories, listening, self.token, self.device, partial(print, flush=True))
