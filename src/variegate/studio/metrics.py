"""What a running server counts, in the format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.sampling import ROWS


class Counts:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("variegate_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "variegate_request_seconds", "Time from a request to its answer", ["route"], registry=self.registry
        )
        self.images = Counter("variegate_images", "Images drawn", registry=self.registry)
        self.rows = Histogram(
            "variegate_pass_rows",
            "Images that shared a pass of the network",
            buckets=range(1, ROWS + 1),
            registry=self.registry,
        )
        self._waiting = Gauge("variegate_images_waiting", "Images that wait to be drawn", registry=self.registry)

    def passed(self, rows: int) -> None:
        self.images.inc(rows)
        self.rows.observe(rows)

    def watch(self, waiting: Callable[[], int]) -> None:
        self._waiting.set_function(waiting)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class Counting:
    """ASGI middleware: counts each request under its route; those without one are a group."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self.app, self.counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.counts.requests.labels(route, status).inc()
            self.counts.seconds.labels(route).observe(time.perf_counter() - started)
