"""A session's WebSocket (docs/contract.md, Sessions).

The access layer has checked token, Host and Origin before. Every outgoing message passes through
the client's buffer in the hub, so messages stay in order and no sender waits for a client.
Incoming messages are handled one at a time.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, TypeAdapter, ValidationError

from universal_agent.api.json_body import MalformedRequest, check_json
from universal_agent.api.wire import Body, bounded
from universal_agent.domain.complaints import complaints_of
from universal_agent.domain.session import TURN_CHARS, Admitted, Turn
from universal_agent.domain.slot import REF_PATTERN
from universal_agent.engine.hub import SLOW, Attachment
from universal_agent.errors import (
    InvalidInput,
    SessionNotFound,
    UniversalAgentError,
    UpgradeRequired,
)
from universal_agent.runtime import Runtime

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])

#: Close codes in addition to the protocol's own.
BAD_ID = 4000
NOT_ALLOWED = 4003
UNKNOWN = 4004
_GOING_AWAY = 1001
_TRY_LATER = 1013

#: Seconds that a disconnected client has to take its buffered messages.
_LAST_WORDS_SECONDS = 5.0

#: The longest reason that always fits into a close frame, in characters.
_REASON_CHARS = 40


class TurnBody(Body):
    """The text for the session."""

    user_input: str = Field(min_length=1, max_length=TURN_CHARS)
    client_turn_id: str | None = Field(default=None, min_length=1, max_length=200)
    metadata: dict[str, Any] = Field(default_factory=dict)


class Execute(Body):
    """Start a turn."""

    type: Literal["execute"]
    data: TurnBody


class Cancel(Body):
    """Cancel the queued or running turn."""

    type: Literal["cancel"]
    data: dict[str, Any] = Field(default_factory=dict)


class Ping(Body):
    """A keep-alive."""

    type: Literal["ping"]
    data: dict[str, Any] = Field(default_factory=dict)


_ClientMessage: TypeAlias = Execute | Cancel | Ping
_CLIENT_MESSAGE: TypeAdapter[_ClientMessage] = TypeAdapter(
    Annotated[_ClientMessage, Field(discriminator="type")]
)


@router.websocket("/{session_id}/stream")
async def stream(websocket: WebSocket, session_id: str, user_id: str | None = None) -> None:
    """Follow a session and start turns in it."""
    runtime: Runtime = websocket.app.state.runtime
    # A close reason can be sent only after the handshake is accepted.
    await websocket.accept()
    attachment = await _attach(websocket, runtime, session_id, user_id)
    if attachment is None:
        return
    try:
        await _converse(websocket, runtime, attachment)
    finally:
        runtime.sessions.detach(attachment)


@router.get("/{session_id}/stream", include_in_schema=False)
async def stream_without_upgrade() -> None:
    """The answer to a handshake that lost its Upgrade on the way."""
    raise UpgradeRequired(
        "expected a WebSocket handshake, got a request without Upgrade. A proxy in between must "
        "pass the headers Upgrade and Connection on (docs/how-to/proxy.md)."
    )


async def _attach(
    websocket: WebSocket, runtime: Runtime, session_id: str, user_id: str | None
) -> Attachment | None:
    """The client as one of the session's; None when the socket was closed instead.

    Requests for missing or foreign sessions do not count towards continuity.
    """
    if not REF_PATTERN.fullmatch(session_id):
        await websocket.close(BAD_ID, "not a session id")
        return None
    count = runtime.continuity.count
    try:
        session = await runtime.sessions.get(session_id)
        if user_id is not None and user_id != session.user_id:
            await websocket.close(NOT_ALLOWED, "another user's session")
            return None
        attachment = await runtime.sessions.attach(session, runtime.session_view.document(session))
    except SessionNotFound:
        await websocket.close(UNKNOWN, "no such session")
        return None
    except UniversalAgentError as error:
        count("ws_attach_attempts", "ws_attach_failures")
        await websocket.close(_TRY_LATER, error.title[:_REASON_CHARS])
        return None
    count("ws_attach_attempts", "ws_attach_successes")
    return attachment


async def _converse(websocket: WebSocket, runtime: Runtime, attachment: Attachment) -> None:
    """Converse until the client leaves or is disconnected."""
    tasks = [
        asyncio.create_task(_send(websocket, attachment)),
        asyncio.create_task(_receive(websocket, runtime, attachment)),
        asyncio.create_task(_grace_after_disconnect(runtime, attachment)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
            raise end


async def _send(websocket: WebSocket, attachment: Attachment) -> None:
    """Send the client's messages until it is disconnected."""
    async for message in attachment:
        await websocket.send_text(orjson.dumps(message.document()).decode())
    reason = attachment.closed or ""
    await websocket.close(_TRY_LATER if reason == SLOW else _GOING_AWAY, reason[:_REASON_CHARS])


