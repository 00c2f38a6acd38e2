"""System events for sessions, and presence (docs/contract.md, Heartbeats)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, PlainText, answer, bounded, operator, runtime_of
from universal_agent.domain.system_event import WAKE, WakeMode
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs
from universal_agent.store.values import Told

router = APIRouter(prefix="/api/v1/system", tags=["heartbeats"], route_class=OnceRoute)

_REF = r"^[A-Za-z0-9_-]{1,64}$"
_WORD = r"^[A-Za-z0-9_.:-]{1,100}$"


class SystemEventBody(Body):
    """An event for one session's next beat or, without an id, for every session's."""

    session_id: str | None = Field(default=None, pattern=_REF)
    event_type: str = Field(default="system_event", pattern=_WORD)
    payload: dict[str, Any] = Field(default_factory=dict)
    wake_heartbeat: Literal["now", "next"] | None = None


class SystemEventQueued(Answer):
    status: Literal["queued"]
    count: int


class SystemEventPage(Answer):
    events: list[dict[str, Any]]


class PresenceBody(Body):
    """A node's report about itself."""

    node_id: str = Field(default="gateway", pattern=_WORD)
    status: str = Field(default="online", pattern=_WORD)
    reason: PlainText | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class PresenceKept(Answer):
    status: Literal["ok"]
    presence: dict[str, Any]


class PresencePage(Answer):
    nodes: list[dict[str, Any]]


@router.post(
    "/event",
    summary="Queue an event for a session's next beat",
    response_model=SystemEventQueued,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def queue_event(request: Request, body: SystemEventBody) -> Response:
    if body.event_type == WAKE:
        raise InvalidInput(f"expected another type than {WAKE}", field="event_type")
    payload = bounded(body.payload, "payload")
    wake = None if body.wake_heartbeat is None else WakeMode(body.wake_heartbeat)
    one = {} if body.session_id is None else {"session_id": body.session_id}

    def render(told: Told) -> dict[str, Any]:
        return {"status": "queued", "count": len(told.session_ids), **one}

    with answering(request, Told, render=render) as reply:
        told = await runtime_of(request).heartbeats.tell(
            body.session_id, body.event_type, payload, by=operator(request), wake=wake
        )
    return reply(told)


@router.get(
    "/events",
    summary="Events queued for a session's next beat",
    response_model=SystemEventPage,
    responses=problem_responses(422, 503),
)
async def queued_events(
    request: Request, session_id: Annotated[str, Query(pattern=_REF)]
) -> Response:
    events = await runtime_of(request).store.read(verbs.beats.system_events, session_id)
    return answer({"session_id": session_id, "events": [event.document() for event in events]})


@router.post(
    "/presence",
    summary="Report a node as present",
    response_model=PresenceKept,
    responses=problem_responses(400, 409, 413, 422),
)
async def report_presence(request: Request, body: PresenceBody) -> Response:
    node = runtime_of(request).presence.report(
        body.node_id,
        status=body.status,
        reason=body.reason,
        metadata=bounded(body.metadata, "metadata"),
    )
    return answer({"status": "ok", "presence": node.document()})


@router.get("/presence", summary="Nodes that have reported", response_model=PresencePage)
async def presence(request: Request) -> Response:
    nodes = runtime_of(request).presence.nodes()
    return answer({"nodes": [node.document() for node in nodes]})
