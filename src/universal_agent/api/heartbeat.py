"""The heartbeats of sessions (docs/contract.md, Heartbeats)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.heartbeat import CHECKLIST_FILE, OVERRIDES_FILE
from universal_agent.domain.run import Run
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import WakeMode
from universal_agent.errors import InvalidInput
from universal_agent.store.effects import Effect
from universal_agent.store.values import Told

router = APIRouter(prefix="/api/v1/heartbeat", tags=["heartbeats"], route_class=OnceRoute)

_REF = r"^[A-Za-z0-9_-]{1,64}$"

NamedSession = Annotated[str, Query(pattern=_REF)]
SessionId = Annotated[str | None, Query(pattern=_REF)]
RunId = Annotated[str | None, Query(pattern=_REF)]


class WakeBody(Body):
    """The session to beat, and when; without an id, every session."""

    session_id: str | None = Field(default=None, pattern=_REF)
    reason: PlainText | None = None
    mode: Literal["now", "next"] = "now"


class Woken(Answer):
    status: Literal["queued"]
    reason: str | None
    mode: Literal["now", "next"]


class FilesBody(Body):
    """The files to replace; null removes one, and one that is not named stays."""

    checklist: str | None = Field(
        default=None, description="HEARTBEAT.md.", examples=["- [ ] disk: `test -d /srv`"]
    )
    config: str | None = Field(
        default=None, description="HEARTBEAT.json.", examples=['{"every": "30m"}']
    )
    version: str | None = Field(
        default=None,
        max_length=64,
        description="The version that was read; 409 when a file changed since.",
    )


class FilesDocument(Answer):
    session_id: str
    workspace_dir: str
    checklist: str | None
    config: str | None
    version: str
    checks: list[dict[str, Any]]
    agent_lines: list[int]
    findings: list[dict[str, Any]]
    problems: list[str]
    config_error: str | None


_FILES = {"checklist": CHECKLIST_FILE, "config": OVERRIDES_FILE}


class LastBeat(Answer):
    """One session's heartbeat, or without an id those of all, in `heartbeats` by session."""


class SuppressedPage(Answer):
    suppressed: list[dict[str, Any]]
    has_more: bool


@router.get(
    "/last",
    summary="The state of a session's heartbeat, or of every session's",
    response_model=LastBeat,
    responses=problem_responses(404, 422, 503),
)
async def last(request: Request, session_id: SessionId = None) -> Response:
    runtime = runtime_of(request)
    runtime.metrics.count("heartbeat_last_requests")
    runtime.require(Source.HEARTBEAT)
    if session_id is None:
        return answer({"heartbeats": await runtime.heartbeat_view.last_of_all()})
    return answer(await runtime.heartbeat_view.last(session_id))


@router.get(
    "/suppressed",
    summary="Replies of beats that were not delivered, newest first, with the reason",
    response_model=SuppressedPage,
    responses=problem_responses(422, 503),
)
async def suppressed(
    request: Request,
    session_id: SessionId = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: RunId = None,
) -> Response:
    runtime = runtime_of(request)
    runtime.require(Source.HEARTBEAT)
    found = await runtime.heartbeat_view.suppressed(
        session_id=session_id, limit=limit, before=before
    )
    return answer(found)


@router.get(
    "/files",
    summary="The files that steer a session's beats",
    response_model=FilesDocument,
    responses=problem_responses(404, 422, 503),
)
async def files(request: Request, session_id: NamedSession) -> Response:
    runtime = runtime_of(request)
    runtime.require(Source.HEARTBEAT)
    return answer(await runtime.heartbeat_view.files(session_id))


@router.put(
    "/files",
    summary="Replace the files that steer a session's beats",
    response_model=FilesDocument,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def write_files(request: Request, session_id: NamedSession, body: FilesBody) -> Response:
    runtime = runtime_of(request)
    runtime.require(Source.HEARTBEAT)
    given = body.model_dump(exclude_unset=True)
    texts = {name: given[field] for field, name in _FILES.items() if field in given}
    if not texts:
        raise InvalidInput("expected checklist or config, got neither", field="checklist")
    await runtime.heartbeats.write_files(session_id, texts, version=body.version)
    return answer(await runtime.heartbeat_view.files(session_id))


@router.post(
    "/wake",
    summary="Request a session's beat, immediately or with the next one",
    response_model=Woken,
    responses=problem_responses(404, 409, 413, 422, 503),
)
async def wake(request: Request, body: WakeBody) -> Response:
    runtime = runtime_of(request)
    runtime.metrics.count("heartbeat_wake_requests")
    heartbeats = runtime.heartbeats
    mode, by = WakeMode(body.mode), operator(request)

    def render(woken: Told | Effect[Run | None] | Run | None) -> dict[str, Any]:
        who: dict[str, Any]
        if isinstance(woken, Told):
            who = {"count": len(woken.session_ids)}
        else:
            run = woken.value if isinstance(woken, Effect) else woken
            who = {"session_id": body.session_id, "run_id": run and run.run_id}
        return {"status": "queued", **who, "reason": body.reason, "mode": body.mode}

    with answering(request, Told, Effect, render=render) as reply:
        woken = (
            await heartbeats.wake_all(mode, reason=body.reason, by=by)
            if body.session_id is None
            else await heartbeats.wake(body.session_id, mode, reason=body.reason, by=by)
        )
    return reply(woken)
