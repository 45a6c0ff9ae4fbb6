"""An ASGI application on Ray Serve: equal replicas behind one address, each of which makes the application itself."""

from __future__ import annotations

import http.client
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import ConfigError, VariegateError
from ..core.memory import keep_freed_memory
from .ray_start import connected

MakeApp = Callable[[], ASGIApp]
AT_ONCE = 256  # requests that one replica holds; how many may wait is the application's matter
GRACE = 10  # seconds for requests that run at the end
SERVED_BY = "x-served-by"  # header of every answer: which replica it is from


class Replica:
    """The application, made when a replica starts; it computes with one thread, so that all draw the same bits."""

    def __init__(self, make: MakeApp) -> None:
        self.make = make
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is None:
            torch.set_num_threads(1)
            keep_freed_memory()
            self.app = self.make()
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from ray import serve

        name = serve.get_replica_context().replica_id.unique_id

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[SERVED_BY] = name
            await send(message)

        await self.app({**scope, "root_path": ""}, receive, signed)  # paths are whole, whichever prefix led here


@contextmanager
def serving(
    make: MakeApp,
    where: tuple[str, int],
    replicas: int,
    address: str = "local",
    alone: tuple[str, ...] = (),
    gpu: bool = False,
) -> Iterator[None]:
    """Serve an application until the end of the block.

    Args:
        make: makes it in each replica; sent there, so it holds no model.
        where: host and port on the machine that Ray's head runs on.
        address: see `ray_start.connected`.
        alone: prefixes of paths that one further replica answers, because it remembers something from one request to
            the next.
        gpu: every replica needs one.

    Raises:
        ConfigError: Ray is missing, none answers at the address, it is too small, or serves something else.
        VariegateError: a replica could not be started.
    """
    if replicas < 1:
        raise ConfigError(f"--ray-replicas must be at least 1, got {replicas}")
    if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1":
        raise ConfigError(f"RAY_SERVE_ENABLE_HA_PROXY=1 listens everywhere, not only on {where[0]}; unset it")
    with connected(address) as ray:
        kind, needed = ("GPU", replicas + len(alone)) if gpu else ("CPU", replicas)
        there = int(ray.cluster_resources().get(kind, 0))
        if there < needed:
            raise ConfigError(f"--ray {address}: has {there} {kind}s, but {replicas} replicas need {needed}")
        from ray import serve

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        if serve.status().proxies:
            raise ConfigError(
                f"--ray {address}: serves other applications, which would end with this one; give another cluster, or "
                "end them with `serve shutdown`"
            )
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": where[0], "port": where[1]},
            logging_config={"log_level": "ERROR", "enable_access_log": False},
        )
        try:
            for prefix in alone:
                _deploy(serve, make, prefix, 1, {"num_gpus": 1, "num_cpus": 0} if gpu else {"num_cpus": 0})
            _deploy(serve, make, "/", replicas, {"num_gpus": 1} if gpu else {"num_cpus": 1})
            _check_answers(where)
            yield
        finally:
            serve.shutdown()


def _deploy(serve: Any, make: MakeApp, prefix: str, replicas: int, resources: dict[str, float]) -> None:
    name = f"variegate{prefix.replace('/', '-').rstrip('-')}"
    deployment = serve.deployment(
        serve.ingress(Replica(make))(),
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=AT_ONCE,
        graceful_shutdown_timeout_s=GRACE,
        ray_actor_options=resources,
    )
    try:
        serve.run(deployment.bind(), name=name, route_prefix=prefix)
    except RuntimeError as error:
        told = str(error).strip().splitlines()
        raise VariegateError(f"a replica could not be started on Ray ({told[-1] if told else 'no reason'})") from error


def _check_answers(where: tuple[str, int]) -> None:
    """Raise ConfigError unless it is a replica that answers there."""
    host, port = where
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/")
        signed = connection.getresponse().getheader(SERVED_BY)
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(f"{host}:{port}: nothing answers there ({error}); give another --port") from None
    finally:
        connection.close()
    if signed is None:
        raise ConfigError(f"{host}:{port}: something else answers there; give another --port")


def wait_for_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    told = threading.Event()
    before = {one: signal.signal(one, lambda *_: told.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not told.wait(1):  # a wait without end would not notice a signal
            pass
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
