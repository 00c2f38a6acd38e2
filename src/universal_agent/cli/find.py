"""Which job or run is meant? An id, the beginning or the end of one, or a job's exact title."""

from collections.abc import Iterator, Sequence

from universal_agent.cli.client import Gateway
from universal_agent.cli.failure import CommandFailed, ExitCode, RequestRefused
from universal_agent.cli.invocation import Document

_PAGE = 5000

#: How many candidates an answer to an ambiguous name lists.
_LISTED = 5


def find_job(gateway: Gateway, name: str) -> Document:
    """The job that `name` means. Raises CommandFailed when there is none, or more than one."""
    if name.startswith("job_"):
        try:
            job: Document = gateway.get(f"/api/v1/cron/jobs/{name}")["job"]
            return job
        except RequestRefused as refused:
            if refused.status != 404:
                raise
    jobs = [
        job for job in _all_jobs(gateway) if job["title"] == name or _is_part(name, job["job_id"])
    ]
    jobs = [job for job in jobs if job["job_id"] == name] or jobs
    return _only(jobs, name, "job", [f"{job['job_id']} ({job['title']})" for job in jobs])


def find_run(gateway: Gateway, name: str) -> Document:
    """The run that `name` means; a part of an id is looked for among the latest runs."""
    if name.startswith("run_"):
        try:
            run: Document = gateway.get(f"/api/v1/cron/runs/{name}")["run"]
            return run
        except RequestRefused as refused:
            if refused.status != 404:
                raise
    latest = gateway.get("/api/v1/cron/runs", limit=_PAGE)["runs"]
    runs = [run for run in latest if _is_part(name, run["run_id"])]
    return _only(runs, name, "run", [run["run_id"] for run in runs])


def find_session(gateway: Gateway, name: str) -> str:
    """The id of the session that `name` means."""
    if name.startswith("ses_"):
        try:
            return str(gateway.get(f"/api/v1/ops/sessions/{name}")["session_id"])
        except RequestRefused as refused:
            if refused.status != 404:
                raise
    found = [known for known in _all_sessions(gateway) if _is_part(name, known)]
    found = [known for known in found if known == name] or found
    return str(_only([{"id": known} for known in found], name, "session", found)["id"])


def zone_of(gateway: Gateway, run: Document) -> str:
    """The zone of a run's job; UTC when the job is gone."""
    response = gateway.send("GET", f"/api/v1/cron/jobs/{run['job_id']}")
    return str(response.json()["job"]["timezone"]) if response.is_success else "UTC"


def _is_part(name: str, whole: str) -> bool:
    return bool(name) and (whole.startswith(name) or whole.endswith(name))


def _all_jobs(gateway: Gateway) -> Iterator[Document]:
    cursor = None
    while True:
        page = gateway.get("/api/v1/cron/jobs", limit=_PAGE, cursor=cursor)
        yield from page["jobs"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _all_sessions(gateway: Gateway) -> Iterator[str]:
    cursor = None
    while True:
        page = gateway.get("/api/v1/ops/sessions", limit=1000, cursor=cursor)
        yield from (session["session_id"] for session in page["sessions"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _only(found: Sequence[Document], name: str, kind: str, candidates: Sequence[str]) -> Document:
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandFailed(f"There is no {kind} {name!r}.", ExitCode.CONFLICT)
    listed = ", ".join(candidates[:_LISTED])
    more = f" and {len(candidates) - _LISTED} more" if len(candidates) > _LISTED else ""
    raise CommandFailed(
        f"{name!r} means {len(found)} {kind}s: {listed}{more}. Give more of the id.",
        ExitCode.USAGE,
    )
