"""The calendar and its actions, and the stasis queue (docs/contract.md, Calendar)."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering, end_turn, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.calendar_days import View
from universal_agent.domain.calendar_facts import Detail
from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.exceptions import ExceptionKind
from universal_agent.domain.job import Job, OffLabel
from universal_agent.domain.proposal import Proposal
from universal_agent.domain.run import JobId, Run
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.engine.changes import CHANGES, outcome_of, proposal_document
from universal_agent.errors import InvalidInput
from universal_agent.runtime import Runtime
from universal_agent.store.base import Resolved
from universal_agent.store.keyed import Effect
from universal_agent.views.calendar import FeedQuery
from universal_agent.views.cron import run_document

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"], route_class=OnceRoute)

EventId = Annotated[str, Path(min_length=1, max_length=200, examples=["cron|job_1a2b|1767225600"])]
Text = Annotated[str | None, Query(max_length=100)]

ACTIONS = (
    "run_now",
    "pause",
    "resume",
    "disable",
    "open_logs",
    "open_session",
    *(action.value for action in StasisAction),
)


#: How long an action waits for the run that it starts.
ACTION_WAIT_SECONDS = 2.0


class FeedDocument(Answer):
    timezone: str
    view: str
    detail: Detail
    start_utc: str
    end_utc: str
    start_local: str
    end_local: str
    events: list[dict[str, Any]]
    always_running: list[dict[str, Any]]
    stasis_queue: list[dict[str, Any]]
    legend: dict[str, str]
    version: int
    last_event_at_utc: str | None
    days: list[dict[str, Any]]


class FeedChanges(Answer):
    """What changed since the version that the client holds; lists where they changed."""

    timezone: str
    view: str
    detail: Detail
    start_utc: str
    end_utc: str
    version: int
    delta: Literal[True]
    since_version: int
    upserts: list[dict[str, Any]]
    removed: list[str]
    always_running: list[dict[str, Any]] | None = None
    stasis_queue: list[dict[str, Any]] | None = None


class Action(Body):
    action: str = Field(max_length=100, examples=["approve_backfill_run"])
    run_at: str | int | float | None = Field(default=None, examples=["in 20 minutes"])
    timezone: str | None = Field(default=None, max_length=100)
    note: PlainText | None = None
    scope: Literal["slot", "group"] | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=300)] | None = Field(
        default=None, description="How long to wait for a run to end; 2 by default."
    )


class ActionDone(Answer):
    event_id: str
    source: str
    source_ref: str
    status: Literal["ok"]
    action: str


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
    "/calendar/events",
    summary="The calendar of a window",
    response_model=FeedDocument | FeedChanges,
    responses={
        304: {"description": "Nothing has changed since the ETag that was sent."},
        **problem_responses(400, 422, 503),
    },
)
async def calendar_feed(
    request: Request,
    source: Literal["all", "cron", "heartbeat"] = "all",
    view: View | None = None,
    start: Text = None,
    end: Text = None,
    owner: Text = None,
    timezone_name: Text = None,
    timezone: Text = None,
    source_ref: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
    include_resolved: bool = False,
    detail: Annotated[
        Detail,
        Query(
            description="What is listed slot by slot: `all` but jobs with more than 288 slots a "
            "day; `summary`: no heartbeats either, nor jobs with more than 96; `counts`: nothing. "
            "The rest is in `always_running`, counted by the hour."
        ),
    ] = Detail.ALL,
    since_version: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None,
) -> Response:
    runtime = runtime_of(request)
    runtime.metrics.count("calendar_events_requests")
    query = FeedQuery(
        source=source,
        view=view,
        start=start,
        end=end,
        owner=owner,
        timezone=timezone_name or timezone,
        source_ref=source_ref,
        include_resolved=include_resolved,
        detail=detail,
    )
    found = await runtime.calendar.answer(
        query,
        now=runtime.clock.now(),
        if_none_match=if_none_match,
        since_version=since_version,
    )
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
    if found.body is None:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


@router.post(
    "/calendar/events/{event_id}/action",
    summary="Act on a calendar event",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def act(request: Request, event_id: EventId, body: Action) -> Response:
    runtime = runtime_of(request)
    runtime.metrics.count("calendar_action_requests")
    slot = SlotKey.parse(event_id)
    if body.action in tuple(StasisAction):
        resolved = await runtime.stasis.resolve(
            slot,
            StasisAction(body.action),
            scope=Scope(body.scope or Scope.GROUP),
            by=operator(request),
            note=body.note,
            run_at=body.run_at,
            timezone=body.timezone,
            once=once_in(request),
        )
        return await _with_run(request, slot, body, resolved.run, _resolved(runtime, resolved))
    commands, job_id = runtime.commands(slot.source), JobId(slot.source_ref)
    if body.action == "run_now":
        run = await commands.run_now(job_id, once=once_in(request))
        return await _with_run(request, slot, body, run, {})
    if body.action not in _SWITCHES:
        return answer({**_done(slot, body.action), **await _act_on_job(runtime, slot, body.action)})

    def render(job: Job) -> dict[str, Any]:
        return {**_done(slot, body.action), "job": runtime.cron.job_document(job)}

    with answering(request, Job, render=render) as reply:
        label = _SWITCHES[body.action]
        if label is None:
            job = await commands.resume(job_id)
        else:
            job = await commands.switch_off(job_id, label)
    return reply(job)


#: The actions that switch a job, and what an off job is called.
_SWITCHES = {"pause": OffLabel.PAUSED, "disable": OffLabel.DISABLED, "resume": None}


async def _with_run(
    request: Request, slot: SlotKey, body: Action, run: Run | None, result: dict[str, Any]
) -> Response:
    """The answer with the run as it is after a while. While the run goes on the answer is not kept:
    a repeat waits for the same run.
    """
    if run is not None:
        end_turn(request)
        seconds = ACTION_WAIT_SECONDS if body.wait_seconds is None else body.wait_seconds
        run = await runtime_of(request).commands(slot.source).wait_for(run, seconds)
        result["run"] = run_document(run)
    return answer({**_done(slot, body.action), **result})


async def _act_on_job(runtime: Runtime, slot: SlotKey, action: str) -> dict[str, Any]:
    job_id = JobId(slot.source_ref)
    match action:
        case "open_logs":
            return {"path": await runtime.cron.log_of(slot)}
        case "open_session":
            session_id = (await runtime.commands(slot.source).get(job_id)).spec.session_id
            if session_id is None:
                raise InvalidInput("expected a job that is bound to a session", field="action")
            session = await runtime.session_view.session(session_id)
            return {"session_id": session_id, "session": session}
        case _:
            raise InvalidInput(
                f"expected one of {', '.join(ACTIONS)}, got {action[:100]!r}", field="action"
            )


def _resolved(runtime: Runtime, resolved: Resolved) -> dict[str, Any]:
    result: dict[str, Any] = {"resolution": resolved.record.span.status}
    if resolved.run is not None:
        result["run"] = run_document(resolved.run)
    if resolved.job is not None:
        result["job"] = runtime.cron.job_document(resolved.job)
    return result


class ChangeRequest(Body):
    instruction: str = Field(min_length=1, max_length=300, examples=["every weekday at 9am"])
    timezone: str | None = Field(default=None, max_length=100)


class Proposed(Answer):
    proposal: dict[str, Any]


class Confirmation(Body):
    proposal_id: str = Field(min_length=1, max_length=64)
    approve: bool


class Confirmed(Answer):
    status: Literal["applied", "rejected"]
    event_id: str
    source: str
    source_ref: str
    proposal: dict[str, Any]
    result: dict[str, Any]


@router.post(
    "/calendar/events/{event_id}/change-request",
    summary="Propose a change in words; nothing changes yet",
    response_model=Proposed,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def request_change(request: Request, event_id: EventId, body: ChangeRequest) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    runtime.metrics.count("calendar_change_request_requests")

    def render(made: Proposal | Effect[Proposal]) -> dict[str, Any]:
        proposal = made.value if isinstance(made, Effect) else made
        return {"proposal": proposal_document(proposal)}

    with answering(request, Effect, render=render) as reply:
        proposal = await runtime.changes.propose(slot, body.instruction, timezone=body.timezone)
    return reply(proposal)


@router.post(
    "/calendar/events/{event_id}/change-request/confirm",
    summary="Make a proposed change, or reject it",
    response_model=Confirmed,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def confirm_change(request: Request, event_id: EventId, body: Confirmation) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    runtime.metrics.count("calendar_change_confirm_requests")
    proposal = await runtime.changes.proposal(slot, body.proposal_id)

    def render(effect: object) -> dict[str, Any]:
        status, result = outcome_of(proposal, effect)
        return {
            "status": status,
            "event_id": slot.event_id,
            "source": slot.source,
            "source_ref": slot.source_ref,
            "proposal": proposal_document(replace(proposal, status=status)),
            "result": result,
        }

    with answering(request, *CHANGES, render=render) as reply:
        effect = await runtime.changes.confirm(
            slot, proposal, approve=body.approve, by=operator(request)
        )
    return reply(effect)


class ExceptionBody(Body):
    """Exactly one of the three."""

    skip: Literal[True] | None = None
    move_to: str | int | float | None = Field(default=None, examples=["in 2 hours"])
    run_early: Literal[True] | None = None
    timezone: str | None = Field(default=None, max_length=100)


@router.post(
    "/calendar/events/{event_id}/exception",
    summary="Skip, move or run early a single future slot",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def make_exception(request: Request, event_id: EventId, body: ExceptionBody) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    wanted = {
        ExceptionKind.SKIP: body.skip,
        ExceptionKind.MOVE: body.move_to,
        ExceptionKind.RUN_EARLY: body.run_early,
    }
    kinds = [kind for kind, value in wanted.items() if value is not None]
    if len(kinds) != 1:
        raise InvalidInput("expected one of skip, move_to and run_early", field="skip")

    def render(made: Run | Effect[Run | None] | None) -> dict[str, Any]:
        run = made.value if isinstance(made, Effect) else made
        return {
            **_done(slot, kinds[0]),
            **({} if run is None else {"run": run_document(run)}),
        }

    with answering(request, Effect, render=render) as reply:
        run = await runtime.exceptions.make(
            slot, kinds[0], by=operator(request), move_to=body.move_to, timezone=body.timezone
        )
    return reply(run)


@router.delete(
    "/calendar/events/{event_id}/exception",
    summary="Take back a skip or a move",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 422, 503),
)
async def undo_exception(request: Request, event_id: EventId) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    await runtime.exceptions.undo(slot, by=operator(request))
    return answer(_done(slot, "undo"))


def _done(slot: SlotKey, action: str) -> dict[str, Any]:
    return {
        "event_id": slot.event_id,
        "source": slot.source,
        "source_ref": slot.source_ref,
        "status": "ok",
        "action": action,
    }


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
    total = len(items) if len(items) < MAX_GROUPS else await runtime.store.count_stasis_groups()
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
            done = _resolved(runtime, outcome.resolved)
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
        return {**_done(slot, "undo"), "event_id": record.event_id}

    with answering(request, MissedRecord, render=render) as reply:
        record = await runtime_of(request).stasis.undo_delete(slot, by=operator(request))
    return reply(record)
