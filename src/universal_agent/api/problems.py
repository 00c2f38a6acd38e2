"""Errors over HTTP: always application/problem+json (RFC 9457).

The exceptions of errors.py map to a status and a type; any other exception becomes a 500 with an id
that is also in the log, and without internal details.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from universal_agent.api.openapi import extend_openapi
from universal_agent.domain.complaints import complaints_of
from universal_agent.domain.text_rules import log_text
from universal_agent.errors import (
    EngineOff,
    Unauthorized,
    Unavailable,
    UniversalAgentError,
    UpgradeRequired,
)
from universal_agent.masking import mask

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
    426: "Upgrade required",
    429: "Limit reached",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable",
}

#: Details for statuses that the framework answers with their name alone.
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not answer to that method.",
}

#: Retry-After seconds: for a busy store, and for an engine that is switched off.
_STORE_RETRY_SECONDS = 1
_SWITCH_RETRY_SECONDS = 60


class Problem(BaseModel):
    """An error."""

    type: str = Field(description="What kind of error: a name for programs.")
    title: str = Field(description="The kind of error in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was expected and what came.")
    field: str | None = Field(default=None, description="The field or parameter to blame.")
    instance: str | None = Field(default=None, description="This very error, as in the log.")
    estimated_events: int | None = Field(
        default=None, description="Of a window that is too large: about how many events it has."
    )
    start: str | None = Field(default=None, description="Of such a window: where it starts.")
    suggested_end: str | None = Field(
        default=None, description="Of such a window: an end with which it is not too large."
    )


def problem(
    status: int,
    detail: str,
    *,
    slug: str,
    title: str | None = None,
    field: str | None = None,
    instance: str | None = None,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document; `details` are members of its own kind."""
    content: dict[str, object] = {
        **(details or {}),
        "type": f"urn:universal-agent:problem:{slug}",
        "title": title or _TITLES.get(status, "Error"),
        "status": status,
        "detail": mask(detail),
    }
    if field is not None:
        content["field"] = mask(field)
    if instance is not None:
        content["instance"] = instance
    return Response(
        orjson.dumps(content), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def problem_of(error: UniversalAgentError) -> Response:
    """The problem document of an error that was raised on purpose."""
    headers = {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="universal-agent"'
    if isinstance(error, UpgradeRequired):
        headers["Upgrade"] = "websocket"
        headers["Connection"] = "Upgrade"
    wait = getattr(error, "retry_after_seconds", None)
    if wait is None and isinstance(error, Unavailable):
        wait = _SWITCH_RETRY_SECONDS if isinstance(error, EngineOff) else _STORE_RETRY_SECONDS
    if wait is not None:
        headers["Retry-After"] = str(wait)
    return problem(
        error.status,
        error.message,
        slug=error.slug,
        title=error.title,
        field=error.field,
        details=error.details,
        headers=headers,
    )


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries: these statuses answer with a Problem."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


#: What every route can answer with, for `FastAPI(responses=...)`: the outer layer refused, the
#: request was malformed, or something broke.
EVERYWHERE = problem_responses(400, 401, 403, 408, 413, 422, 429, 431, 500, 503)


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app with a problem document, and say so in its OpenAPI.

    Layers added to the app afterwards see these answers too.
    """

    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, UniversalAgentError)
        return problem_of(error)

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        complaints = complaints_of(error.errors())
        detail = "; ".join(f"{field}: {text}" for field, text in complaints.items())
        return problem(422, detail, slug="malformed-request", field=next(iter(complaints)))

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status, detail = error.status_code, error.detail
        if detail == HTTPStatus(status).phrase:
            detail = _SENTENCES.get(status, f"{detail}.")
        return problem(status, detail, slug=f"http-{status}", headers=error.headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        return _unforeseen(request.scope, error)

    app.add_exception_handler(UniversalAgentError, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
    app.add_middleware(UnforeseenErrors)
    extend_openapi(app, _describe_problem)


class UnforeseenErrors:
    """ASGI layer: an exception that nobody handled is logged once and answered with a 500.

    The framework's own way raises it again after answering, and the server then logs it a second
    time, in its own form.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            response = _unforeseen(scope, error)
            if not started:
                await response(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            # An answer that has begun is left unfinished: the server closes the connection.


def _unforeseen(scope: Scope, error: Exception) -> Response:
    error_id = uuid4().hex
    _log.error(
        "request_failed",
        error_id=error_id,
        method=scope.get("method", "WEBSOCKET"),
        path=log_text(scope["path"]),
        exc_info=error,
    )
    return problem(
        500,
        f"Something went wrong; the log has the cause under {error_id}.",
        slug="internal",
        instance=f"urn:universal-agent:error:{error_id}",
    )


def _describe_problem(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("Problem", Problem.model_json_schema())
