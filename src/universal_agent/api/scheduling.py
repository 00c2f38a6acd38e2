"""Event replay, the event stream, explanations and the ledger (docs/contract.md, Events)."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from universal_agent.api.problems import problem_responses
from universal_agent.api.sse import EventStream
from universal_agent.api.wire import Answer, answer, answer_events, runtime_of
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.slot import SlotKey
from universal_agent.errors import EngineOff

router = APIRouter(prefix="/api/v1/ops/scheduling", tags=["scheduling"])

_DAY = timedelta(days=1)


class Replay(Answer):
    events: list[dict[str, Any]]
    event_bus_seq: int
    projection_version: int
    projection_last_event_seq: int
    stream_id: str
    oldest_seq: int
    has_more: bool
    gap: bool


class LedgerDocument(Answer):
    start_utc: str
    end_utc: str
    expected: int
    outcomes: dict[str, Any]
    unaccounted: list[str]
    unaccounted_count: int


@router.get(
    "/events",
    summary="Events after a seq, oldest first",
    response_model=Replay,
    responses=problem_responses(422, 503),
)
async def replay(
    request: Request,
    since_seq: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> Response:
    runtime = runtime_of(request)
    found = await runtime.event_feed.replay(since_seq=since_seq, limit=limit)
    return answer_events(found, "events")


@router.get(
    "/stream",
    summary="Events as they happen (text/event-stream)",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Frames with id and data."},
        **problem_responses(422, 503),
    },
)
async def stream(
    request: Request,
    since_seq: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    heartbeat_seconds: Annotated[float, Query(allow_inf_nan=False)] = 20.0,
    once: bool = False,
    stream_id: Annotated[str | None, Query(max_length=100)] = None,
    client_id: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=100,
            description="A random name of the client; its new stream ends the one before.",
        ),
    ] = None,
    ops_token: Annotated[str | None, Query(max_length=1000)] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
) -> Response:
    runtime = runtime_of(request)
    if not runtime.flags["UA_SCHED_PUSH_ENABLED"]:
        raise EngineOff("Scheduling push stream disabled.")
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdecimal():
        since_seq = min(int(last_event_id), 2**53)
    frames = runtime.event_feed.stream(
        since_seq=since_seq,
        stream_id=stream_id,
        heartbeat_seconds=min(max(heartbeat_seconds, 2.0), 60.0),
        once=once,
        client_id=client_id,
    )
    return EventStream(frames, ends=once)


class ExplainDocument(Answer):
    event_id: str
    outcome: str
    sentences: list[str]
    events: list[dict[str, Any]]


@router.get(
    "/explain",
    summary="Why a slot ran, did not, or ran late",
    response_model=ExplainDocument,
    responses=problem_responses(400, 422, 503),
)
async def explain_slot(
    request: Request, event_id: Annotated[str, Query(min_length=1, max_length=200)]
) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    found = await runtime.ledger.explain(slot, now=runtime.clock.now())
    return answer_events(found, "events")


@router.get(
    "/ledger",
    summary="Expected slots against recorded outcomes",
    response_model=LedgerDocument,
    responses=problem_responses(400, 422, 503),
)
async def ledger(
    request: Request,
    start: Annotated[str | None, Query(max_length=100)] = None,
    end: Annotated[str | None, Query(max_length=100)] = None,
    job_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
) -> Response:
    runtime = runtime_of(request)
    now = runtime.clock.now()
    zone = runtime.settings.default_timezone

    def read(text: str, field: str) -> datetime:
        return parse_instant(text, now=now, timezone=zone, field=field, past=True)

    until = now if end is None else read(end, "end")
    since = until - _DAY if start is None else read(start, "start")
    return answer(await runtime.ledger.ledger(start=since, end=until, now=now, job_id=job_id))
