"""Sessions (docs/contract.md, Sessions)."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer, bounded, operator, runtime_of
from universal_agent.domain.session import Session, SessionStatus
from universal_agent.domain.text_rules import USER_PATTERN
from universal_agent.errors import InvalidInput

router = APIRouter(prefix="/api/v1", tags=["sessions"], route_class=OnceRoute)

_REF = r"^[A-Za-z0-9_-]{1,64}$"
_WORD = r"^[A-Za-z0-9_.-]{1,40}$"

SessionId = Annotated[str, Path(pattern=_REF)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(pattern=_REF)]


class SessionBody(Body):
    """The session's owner and workspace."""

    user_id: str = Field(default="default", pattern=USER_PATTERN)
    workspace_dir: str | None = Field(
        default=None, max_length=500, description="A folder under the workspaces folder."
    )
    source: str = Field(default="api", pattern=_WORD)
    metadata: dict[str, Any] = Field(default_factory=dict)


class SessionMade(Answer):
    session_id: str
    user_id: str
    workspace_dir: str
    metadata: dict[str, Any]


class SessionPage(Answer):
    sessions: list[dict[str, Any]]
    total: int
    next_cursor: str | None


class SessionDeleted(Answer):
    status: str
    session_id: str
    cancelled: list[str]


class SessionCancelled(Answer):
    status: str
    session_id: str
    cancelled: list[str]


@router.post(
    "/sessions",
    summary="Create a session",
    response_model=SessionMade,
    responses=problem_responses(400, 409, 413, 422, 503),
)
async def create_session(request: Request, body: SessionBody | None = None) -> Response:
    runtime = runtime_of(request)
    body = body or SessionBody()
    with answering(request, Session, render=runtime.session_view.document) as reply:
        session = await runtime.sessions.create(
            user_id=body.user_id,
            workspace_dir=body.workspace_dir,
            source=body.source,
            metadata=bounded(body.metadata, "metadata"),
        )
    return reply(session)


@router.get(
    "/sessions",
    summary="Sessions, oldest first",
    response_model=SessionPage,
    responses=problem_responses(422, 503),
)
async def list_sessions(request: Request, limit: Limit = 200, cursor: Cursor = None) -> Response:
    return answer(await runtime_of(request).session_view.page(limit=limit, cursor=cursor))


@router.get(
    "/sessions/{session_id}",
    summary="A session, resumed when it is not in memory",
    response_model=SessionMade,
    responses=problem_responses(404, 422, 503),
)
async def get_session(request: Request, session_id: SessionId) -> Response:
    runtime = runtime_of(request)
    return answer(runtime.session_view.document(await runtime.sessions.get(session_id)))


@router.delete(
    "/sessions/{session_id}",
    summary="Delete a session; its workspace stays",
    response_model=SessionDeleted,
    responses=problem_responses(404, 422, 503),
)
async def delete_session(request: Request, session_id: SessionId) -> Response:
    return await _delete(request, session_id)


@router.get(
    "/ops/sessions",
    summary="Sessions that fit every filter, oldest first",
    response_model=SessionPage,
    responses=problem_responses(422, 503),
)
async def find_sessions(
    request: Request,
    limit: Limit = 200,
    cursor: Cursor = None,
    status: SessionStatus | None = None,
    source: Annotated[str | None, Query(pattern=_WORD)] = None,
    owner: Annotated[str | None, Query(pattern=USER_PATTERN)] = None,
) -> Response:
    view = runtime_of(request).session_view
    return answer(
        await view.page(limit=limit, cursor=cursor, status=status, source=source, owner=owner)
    )


@router.get(
    "/ops/sessions/{session_id}",
    summary="A session and its turns",
    response_model=SessionMade,
    responses=problem_responses(404, 422, 503),
)
async def show_session(request: Request, session_id: SessionId) -> Response:
    return answer(await runtime_of(request).session_view.with_turns(session_id))


@router.delete(
    "/ops/sessions/{session_id}",
    summary="Delete a session",
    response_model=SessionDeleted,
    responses=problem_responses(400, 404, 422, 503),
)
async def delete_session_surely(
    request: Request, session_id: SessionId, confirm: bool = False
) -> Response:
    if not confirm:
        raise InvalidInput("expected confirm=true to delete a session", field="confirm")
    return await _delete(request, session_id)


@router.post(
    "/ops/sessions/{session_id}/cancel",
    summary="Stop a session's running turn and beat",
    response_model=SessionCancelled,
    responses=problem_responses(404, 409, 413, 422, 503),
)
async def cancel_session(request: Request, session_id: SessionId) -> Response:
    sessions = runtime_of(request).sessions
    stopped = await sessions.cancel(
        session_id, by=operator(request), beats=True, once=once_in(request)
    )
    status = "cancelling" if stopped else "idle"
    return answer({"status": status, "session_id": session_id, "cancelled": stopped})


async def _delete(request: Request, session_id: str) -> Response:
    stopped = await runtime_of(request).sessions.delete(session_id, by=operator(request))
    return answer({"status": "deleted", "session_id": session_id, "cancelled": stopped})
