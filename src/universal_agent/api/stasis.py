"""The stasis queue and decisions on missed slots (docs/contract.md, Calendar)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.slot_actions import ActionDone, EventId, done, resolution
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.stasis import MissedRecord, StasisAction
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"], route_class=OnceRoute)


class StasisPage(Answer):
    stasis_queue: list[dict[str, Any]]
    total: int


class Bulk(Body):
    """Names what is meant by ids, by any member of a group, or by the outage."""

    event_ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    group: str | None = Field(default=None, max_length=200)
    outage: str | None = Field(default=None, max_length=100)
    action: Literal["approve_backfill_run", "reschedule", "delete_missed"]
    note: PlainText | None = None
    run_at: str | int | float | None = None
    timezone: str | None = Field(default=None, max_length=100)


class BulkDone(Answer):
    results: list[dict[str, Any]]
    done: int
    refused: int


@router.get(
    "/stasis",
    summary="Missed slots that wait for a decision",
    response_model=StasisPage,
    responses=problem_responses(422, 503),
)
async def stasis_queue(request: Request) -> Response:
    runtime = runtime_of(request)
    items = await runtime.calendar.stasis_queue(now=runtime.clock.now())
    # The oldest groups are listed; all of them are counted.
    total = (
        len(items)
        if len(items) < MAX_GROUPS
        else await runtime.store.read(verbs.calendar.count_stasis_groups)
    )
    return answer({"stasis_queue": items, "total": total})


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
        action=StasisAction(body.action),
        by=operator(request),
        event_ids=body.event_ids or ([body.group] if body.group else []),
        outage_id=body.outage,
        note=body.note,
        run_at=body.run_at,
        timezone=body.timezone,
        once=once_in(request),
    )
    results: list[dict[str, Any]] = []
    for outcome in outcomes:
        if outcome.resolved is not None:
            done = resolution(runtime, outcome.resolved)
            results.append({"event_id": outcome.event_id, "status": "ok", **done})
        elif outcome.error is not None:
            error = outcome.error
            results.append(
                {
                    "event_id": outcome.event_id,
                    "status": "refused",
                    "code": error.status,
                    "detail": error.message,
                }
            )
    done_count = sum(result["status"] == "ok" for result in results)
    return answer({"results": results, "done": done_count, "refused": len(results) - done_count})


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
