"""What the routes do: conditions in, images out. Nothing here knows HTTP but the disconnect of a sender."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
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
from .drawer import Drawer, Dropped, Order
from .jobs import File, Job
from .recipes import archive, codes_wanted, recipe, with_recipe
from .security import Refusal
from .shelf import Entry, Shelf

SECONDS = 60  # that one answer may take
REPLACED = "a newer request has replaced this one"
Gone = Callable[[], Awaitable[bool]]


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
        return Order(self.entry.model, self.raw, self.codes, (turn.name, turn.number) if turn else None)


def read(shelf: Shelf, request: wire.SampleRequest) -> Wanted:
    """Raises VariegateError or Refusal for a request that cannot be answered."""
    entry = shelf.find(request.model)
    names = codes_wanted(request)
    return Wanted(entry, entry.read(request.condition, request.size), names, entry.codes(names), request)


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


async def draw(drawer: Drawer, wanted: Wanted, gone: Gone) -> Tensor:
    """Images (n, C, H, W) in [0, 1].

    Raises:
        Refusal: a newer request replaced this one (409), or it took too long (504).
    """
    order = wanted.order()
    try:
        result = asyncio.wrap_future(drawer.draw(order))
    except Dropped:
        raise Refusal(409, REPLACED) from None
    result.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to hear of it
    watching = asyncio.create_task(until(gone))
    both: set[asyncio.Future[Any]] = {result, watching}
    try:
        await asyncio.wait(both, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise Refusal(504, f"the images took longer than {SECONDS} s; ask for fewer or smaller ones, or a job")
        return result.result()
    except Dropped:
        raise Refusal(409, REPLACED) from None
    finally:
        watching.cancel()
        drawer.drop(order)


async def until(gone: Gone) -> None:
    """Wait until the sender has gone."""
    while not await gone():
        await asyncio.sleep(0.1)


async def sample(shelf: Shelf, drawer: Drawer, request: wire.SampleRequest, gone: Gone) -> wire.Samples:
    wanted = await run_in_threadpool(read, shelf, request)
    images = await draw(drawer, wanted, gone)
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


def work_of(shelf: Shelf, drawer: Drawer, request: wire.JobRequest) -> Callable[[Job], File]:
    """What a job does.

    Raises:
        DataError: the request lacks what this kind of job needs.
        VariegateError: as `read`.
    """
    film = request.kind in ("gif", "mp4")
    if (request.interpolate if film else request.sample) is None:
        raise DataError(f"a job of kind {request.kind} needs {'interpolate' if film else 'sample'}")
    wanted = read(shelf, morph_of(request.interpolate) if film else request.sample)  # type: ignore[arg-type]
    name = f"{wanted.entry.identity}-{digest(wanted.raw)}"

    def work(job: Job) -> File:
        drawn = Samples(wait(drawer, wanted.order(), job), wanted.codes, None)
        if request.kind == "archive":
            content = archive(wanted.entry, wanted.request, wanted.codes, drawn.pil())
            return File(content, "application/zip", f"{name}.zip")
        if request.kind == "grid":
            return File(png_bytes(drawn.grid()), "image/png", f"{name}.png")
        kind = "image/gif" if request.kind == "gif" else "video/mp4"
        return File(film_of(drawn, request.kind), kind, f"{name}.{request.kind}")

    return work


def wait(drawer: Drawer, order: Order, job: Job) -> Tensor:
    """The images of an order; Dropped if the job is cancelled before."""
    result = drawer.draw(order)
    while True:
        try:
            return result.result(timeout=0.1)
        except TimeoutError:
            if not job.unfinished:
                drawer.drop(order)
                raise Dropped from None


def film_of(drawn: Samples, kind: str) -> bytes:
    """Raises ConfigError where no MP4 can be written."""
    with TemporaryDirectory() as folder:
        save_frames(drawn, folder)
        file = Path(folder) / f"morph.{kind}"
        if not file.is_file():
            raise ConfigError("MP4 needs imageio-ffmpeg: pip install 'variegate[video]'; GIF works without")
        return file.read_bytes()