async def _grace_after_disconnect(runtime: Runtime, attachment: Attachment) -> None:
    """Return some seconds after the disconnect: a client that reads nothing is not waited for."""
    await attachment.disconnected.wait()
    await runtime.clock.sleep(_LAST_WORDS_SECONDS)


async def _receive(websocket: WebSocket, runtime: Runtime, attachment: Attachment) -> None:
    """Handle the client's messages until it leaves."""
    while True:
        incoming = await websocket.receive()
        if incoming["type"] == "websocket.disconnect":
            return
        try:
            kind, data = await _do(runtime, attachment.session_id, _said(incoming))
        except UniversalAgentError as error:
            kind, data = "error", _problem(error)
        attachment.put(runtime.hub.message(kind, data))


def _said(incoming: Mapping[str, Any]) -> _ClientMessage:
    """Parse a message of the client. Raises InvalidInput."""
    text = incoming.get("text")
    if text is None:
        raise InvalidInput("expected text, got bytes")
    try:
        check_json(text.encode())
        return _CLIENT_MESSAGE.validate_json(text)
    except MalformedRequest as error:
        raise InvalidInput(error.message) from None
    except ValidationError as error:
        field, expected = next(iter(complaints_of(error.errors(), place="message").items()))
        raise InvalidInput(f"{field}: {expected}", field=field) from None


async def _do(
    runtime: Runtime, session_id: str, said: _ClientMessage
) -> tuple[str, dict[str, Any]]:
    """Handle a message. Returns the type and data of the answer."""
    match said:
        case Ping():
            return "pong", {}
        case Cancel():
            stopped = await runtime.sessions.cancel(session_id, by="client", beats=False)
            return "status", {"status": "cancelling" if stopped else "idle", "cancelled": stopped}
        case Execute(data=asked):
            turn = await runtime.sessions.execute(
                session_id,
                asked.user_input,
                client_turn_id=asked.client_turn_id,
                metadata=bounded(asked.metadata, "metadata"),
            )
            return _admission(runtime, turn, asked.client_turn_id)


def _admission(
    runtime: Runtime, turn: Turn, client_turn_id: str | None
) -> tuple[str, dict[str, Any]]:
    """The answer to a requested turn."""
    about = {"run_id": turn.run.run_id, "client_turn_id": client_turn_id}
    match turn.admitted:
        case Admitted.NEW:
            return "status", {"status": "accepted", **about}
        case Admitted.DUPLICATE_IN_PROGRESS:
            return "status", {"status": turn.admitted, **about}
        case Admitted.DUPLICATE_COMPLETED:
            result = runtime.turns.result(turn.run, client_turn_id=client_turn_id)
            return "query_complete", {**result, "duplicate": True}
        case Admitted.BUSY:
            detail = "Another turn of this session is under way; wait for it, or cancel it."
            return "error", {"code": "turn-busy", "detail": detail, **about}


def _problem(error: UniversalAgentError) -> dict[str, Any]:
    return {"code": error.slug, "detail": error.message, "field": error.field}
