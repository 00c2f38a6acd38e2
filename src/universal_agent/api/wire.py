"""Answers as JSON, and what all routers share."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Header, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from universal_agent.domain.text_rules import check_json, check_text
from universal_agent.errors import InvalidInput
from universal_agent.runtime import Runtime
from universal_agent.store.values import Once
from universal_agent.views.event_frames import with_stubs


class Body(BaseModel):
    """A request body: the types are exact, and a field that is not known is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Answer(BaseModel):
    """An answer's documented shape. Answers are written directly, not through the model."""

    model_config = ConfigDict(extra="allow")


def answer(content: Mapping[str, Any], *, status: int = 200) -> Response:
    """A JSON response, encoded once."""
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


def answer_events(content: Mapping[str, Any], name: str) -> Response:
    """A JSON response with envelopes of events under `name`.

    One that cannot be written is replaced by a stub; looking at each costs as much as writing it.
    """
    try:
        return answer(content)
    except TypeError:
        return answer({**content, name: with_stubs(content[name])})


def runtime_of(request: Request) -> Runtime:
    """The runtime that the app was made with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def operator(request: Request) -> str:
    """The principal, for the audit of decisions."""
    return str(request.scope.get("state", {}).get("principal", "operator"))


#: The most free-form JSON that a field takes, in bytes.
_MOST_BYTES = 64 * 1024


def bounded(content: dict[str, Any], field: str) -> dict[str, Any]:
    """The content. Raises InvalidInput as `check_json` does."""
    check_json(content, field, _MOST_BYTES)
    return content


def _plain(text: str) -> str:
    try:
        check_text(text, "text")
    except InvalidInput as error:
        raise ValueError(error.message) from None
    return text


#: A note or a reason, where a person or a log will read it.
PlainText = Annotated[str, Field(max_length=1000), AfterValidator(_plain)]


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key makes the same thing once; kept for 24 hours.",
    ),
]


def once_from(key: str | None, request: Request, body: Mapping[str, Any]) -> Once | None:
    """What the store remembers of an Idempotency-Key, if there is one."""
    if key is None:
        return None
    # Not orjson, which refuses integers beyond 64 bits; the body is validated elsewhere.
    return once_of(key, request, json.dumps(body, sort_keys=True).encode())


def once_of(key: str, request: Request, content: bytes) -> Once:
    """The key in its route, and the request that it is for."""
    return Once(
        key=f"{request.method} {request.url.path} {key}",
        fingerprint=hashlib.blake2b(content, digest_size=16).hexdigest(),
    )
