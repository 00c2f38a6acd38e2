"""The calendar and its actions (docs/contract.md, Calendar)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering, end_turn, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.slot_actions import ActionDone, EventId, done, resolution
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.calendar_days import View
from universal_agent.domain.calendar_facts import Detail
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import DISABLED, PAUSED, RESUMED
from universal_agent.domain.run import JobId, Run
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.errors import InvalidInput
from universal_agent.runtime import Runtime
from universal_agent.views.calendar import FeedQuery
from universal_agent.views.cron import run_document

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"], route_class=OnceRoute)

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
        return await _with_run(request, slot, body, resolved.run, resolution(runtime, resolved))
    commands, job_id = runtime.commands(slot.source), JobId(slot.source_ref)
    if body.action == "run_now":
        run = await commands.run_now(job_id, once=once_in(request))
        return await _with_run(request, slot, body, run, {})
    if body.action not in _SWITCHES:
        return answer({**done(slot, body.action), **await _act_on_job(runtime, slot, body.action)})

    def render(job: Job) -> dict[str, Any]:
        return {**done(slot, body.action), "job": runtime.cron.job_document(job)}

    with answering(request, Job, render=render) as reply:
        job = await commands.edit(job_id, _SWITCHES[body.action])
    return reply(job)


#: The actions that switch a job off and on.
_SWITCHES = {"pause": PAUSED, "disable": DISABLED, "resume": RESUMED}


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
    return answer({**done(slot, body.action), **result})


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
