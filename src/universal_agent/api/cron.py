"""Jobs and runs over HTTP (docs/contract.md, Cron)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, once_in
from universal_agent.api.problems import problem_responses
from universal_agent.api.short_way import Ways
from universal_agent.api.wire import Answer, Body, IdempotencyKey, answer, once_from, runtime_of
from universal_agent.domain.job_draft import Command, JobDraft
from universal_agent.domain.run import JobId, RunId, RunStatus
from universal_agent.errors import InvalidInput
from universal_agent.runners.signs_of_life import Sign
from universal_agent.views.cron import run_document

router = APIRouter(prefix="/api/v1/cron", tags=["cron"], route_class=OnceRoute)

Ref = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=5000)]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

_STATUS = "|".join(RunStatus)
Statuses = Annotated[
    str | None,
    Query(
        pattern=f"^({_STATUS})(,({_STATUS}))*$",
        description="One status, or several separated by commas.",
    ),
]


class JobCreate(JobDraft):
    command: Command = Field(examples=["date >> out.txt"])


class JobEdit(JobDraft):
    """Any subset of the fields; all or nothing."""

    version: int | None = Field(
        default=None, description="The version that was read; 409 when the job changed since."
    )


class RunNow(Body):
    wait_seconds: Annotated[float, Field(ge=0, le=300)] | None = Field(
        default=None, description="How long to wait for the run to end; 30 by default."
    )


class JobDocument(Answer):
    job_id: str
    version: int
    command: str
    runner: str
    title: str
    description: str
    timezone: str
    enabled: bool
    running: bool
    every_seconds: int | None
    cron_expr: str | None
    run_at: float | None
    next_run_at: float | None
    last_run_at: float | None
    created_at: float


class SlotDocument(Answer):
    at: float
    utc: str
    local: str


class Echo(Answer):
    description: str
    timezone: str
    timezone_source: str
    runner: str
    when_missed: str
    notes: list[str]
    next: list[SlotDocument]


class JobWithEcho(Answer):
    job: JobDocument
    echo: Echo


class Breaker(Answer):
    since: float
    probe_at: float | None
    slots: int


class JobShown(JobWithEcho):
    """With its breaker, if that is open."""

    breaker: Breaker | None


class JobPage(Answer):
    jobs: list[JobDocument]
    total: int
    next_cursor: str | None


class RunDocument(Answer):
    run_id: str
    job_id: str
    status: RunStatus
    scheduled_at: float
    started_at: float | None
    finished_at: float | None
    error: str | None
    output_preview: str
    last_sign_of_life_at: float | None
    last_sign_of_life: Sign | None


class RunEnvelope(Answer):
    run: RunDocument


class RunPage(Answer):
    runs: list[RunDocument]
    has_more: bool


class Deleted(Answer):
    status: Literal["deleted"]
    job_id: str


class ComingPage(Answer):
    next: list[dict[str, Any]]


@router.get(
    "/jobs", summary="List jobs", response_model=JobPage, responses=problem_responses(422, 503)
)
async def list_jobs(
    request: Request, limit: Limit = 1000, cursor: Cursor = None, user_id: str | None = None
) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    return answer(await runtime.cron.jobs(limit=limit, cursor=cursor, owner_id=user_id))


@router.post(
    "/jobs",
    summary="Create a job",
    response_model=JobWithEcho,
    responses=problem_responses(400, 409, 413, 422, 429, 503),
)
async def create_job(request: Request, body: JobCreate, key: IdempotencyKey = None) -> Response:
    runtime = runtime_of(request)
    once = None if key is None else once_from(key, request, body.fields())
    job = await runtime.jobs.create(body, once=once)
    return answer(runtime.cron.echo_document(job, now=runtime.clock.now(), said=body))


#: Routes whose requests come by the thousand.
SHORT_WAYS: Ways = {("POST", f"{router.prefix}/jobs"): create_job}


@router.post(
    "/preview",
    summary="What a schedule means, without storing anything",
    response_model=Echo,
    responses=problem_responses(400, 409, 413, 422, 503),
)
async def preview(request: Request, body: JobDraft) -> Response:
    runtime = runtime_of(request)
    now = runtime.clock.now()
    whole = body if body.is_given("command") else body.model_copy(update={"command": "preview"})
    drafted = runtime.jobs.drafted(whole, base=None, now=now)
    return answer(runtime.cron.preview(drafted.spec, now=now, said=body))


@router.get(
    "/next",
    summary="Which jobs run next",
    response_model=ComingPage,
    responses=problem_responses(422, 503),
)
async def coming(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 10) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    slots = await runtime.cron.coming(now=runtime.clock.now(), limit=limit)
    return answer({"next": slots})


@router.get(
    "/jobs/{job_id}",
    summary="Show a job",
    response_model=JobShown,
    responses=problem_responses(404, 422, 503),
)
async def get_job(request: Request, job_id: Ref) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    return answer(await runtime.cron.shown(job_id, now=runtime.clock.now()))


@router.put(
    "/jobs/{job_id}",
    summary="Edit a job",
    response_model=JobWithEcho,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def edit_job(request: Request, job_id: Ref, body: JobEdit) -> Response:
    runtime = runtime_of(request)
    if not body.model_fields_set:
        raise InvalidInput("expected at least one field to change, got none", field="body")
    job = await runtime.jobs.edit(JobId(job_id), body, version=body.version)
    return answer(runtime.cron.echo_document(job, now=runtime.clock.now(), said=body))


@router.delete(
    "/jobs/{job_id}",
    summary="Delete a job",
    response_model=Deleted,
    responses=problem_responses(404, 409, 422, 503),
)
async def delete_job(request: Request, job_id: Ref) -> Response:
    await runtime_of(request).jobs.delete(JobId(job_id))
    return answer({"status": "deleted", "job_id": job_id})


@router.post(
    "/jobs/{job_id}/run",
    summary="Run a job now, independently of its schedule",
    response_model=RunEnvelope,
    responses={
        202: {"model": RunEnvelope, "description": "The run goes on."},
        **problem_responses(404, 409, 413, 422, 503),
    },
)
async def run_job(
    request: Request,
    job_id: Ref,
    body: RunNow | None = None,
    wait_seconds: Annotated[float | None, Query(ge=0, le=300)] = None,
    key: IdempotencyKey = None,
) -> Response:
    jobs = runtime_of(request).jobs
    run = await jobs.run_now(JobId(job_id), once=once_from(key, request, {"job_id": job_id}))
    if wait_seconds is None:
        wait_seconds = body.wait_seconds if body is not None else None
    run = await jobs.wait_for(run, seconds=30.0 if wait_seconds is None else wait_seconds)
    return answer({"run": run_document(run)}, status=200 if run.status.is_final else 202)


def _statuses(text: str | None) -> list[RunStatus] | None:
    """The statuses that a list is filtered by; None: all of them."""
    return None if text is None else [RunStatus(each) for each in text.split(",")]


@router.get(
    "/jobs/{job_id}/runs",
    summary="A job's runs, newest first",
    response_model=RunPage,
    responses=problem_responses(404, 422, 503),
)
async def list_job_runs(
    request: Request,
    job_id: Ref,
    limit: Limit = 200,
    before: Cursor = None,
    status: Statuses = None,
) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    statuses = _statuses(status)
    return answer(
        await runtime.cron.runs(job_id=job_id, limit=limit, before=before, statuses=statuses)
    )


@router.get(
    "/runs",
    summary="All runs, newest first",
    response_model=RunPage,
    responses=problem_responses(422, 503),
)
async def list_runs(
    request: Request, limit: Limit = 200, before: Cursor = None, status: Statuses = None
) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    return answer(await runtime.cron.runs(limit=limit, before=before, statuses=_statuses(status)))


@router.get(
    "/runs/{run_id}",
    summary="Show a run",
    response_model=RunEnvelope,
    responses=problem_responses(404, 422, 503),
)
async def get_run(request: Request, run_id: Ref) -> Response:
    runtime = runtime_of(request)
    runtime.require_cron()
    return answer({"run": await runtime.cron.shown_run(run_id)})


@router.post(
    "/runs/{run_id}/cancel",
    summary="Cancel a queued or running run",
    response_model=RunEnvelope,
    responses=problem_responses(404, 409, 422, 503),
)
async def cancel_run(request: Request, run_id: Ref) -> Response:
    jobs = runtime_of(request).jobs
    run = await jobs.cancel_run(RunId(run_id), once=once_in(request))
    return answer({"run": run_document(run)})
