"""Drain: stop after the open runs have ended (docs/contract.md, Drain)."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer, runtime_of
from universal_agent.errors import Conflict
from universal_agent.runtime import Runtime

router = APIRouter(prefix="/api/v1/ops", tags=["ops"])

#: How many open runs are listed.
_LISTED = 100


class OpenRun(Answer):
    run_id: str
    job_id: str
    started_at: str | None


class DrainState(Answer):
    process_id: str
    draining: bool
    since: str | None
    until: str | None
    open_runs: int
    runs: list[OpenRun]


class DrainRequest(Body):
    #: As `GET` answers it: a request that is sent again after the restart drains nothing.
    process_id: Annotated[str, Field(max_length=64)]
    for_seconds: Annotated[float | None, Field(gt=0, le=86_400)] = None


def _state(runtime: Runtime, *, status: int = 200) -> Response:
    drain = runtime.drain
    runs = drain.open_runs()
    return answer(
        {
            "process_id": drain.process_id,
            "draining": drain.is_on,
            "since": drain.since and drain.since.isoformat(),
            "until": drain.until and drain.until.isoformat(),
            "open_runs": len(runs),
            "runs": [
                {
                    "run_id": run.run_id,
                    "job_id": run.source_ref,
                    "started_at": run.started_at and run.started_at.isoformat(),
                }
                for run in runs[:_LISTED]
            ],
        },
        status=status,
    )


@router.get(
    "/drain",
    summary="Whether the gateway drains, and the runs that are open",
    response_model=DrainState,
)
async def read_drain(request: Request) -> Response:
    return _state(runtime_of(request))


@router.post(
    "/drain",
    summary="Start nothing more, let open runs end, then stop the gateway",
    status_code=202,
    response_model=DrainState,
    responses=problem_responses(400, 409, 413, 422, 503),
)
async def begin_drain(request: Request, body: DrainRequest) -> Response:
    runtime = runtime_of(request)
    if body.process_id != runtime.drain.process_id:
        raise Conflict(
            f"expected {runtime.drain.process_id}, the process that runs, as process_id, got "
            f"{body.process_id!r}"
        )
    runtime.drain.begin(body.for_seconds)
    return _state(runtime, status=202)
