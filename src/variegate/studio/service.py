"""What the routes do: conditions in, images out. Nothing here knows HTTP but the disconnect of a sender."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

from starlette.concurrency import run_in_threadpool
from torch import Tensor

from ..core.errors import ConfigError, DataError
from ..core.images import to_pil, unit_to_uint8
from ..evaluation.pages.contact_sheets import most_different
from ..model.samples import Samples
from ..model.video import save_frames
from . import wire
from .conditions import digest, png_bytes
from .jobs import File, Job, Jobs
from .metrics import Counts
from .recipes import archive, check_recipe, codes_wanted, recipe, with_recipe
from .sampling_queue import Dropped, Order, SamplingQueue
from .security import Refusal
from .shelf import Entry, Shelf

SECONDS = 60  # that one answer may take
PIXELS = 16_000_000  # of one answer
REPLACED = "a newer request has replaced this one"
Gone = Callable[[], Awaitable[bool]]


@dataclass
class Studio:
    """The parts of one server."""

    shelf: Shelf
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        names = self.shelf.entries
        self.queues = {name: SamplingQueue(names[name].model, self.counts.passed) for name in names}
        self.jobs = Jobs()
        self.counts.watch(lambda: sum(queue.waiting for queue in self.queues.values()))

    @property
    def alive(self) -> bool:
        return all(queue.alive for queue in self.queues.values())

    def close(self) -> None:
        """Finish what waits."""
        self.jobs.close()
        for queue in self.queues.values():
            queue.close()


@dataclass
class Wanted:
    """A request, read: its raw condition (c, H, W) and codes (n, D)."""

    entry: Entry
    raw: Tensor
    names: list[Any]  # the codes as they were sent
    codes: Tensor
    request: wire.SampleRequest
    started: float = field(default_factory=time.perf_counter)

    def order(self) -> Order:
        turn = self.request.supersedes
        return Order(self.raw, self.codes, (turn.name, turn.number) if turn else None)


def read(shelf: Shelf, request: wire.SampleRequest) -> Wanted:
    """Raises VariegateError or Refusal for a request that cannot be answered."""
    entry = shelf.find(request.model)
    names, raw = codes_wanted(request), entry.read(request.condition, request.size)
    height, width = raw.shape[1:]
    if len(names) * height * width > PIXELS:
        most = f"{PIXELS // 10**6} million pixels"
        raise DataError(
            f"{len(names)} images of {height}x{width} are more than {most} in all; ask for fewer or smaller"
        )
    if request.recipe:
        check_recipe(request)
    return Wanted(entry, raw, names, entry.codes(names), request)


def morph_of(request: wire.InterpolateRequest) -> wire.SampleRequest:
    """The samples that an interpolation is: codes at equal shares of the way."""
    last = request.frames - 1
    codes: list[wire.AnyCode] = [
        wire.Mixed(between=(request.start, request.end), share=frame / last) for frame in range(request.frames)
    ]
    return wire.SampleRequest(
        model=request.model,
        condition=request.condition,
        codes=codes,
        size=request.size,
        supersedes=request.supersedes,
    )


async def draw(studio: Studio, wanted: Wanted, gone: Gone) -> Tensor:
    """Images (n, C, H, W) in [0, 1].

    Raises:
        Refusal: a newer request replaced this one (409), its sender has gone (499), or it took too long (504).
    """
    queue, order = studio.queues[wanted.entry.identity], wanted.order()
    try:
        result = asyncio.wrap_future(queue.submit(order))
    except Dropped:
        raise Refusal(409, REPLACED) from None
    result.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to hear of it
    watching = asyncio.create_task(until(gone))
    both: set[asyncio.Future[Any]] = {result, watching}
    try:
        await asyncio.wait(both, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            raise Refusal(499, "the sender has gone")
        if not result.done():
            raise Refusal(504, f"the images took longer than {SECONDS} s; ask for fewer or smaller ones, or a job")
        return result.result()
    except Dropped:
        raise Refusal(409, REPLACED) from None
    finally:
        watching.cancel()
        queue.drop(order)


async def until(gone: Gone) -> None:
    """Wait until the sender has gone."""
    while not await gone():
        await asyncio.sleep(0.1)


async def sample(studio: Studio, request: wire.SampleRequest, gone: Gone) -> wire.Samples:
    wanted = await run_in_threadpool(read, studio.shelf, request)
    images = await draw(studio, wanted, gone)
    return await run_in_threadpool(answer, wanted, images)


def answer(wanted: Wanted, images: Tensor) -> wire.Samples:
    """Images in the requested order, as PNGs."""
    shown, layout = unit_to_uint8(images), digest(wanted.raw)
    order = list(range(len(shown)))
    if wanted.request.order == "diverse" and len(order) > 1:
        order = most_different(shown, len(shown))
    return wire.Samples(
        model=wanted.entry.identity,
        weights=wanted.entry.weights,
        layout=layout,
        height=shown.shape[2],
        width=shown.shape[3],
        seconds=round(time.perf_counter() - wanted.started, 4),
        images=[one_image(wanted, shown[place], place, layout) for place in order],
    )


def one_image(wanted: Wanted, image: Tensor, place: int, layout: str) -> wire.ImageOut:
    code, picture = wanted.names[place], to_pil(image)
    if wanted.request.recipe:
        content = with_recipe(picture, recipe(wanted.entry, wanted.request, code, layout, wanted.raw))
    else:
        content = png_bytes(picture)
    return wire.ImageOut(png=base64.b64encode(content).decode(), code=code, position=place)


def work_of(studio: Studio, request: wire.JobRequest) -> Callable[[Job], File]:
    """What a job does.

    Raises:
        DataError: the request lacks what this kind of job needs.
        VariegateError: as `read`.
    """
    film = request.kind in ("gif", "mp4")
    if (request.interpolate if film else request.sample) is None:
        raise DataError(f"a job of kind {request.kind} needs {'interpolate' if film else 'sample'}")
    if request.kind == "mp4" and find_spec("imageio_ffmpeg") is None:
        raise ConfigError("MP4 needs imageio-ffmpeg: pip install 'variegate[video]'; GIF works without")
    wanted = read(studio.shelf, morph_of(request.interpolate) if film else request.sample)  # type: ignore[arg-type]
    queue, name = studio.queues[wanted.entry.identity], f"{wanted.entry.identity}-{digest(wanted.raw)}"

    def work(job: Job) -> File:
        drawn = Samples(wait(queue, wanted.order(), job), wanted.codes, None)
        if request.kind == "archive":
            content = archive(wanted.entry, wanted.request, wanted.raw, wanted.codes, drawn.pil())
            return File(content, "application/zip", f"{name}.zip")
        if request.kind == "grid":
            return File(png_bytes(drawn.grid()), "image/png", f"{name}.png")
        kind = "image/gif" if request.kind == "gif" else "video/mp4"
        return File(film_of(drawn, request.kind), kind, f"{name}.{request.kind}")

    return work


def wait(queue: SamplingQueue, order: Order, job: Job) -> Tensor:
    """The images of an order; Dropped if the job is cancelled before."""
    result = queue.submit(order)
    while True:
        try:
            return result.result(timeout=0.1)
        except TimeoutError:
            if not job.unfinished:
                queue.drop(order)
                raise Dropped from None


def film_of(drawn: Samples, kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        return (save_frames(drawn, folder) / f"morph.{kind}").read_bytes()
