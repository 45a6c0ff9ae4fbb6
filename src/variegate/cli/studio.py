"""`variegate studio`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ..core.errors import ConfigError

if TYPE_CHECKING:
    from ..studio.listening import Listening


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
    ray_replicas: int | None = None
    """serve by so many processes of Ray Serve; default: by this one alone"""
    ray: str = "local"
    """--ray-replicas: `local`, `auto` or the address of a cluster whose machines all see the runs"""

    def run(self) -> None:
        from ..studio import require_packages

        require_packages()
        from ..studio.listening import Listening
        from ..studio.serve import serve_studio

        if self.ray_replicas is None and self.ray != "local":
            raise ConfigError(f"--ray {self.ray} belongs to --ray-replicas; give that too")
        listening = Listening(self.host, self.port, self.host_name)
        if self.ray_replicas is not None:
            self.serve_on_ray(listening, self.ray_replicas)
            return
        serve_studio(self.run_directories, listening, self.token, self.device, partial(print, flush=True))

    def serve_on_ray(self, listening: Listening, replicas: int) -> None:
        """Serve by Ray until a signal says stop."""
        import secrets

        from ..cluster.ray_serving import serving, wait_for_signal
        from ..studio.serve import announcement, app_of
        from ..studio.shelf import Shelf

        token, (host, port) = self.token or secrets.token_urlsafe(24), listening.socket.getsockname()[:2]
        told = announcement(Shelf(self.run_directories), listening, token)  # raises what each replica would raise
        places = [place.absolute() if place.exists() else place for place in self.run_directories]
        make = partial(app_of, places, listening.hosts, token, listening.public, self.device)
        listening.socket.close()  # Serve listens there
        with serving(make, (host, port), replicas, self.ray, ("/v1/jobs",), self.device.startswith("cuda")):
            print(told, flush=True)
            wait_for_signal()
