"""An address that listens, and the applications that answer there."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..core.errors import ConfigError
from .security import is_loopback, own_hosts

EVERY = ("0.0.0.0", "::")  # addresses that mean all of a machine's
BACKLOG = 1024
GRACE = 10  # seconds for requests that run when the server is told to stop


class Listening:
    """A socket that listens: whoever is told the address may connect at once, and is answered from `run` on.

    Attributes:
        hosts: what the Host header may be; see `security.own_hosts`.
        public: whether other machines reach it, be it through a proxy, as one that has a name here.
        url: where it is.

    Raises:
        ConfigError: nothing can listen there, or it could be reached under names that nobody has said.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, names: Iterable[str] = ()) -> None:
        names = tuple(names)
        if host in EVERY and not names:
            raise ConfigError(
                f"--host {host} listens everywhere; say by which name it is reached, such as --host-name my.example"
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self.socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            told = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
            raise ConfigError(f"{host}:{port}: cannot be listened on ({told}); give another --host or --port") from None
        port = self.socket.getsockname()[1]
        self.hosts, self.public = own_hosts(host, port, names), bool(names) or not is_loopback(host)
        shown = names[0] if names else f"[{host}]" if ":" in host else host
        has_port = bool(names) and ":" in shown
        self.url = f"http://{shown}/" if has_port else f"http://{shown}:{port}/"
        if has_port and shown.endswith(":443"):
            self.url = f"https://{shown.removesuffix(':443')}/"

    def run(self, app: Any) -> None:
        """Answer by an ASGI application until a signal says stop; requests that run then are finished."""
        self._server(app).run(sockets=[self.socket])

    @contextmanager
    def in_thread(self, app: Any) -> Iterator[str]:
        """Answer beside the caller's own code; the address."""
        server = self._server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            server.should_exit = True
            thread.join()

    def _server(self, app: Any) -> Any:
        import uvicorn

        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # it would hold the ids of a study's participants
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE,
        )
        return uvicorn.Server(config)
