"""How is an error shown over HTTP? As application/problem+json (RFC 9457), always.

The exception tree of errors.py maps to a status and a type; what is not foreseen becomes a 500
with an id that is also in the log, and no detail of the inside.
"""

from typing import Any
from uuid import uuid4

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from universal_agent.errors import Unavailable, UniversalAgentError

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "Bad value",
    401: "Token needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    422: "Malformed request",
    429: "Limit reached",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable",
}


class Problem(BaseModel):
    """An error."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


def problem(
    status: int, detail: str, *, slug: str, title: str | None = None, field: str | None = None
) -> Response:
    """A problem document."""
    content = {
        "type": f"urn:universal-agent:problem:{slug}",
        "title": title or _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    if field is not None:
        content["field"] = field
    return Response(orjson.dumps(content), status_code=status, media_type=MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries: these statuses answer with a Problem."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, UniversalAgentError)
        response = problem(
            error.status, error.message, slug=error.slug, title=error.title, field=error.field
        )
        if isinstance(error, Unavailable):
            response.headers["Retry-After"] = "1"
        return response

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return problem(422, f"{place}: {first['msg']}", slug="malformed-request", field=place)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = problem(error.status_code, str(error.detail), slug=f"http-{error.status_code}")
        response.headers.update(error.headers or {})
        return response

    async def unforeseen(request: Request, error: Exception) -> Response:
        error_id = uuid4().hex
        _log.error(
            "request_failed",
            action="request_failed",
            error_id=error_id,
            path=request.url.path,
            exc_info=error,
        )
        return problem(
            500, f"Something went wrong; the log has the cause under {error_id}.", slug="internal"
        )

    app.add_exception_handler(UniversalAgentError, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
