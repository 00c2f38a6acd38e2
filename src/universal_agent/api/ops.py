"""Log access (docs/contract.md, Logs)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, runtime_of
from universal_agent.errors import InvalidInput
from universal_agent.threads import FILES

router = APIRouter(prefix="/api/v1/ops", tags=["ops"])


class LogTail(Answer):
    file: str
    file_id: str
    cursor: int
    size: int
    lines: list[str]
    partial: bool
    truncated: bool
    reset: bool


@router.get(
    "/logs/tail",
    summary="The end of a log, or what it has grown by since a cursor",
    response_model=LogTail,
    responses=problem_responses(400, 404, 422, 503),
)
async def tail_log(
    request: Request,
    run_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
    session_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
    path: Annotated[str | None, Query(max_length=500)] = None,
    cursor: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    file_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{1,20}-[0-9a-f]{1,20}$")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    max_bytes: Annotated[int, Query(ge=1, le=1_048_576)] = 262_144,
) -> Response:
    runtime = runtime_of(request)
    if [run_id, session_id, path].count(None) != 2:
        raise InvalidInput("expected one of run_id, session_id and path", field="run_id")
    logs = runtime.run_logs
    where: dict[str, Any] = {
        "cursor": cursor,
        "limit": limit,
        "max_bytes": max_bytes,
        "file_id": file_id,
    }
    if path is not None:
        return answer(await FILES.run(logs.of_path, path, **where))
    if session_id is not None:
        run = await runtime.session_view.latest_run(session_id)
    else:
        assert run_id is not None
        run = await runtime.cron.run(run_id)
    return answer(await FILES.run(logs.of_run, run, **where))
