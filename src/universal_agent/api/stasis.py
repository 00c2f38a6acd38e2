"""The stasis queue and decisions on missed slots (docs/contract.md, Calendar)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.slot_actions import ActionDone, EventId, done, resolution
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.stasis import MissedRecord, StasisAction
from universal_agent.errors import InvalidInput

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"], route_class=OnceRoute)


class StasisPage(Answer):
    stasis_queue: list[dict[str, Any]]
    total: int
    next_cursor: str | None


class ExpiredPage(Answer):
    expired: list[dict[str, Any]]
    next_cursor: str | None


class Bulk(Body):
    """Names what is meant by ids, by any member of a group, or by the outage.

    With the action `recommended` each item is decided as is recommended for it at that time. With
    `preview` nothing is decided; the answer says what would be.
    """

    event_ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    group: str | None = Field(default=None, max_length=200)
    outage: str | None = Field(default=None, max_length=100)
    action: Literal["approve_backfill_run", "reschedule", "delete_missed", "recommended"]
    note: PlainText | None = None
    run_at: str | int | float | None = None
    timezone: str | None = Field(default=None, max_length=100)
    preview: bool | None = None


class BulkDone(Answer):
    results: list[dict[str, Any]]
    done: int
    refused: int


Cursor = Annotated[
    str | None, Query(max_length=500, description="The `next_cursor` of the page before.")
]


@router.get(
    "/stasis",
    summary="Missed slots that wait for a decision, what can still be saved first",
    response_model=StasisPage,
    responses=problem_responses(400, 422, 503),
)
async def stasis_queue(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_GROUPS)] = MAX_GROUPS,
    cursor: Cursor = None,
) -> Response:
    runtime = runtime_of(request)
    now = runtime.clock.now()
    return answer(await runtime.stasis_view.queue(now=now, limit=limit, cursor=cursor))


@router.get(
    "/stasis/expired",
    summary="Missed slots that expired without a decision, the latest first",
    response_model=ExpiredPage,
    responses=problem_responses(400, 422, 503),
)
async def expired(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> Response:
    return answer(await runtime_of(request).stasis_view.expired(limit=limit, cursor=cursor))


@router.post(
    "/stasis/bulk",
    summary="Decide many missed slots",
    response_model=BulkDone,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def bulk(request: Request, body: Bulk) -> Response:
    runtime = runtime_of(request)
    if sum(given is not None for given in (body.event_ids, body.group, body.outage)) != 1:
        raise InvalidInput("expected one of event_ids, group or outage", field="event_ids")
    outcomes = await runtime.stasis.resolve_many(
        action=None if body.action == "recommended" else StasisAction(body.action),
        by=operator(request),
        event_ids=body.event_ids or ([body.group] if body.group else []),
        outage_id=body.outage,
        note=body.note,
        run_at=body.run_at,
        timezone=body.timezone,
        once=None if body.preview else once_in(request),
        preview=bool(body.preview),
    )
    results: list[dict[str, Any]] = []
    for outcome in outcomes:
        result: dict[str, Any] = {"event_id": outcome.event_id}
        if outcome.recommended is not None:
            result["recommended"] = outcome.recommended.document()
        if outcome.resolved is not None:
            result |= {"status": "ok", **resolution(runtime, outcome.resolved)}
        elif outcome.error is not None:
            error = outcome.error
            result |= {"status": "refused", "code": error.status, "detail": error.message}
        else:
            result["status"] = "preview"
        results.append(result)
    done_count = sum(result["status"] == "ok" for result in results)
    refused_count = sum(result["status"] == "refused" for result in results)
    return answer({"results": results, "done": done_count, "refused": refused_count})


@router.post(
    "/stasis/{event_id}/undo",
    summary="Take back a deletion, within a minute",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 422, 503),
)
async def undo(request: Request, event_id: EventId) -> Response:
    slot = SlotKey.parse(event_id)

    def render(record: MissedRecord) -> dict[str, Any]:
        return {**done(slot, "undo"), "event_id": record.event_id}

    with answering(request, MissedRecord, render=render) as reply:
        record = await runtime_of(request).stasis.undo_delete(slot, by=operator(request))
    return reply(record)
