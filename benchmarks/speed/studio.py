"""The studio's server with the model that ships: latency of `/v1/sample`, what sharing passes gives, and load.

Every case runs the whole server (uvicorn) and its clients in one process. *Sharing* is the ratio of the time that the
same requests take with passes shared between requests and with each request drawn by itself, in a batch of its own size
without filling. *Load* is 32 clients at once: nothing may fail but by 429, and every image must have the bits that a
client has who asks alone. Its ratio is the memory at the end over that after a tenth of the time.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize
from statistics import median, quantiles
from typing import Any

import httpx2
import torch

from variegate.core.images import to_unit
from variegate.core.sampling import ROWS, draw_rows
from variegate.studio.app import make_app
from variegate.studio.listening import Listening
from variegate.studio.sampling_queue import Row, SamplingQueue
from variegate.studio.service import Studio
from variegate.studio.shelf import Shelf

from . import results
from .measure import timed
from .results import Settings, row

TOKEN = "benchmark"
CLIENTS = (1, 4, 16)
MANY, SECONDS = 32, 60
SHARING_LIMIT, MEMORY_LIMIT, FIRST = 0.5, 1.1, 5.0  # ratios, seconds
PASSES = (1, 4, 8)  # images
CODES = 200  # different requests of the load


class Alone(SamplingQueue):
    """Samples each order by itself, in a batch of its own size, as a server without sharing would."""

    def _take(self) -> list[Row] | None:
        with self._changed:
            while not any(order.waiting for order in self._orders):
                if not self._open:
                    return None
                self._changed.wait()
            order = next(order for order in self._orders if order.waiting)
            order.given = len(order.codes)
            return [(order, place) for place in range(len(order.codes))]

    def _pass(self, taken: list[Row]) -> None:
        order = taken[0][0]
        assert order.features is not None
        with torch.no_grad():
            images = self.model.generator.decode_all(order.features, order.codes[None])[0]
        self._settle(order, to_unit(images.clamp(-1, 1)))


@contextmanager
def server(alone: bool = False) -> Iterator[str]:
    """A studio on a free port, and its address."""
    listening = Listening()
    studio = Studio(Shelf([Path("street")]))
    if alone:
        studio.queues["street"].close()
        studio.queues["street"] = Alone(studio.shelf.find("street").model)
    with listening.in_thread(make_app(studio, listening.hosts, TOKEN)) as url:
        yield url


def rows(settings: Settings) -> list[results.Row]:
    requests = 16 if settings.quick else 96
    found = [first_images(), *(latency(clients, requests) for clients in CLIENTS)]
    found += [passes(n, settings) for n in PASSES]
    found += [sharing(n, clients, requests, settings) for n in (1, 8) for clients in CLIENTS[1:]]
    return [*found, load(3 if settings.quick else SECONDS)]


def first_images() -> results.Row:
    """Seconds from the start of `variegate studio` to eight images, beside those of importing PyTorch alone: medians
    of three, in turns."""
    bare = [sys.executable, "-c", "import torch"]
    seconds, beside = map(median, zip(*[(start(), timed(lambda: subprocess.run(bare, check=True))) for _ in range(3)]))
    return row("first images after the start", seconds / FIRST, 1.0, p50=seconds, p95=None, clients=1, beside=beside)


def start() -> float:
    """Start a studio, and ask for what its page asks for when it is opened; seconds until it is there."""
    command, started = (
        [sys.executable, "-m", "variegate", "studio", "--port", "0", "--token", TOKEN],
        time.perf_counter(),
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with client_of(process.stdout.readline().split()[-1]) as http:
            http.get("/v1/models")
            example = http.get("/v1/models/street/examples/0").json()
            http.post("/v1/sample", json={"condition": example["condition"], "n": 8}).raise_for_status()
        seconds = time.perf_counter() - started
        process.terminate()
    return seconds


def passes(n: int, settings: Settings) -> results.Row:
    """Seconds of n images in passes of ROWS, beside one batch of n: what equal bits cost, and sharing could save."""
    entry = Shelf([]).find(None)
    condition, codes = entry.model.encode(entry.examples[0]), entry.model.codes(n)
    generator = entry.model.generator

    @torch.no_grad()
    def batch() -> None:
        generator.decode_all(generator.encode(condition), codes[None])

    both = settings.compare(lambda: draw_rows(generator, condition, codes), batch, pairs=3 if settings.quick else 15)
    case = f"{n} image{'s' * (n > 1)}, passes of {ROWS} over one batch"
    return row(case, both.ratio, None, p50=both.seconds[0], beside=both.seconds[1], spread=both.spread)


def latency(clients: int, requests: int) -> results.Row:
    with server() as address:
        seconds = times(address, clients, requests, 8)
    cuts = quantiles(seconds, n=20)
    return row(f"8 images, {clients} at once", None, None, p50=median(seconds), p95=cuts[-1], clients=clients)


def sharing(n: int, clients: int, requests: int, settings: Settings) -> results.Row:
    with server() as shared, server(alone=True) as alone:
        both = settings.compare(
            lambda: times(shared, clients, requests, n), lambda: times(alone, clients, requests, n), pairs=3
        )
    limit = SHARING_LIMIT if n == 1 else None
    details = {"p50": None, "p95": None, "clients": clients}
    return row(f"{n} image{'s' * (n > 1)} each, shared over alone", both.ratio, limit, **details, spread=both.spread)


def client_of(address: str) -> httpx2.Client:
    return httpx2.Client(base_url=address, timeout=60, headers={"authorization": f"Bearer {TOKEN}"})


def times(address: str, clients: int, requests: int, n: int) -> list[float]:
    """Seconds of each of so many requests for n images, by so many clients at once."""
    condition = conditions(address)
    seconds: list[float] = []

    def work(client: int) -> None:
        with client_of(address) as http:
            for turn in range(requests // clients):
                started = time.perf_counter()
                body = {"condition": condition[client % len(condition)], "n": n, "seed": turn}
                http.post("/v1/sample", json=body).raise_for_status()
                seconds.append(time.perf_counter() - started)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return seconds


def conditions(address: str) -> list[dict[str, Any]]:
    with client_of(address) as http:
        return [http.get(f"/v1/models/street/examples/{i}").json()["condition"] for i in range(8)]


def load(seconds: float) -> results.Row:
    """32 clients at once; each asks for one of CODES requests at a time."""
    with server() as address:
        condition = conditions(address)

        def ask(http: httpx2.Client, number: int) -> httpx2.Response:
            body = {"condition": condition[number % 8], "n": 1 + number % 8, "seed": number}
            return http.post("/v1/sample", json=body)

        with client_of(address) as http:
            expected = [pngs(ask(http, number)) for number in range(CODES)]
        until, counts = time.perf_counter() + seconds, {"right": 0, "wrong": 0, "refused": 0, "failed": 0}
        lock = threading.Lock()

        def work(client: int) -> None:
            number = client * 7
            with client_of(address) as http:
                while time.perf_counter() < until:
                    number += 1
                    answer = ask(http, number % CODES)
                    kind = {200: "right", 429: "refused"}.get(answer.status_code, "failed")
                    if kind == "right" and pngs(answer) != expected[number % CODES]:
                        kind = "wrong"
                    with lock:
                        counts[kind] += 1

        with ThreadPoolExecutor(MANY) as pool:
            working = [pool.submit(work, client) for client in range(MANY)]
            time.sleep(seconds / 10)
            early = resident()
            for one in working:
                one.result()
        ratio = resident() / early
    details = {"p50": None, "p95": None, "clients": MANY, "seconds": seconds, **counts}
    found = row("load: memory at the end over early", ratio, MEMORY_LIMIT, **details)
    found["holds"] = bool(found["holds"] and not counts["wrong"] and not counts["failed"])
    return found


def pngs(answer: httpx2.Response) -> list[str]:
    answer.raise_for_status()
    return [image["png"] for image in answer.json()["images"]]


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()
