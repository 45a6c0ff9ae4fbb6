"""What every request must satisfy before a route sees it, and the headers that every answer carries.

A page on another site can make a browser send requests to 127.0.0.1. Against that: a fixed list of hosts (DNS
rebinding), a list of origins, no CORS headers at all, a token for every write, JSON as the only type of a body (which
forms cannot send), and a policy that lets pages load nothing but this server's own files.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 32 * 2**20
PRIVATE = ("/v1/", "/metrics")  # prefixes of the paths that are not files of the pages
READS = frozenset({"GET", "HEAD"})
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Refusal(Exception):
    """An answer that ends a request: a status and one sentence."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after = status, sentence, retry_after

    def headers(self) -> list[tuple[bytes, bytes]]:
        waits = [] if self.retry_after is None else [(b"retry-after", str(self.retry_after).encode())]
        asks = [(b"www-authenticate", b"Bearer")] if self.status == 401 else []
        return [(b"content-type", b"application/json"), *waits, *asks]

    def body(self) -> bytes:
        return json.dumps({"error": self.sentence}).encode()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def own_hosts(host: str, port: int, names: Iterable[str] = ()) -> frozenset[str]:
    """Values of the Host header that mean this server: its address, `localhost` if it is one, and `names`.

    A name may carry a port of its own, such as that of a proxy in front; without one it stands for this port, and for
    the default ports of HTTP and HTTPS, which browsers leave out.
    """
    bare = f"[{host}]" if ":" in host else host.lower()
    near = {bare, "localhost", "127.0.0.1", "[::1]"} if is_loopback(host) else {bare}
    found = {f"{name}:{port}" for name in near} | (near if port == 80 else set())
    for name in map(str.lower, names):
        alone, colon, own = name.partition(":")
        found |= {name} if colon else {name, f"{name}:{port}"}
        found |= {alone} if own in ("80", "443") else set()
    return frozenset(found)


class Guard:
    """ASGI middleware: refuses what did not come from this server's own pages, or from a holder of the token.

    Args:
        hosts: see `own_hosts`.
        token: what `Authorization: Bearer TOKEN` must hold for every write; None: nothing may be written.
        reads: whether PRIVATE paths need the token for reading, too.
        open_writes: prefixes of paths that anyone may write to, as participants of a study do.
        most_bytes: of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str],
        token: str | None,
        reads: bool = False,
        open_writes: tuple[str, ...] = (),
        most_bytes: int = BODY_BYTES,
    ) -> None:
        self.app, self.hosts, self.token, self.most_bytes = app, hosts, token, most_bytes
        self.reads, self.open_writes = reads, open_writes
        self.origins = frozenset(f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        answer = Answer(send)
        try:
            self.check(scope)
            body = await whole_body(scope, receive, self.most_bytes)
            if body is not None:
                await self.app(scope, body, answer)
        except Refusal as refusal:
            await answer.refuse(refusal)

    def check(self, scope: Scope) -> None:
        """Raise Refusal unless the request may go on."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise Refusal(421, f"this server does not answer for the host {headers.get('host', '')!r}; see --host-name")
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self.origins:
            raise Refusal(403, f"requests from the origin {origin!r} are refused")
        from_elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if from_elsewhere and (method not in READS or path.startswith(PRIVATE)):
            raise Refusal(403, "requests from other sites are refused")
        if method in READS:
            if self.reads and path.startswith(PRIVATE):
                self.check_token(headers)
            return
        if method not in WRITES:
            raise Refusal(405, f"{method} is not answered")
        if not path.startswith(self.open_writes or "\0"):
            self.check_token(headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if method != "DELETE" and kind != "application/json":
            raise Refusal(415, "send JSON, with Content-Type: application/json")

    def check_token(self, headers: Headers) -> None:
        given = headers.get("authorization", "")
        if self.token is None or not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise Refusal(401, "send the token that the server printed at its start: Authorization: Bearer TOKEN")


async def whole_body(scope: Scope, receive: Receive, most: int) -> Receive | None:
    """Read a body before the application sees the request; None if its sender has gone meanwhile.

    Raises:
        Refusal: it is longer than `most` bytes, or says so.
    """
    told = Headers(scope=scope).get("content-length", "0")
    if not told.isdecimal() or int(told) > most:
        raise Refusal(413, too_long(most))
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Refusal(413, too_long(most))
        more = message.get("more_body", False)
    left: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay


def too_long(most: int) -> str:
    return f"a body may have at most {f'{most // 2**20} MB' if most >= 2**20 else f'{most // 2**10} kB'}"


class Answer:
    """Sends an answer, with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self.send, self.began = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began, own = True, {name for name, _ in HEADERS}
            kept = [pair for pair in message["headers"] if pair[0].lower() not in own]
            message = {**message, "headers": [*kept, *HEADERS]}
        await self.send(message)

    async def refuse(self, refusal: Refusal) -> None:
        if not self.began:
            await self({"type": "http.response.start", "status": refusal.status, "headers": refusal.headers()})
            await self({"type": "http.response.body", "body": refusal.body()})
