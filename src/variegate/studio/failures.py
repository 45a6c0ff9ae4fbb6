"""Every failure of an application is answered with `{"error": "one sentence"}`."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..core.errors import VariegateError
from .security import Refusal

SENTENCES = {400: "the body is not JSON in UTF-8", 404: "there is nothing at this address"}
Statuses = Mapping[type[VariegateError], tuple[int, int | None]]


def add_failures(app: FastAPI, statuses: Statuses | None = None) -> None:
    """Answer what is raised.

    Args:
        statuses: status of an error, and seconds after which to try again; 422 and never for all others.
    """

    def answer(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": sentence}, status, headers)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return answer(error.status, error.sentence, {name.decode(): value.decode() for name, value in error.headers()})

    @app.exception_handler(VariegateError)
    async def wrong(_: Request, error: VariegateError) -> JSONResponse:
        found = (own for kind, own in (statuses or {}).items() if isinstance(error, kind))
        status, wait = next(found, (422, None))
        return answer(status, str(error), None if wait is None else {"retry-after": str(wait)})

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place, what = ".".join(str(part) for part in first["loc"] if part != "body"), first["msg"]
        if first["type"] == "json_invalid":
            return answer(422, f"the body is not JSON, from character {place} on")
        return answer(422, f"{place or 'the body'}: {what[:1].lower()}{what[1:]}")

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, SENTENCES.get(error.status_code, str(error.detail).lower()), error.headers)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        return answer(500, f"this is a fault of variegate ({type(error).__name__}); the server's log has it")
