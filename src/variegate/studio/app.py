"""The web application: the studio's pages and the HTTP API that they use, and anyone else may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from ..runs.saved_model import versions
from . import service, wire
from .explain import explain
from .failures import add_failures
from .jobs import Job
from .metrics import Counting
from .pages import WEB, read_pages
from .recipes import read_recipe
from .security import Guard, Refusal
from .service import Studio

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": wire.Failure} for status in (400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 500, 503, 504)
}


def make_app(studio: Studio, hosts: frozenset[str], token: str | None, public: bool = False) -> ASGIApp:
    """The application.

    Args:
        hosts: what the Host header may be; see `security.own_hosts`.
        token: of every write. The page is told it, unless the server is `public`: then reads need it, too.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(studio.close)

    app = FastAPI(
        title="variegate",
        version=versions()["variegate"],
        description="One condition, many images. Send `Authorization: Bearer TOKEN` with every POST and DELETE.",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        responses=FAILURES,
    )
    add_pages(app, "" if public or token is None else token)
    add_models(app, studio)
    add_drawing(app, studio)
    add_jobs(app, studio)
    add_failures(app)
    return Counting(Guard(app, hosts, token, reads=public), studio.counts)


def add_pages(app: FastAPI, token: str) -> None:
    pages = read_pages(WEB.iterdir())
    index = pages.pop("index.html")[0].decode().replace("{{ token }}", token)

    @app.get("/", include_in_schema=False)
    async def home() -> HTMLResponse:
        return HTMLResponse(index)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in pages:
            raise Refusal(404, "there is no such file")
        content, kind = pages[name]
        return Response(content, media_type=kind)


def add_models(app: FastAPI, studio: Studio) -> None:
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Whether the server runs, and draws."""
        if not studio.alive:
            raise Refusal(503, "the thread that draws has stopped; start the server again")
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(studio.counts.text(), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models")
    def models() -> wire.Models:
        """The models, and what each needs."""
        return wire.Models(models=[entry.info for entry in studio.shelf.entries.values()])

    @app.get("/v1/models/{model}/examples/{index}")
    def example(model: str, index: wire.Number) -> wire.Example:
        """A held-out condition of the model's data."""
        return studio.shelf.find(model).example(index)

    @app.get("/v1/models/{model}/calibration")
    def calibration(model: str) -> wire.CalibrationOut:
        """Whether samples are as uncertain as they should be; measured when it is first asked for."""
        found = studio.shelf.find(model).calibration()
        if found is None:
            raise Refusal(404, "calibration needs held-out pairs, which are not here, and a model that samples")
        measured, conditions = found
        return wire.CalibrationOut(
            words=measured.words(),
            averaging_gain=measured.gain(),
            spread_over_error=measured.spread_over_error(),
            ranks=measured.ranks.tolist(),
            conditions=conditions,
            samples=measured.samples,
        )

    @app.post("/v1/models/{model}/read")
    def read(model: str, body: wire.FileRequest) -> wire.Example:
        """An image file as this model's condition, or as a part of it."""
        return studio.shelf.find(model).read_file(body.data, body.part)


def add_drawing(app: FastAPI, studio: Studio) -> None:
    @app.post("/v1/sample")
    async def sample(body: wire.SampleRequest, request: Request) -> wire.Samples:
        """Many images of one condition. The same codes and condition give the same images, whoever else asks."""
        return await service.sample(studio, body, request.is_disconnected)

    @app.post("/v1/interpolate")
    async def interpolate(body: wire.InterpolateRequest, request: Request) -> wire.Samples:
        """Images along the path between two codes, ends included."""
        wanted = service.morph_of(body)
        return await service.sample(studio, wanted, request.is_disconnected)

    @app.post("/v1/explain")
    async def explain_images(body: wire.ExplainRequest, request: Request) -> wire.Explanation:
        """What is uncertain: mean, deviation, differences, the nearest training images, surprisal."""
        asked = wire.SampleRequest(**dict(body))
        wanted = await run_in_threadpool(service.read, studio.shelf, asked)
        images = await service.draw(studio, wanted, request.is_disconnected)
        return await run_in_threadpool(explain, wanted.entry, wanted.raw, images, wanted.names)

    @app.post("/v1/recipe")
    def recipe(body: wire.PngRequest) -> wire.Recipe | None:
        """How a PNG that was saved here was made; null if it does not say."""
        found = read_recipe(body.png)
        if found is None:
            return None
        known = any(entry.weights == found.weights for entry in studio.shelf.entries.values())
        return found.model_copy(update={"known": known})


def add_jobs(app: FastAPI, studio: Studio) -> None:
    def state(job: Job) -> wire.JobState:
        result = f"/v1/jobs/{job.identity}/result" if job.state == "done" else None
        return wire.JobState(id=job.identity, state=job.state, error=job.error, result=result)

    @app.post("/v1/jobs", status_code=202)
    def start(body: wire.JobRequest) -> wire.JobState:
        """Start something whose answer is a file."""
        return state(studio.jobs.add(service.work_of(studio, body)))

    @app.get("/v1/jobs/{job}")
    async def look(job: str) -> wire.JobState:
        """How far a job is."""
        return state(studio.jobs.find(job))

    @app.get("/v1/jobs/{job}/result", response_class=Response)
    async def result(job: str) -> Response:
        """The file of a finished job."""
        found = studio.jobs.find(job)
        if found.file is None:
            raise Refusal(404, f"the job is {found.state}, so there is no file")
        name = {"content-disposition": f"attachment; filename*=UTF-8''{quote(found.file.name)}"}
        return Response(found.file.content, media_type=found.file.kind, headers=name)

    @app.delete("/v1/jobs/{job}")
    async def cancel(job: str) -> wire.JobState:
        """Cancel a job."""
        return state(studio.jobs.cancel(job))
