"""Logs of runs: the end of one, and what comes after it."""

from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Invocation
from universal_agent.cli.safe_text import clean

#: Seconds between two looks at a log that is followed.
_PACE = 0.5

#: Runs that may come between two requests.
_BETWEEN_LOOKS = 50

_ENDED = frozenset(
    {"success", "error", "timeout", "stalled", "cancelled", "skipped", "interrupted"}
)


def print_log(ua: Invocation, run: Document, *, lines: int) -> None:
    """Print the end of a run's log."""
    document = _tail(ua, run, lines=lines)
    if ua.json:
        ua.show_line(document)
        return
    if document["truncated"]:
        ua.note(f"these are the last {len(document['lines'])} lines")
    _write(ua, document)


def follow_run(ua: Invocation, run: Document, *, lines: int) -> None:
    """Print a run's log as it grows, until the run has ended and all is printed."""
    cursor = None
    while True:
        # The run is read before its log, so that its last output is not left out.
        run = ua.reader.get(f"/api/v1/cron/runs/{run['run_id']}")["run"]
        document = _tail(ua, run, lines=lines, cursor=cursor)
        if ua.json:
            if document["lines"] or cursor is None:
                ua.show_line(document)
        else:
            _write(ua, document)
        cursor = document["cursor"]
        if run["status"] in _ENDED and cursor >= document["size"]:
            return
        if ua.reader.is_offline:
            raise CommandFailed(
                "This is all that was recorded before the gateway went down.", ExitCode.UNREACHABLE
            )
        if cursor >= document["size"]:
            ua.pause(_PACE)


def wait_for_end(ua: Invocation, run_id: str, *, seconds: float) -> Document:
    """The run when it has ended, or as it is after so many seconds."""
    began = ua.clock.monotonic()
    while True:
        run: Document = ua.gateway.get(f"/api/v1/cron/runs/{run_id}")["run"]
        if run["status"] in _ENDED or ua.clock.monotonic() - began >= seconds:
            return run
        ua.pause(_PACE)


def follow_job(ua: Invocation, job: Document, *, lines: int) -> None:
    """Print the logs of a job's latest run and of every run that comes after it."""
    path = f"/api/v1/cron/jobs/{job['job_id']}/runs"
    seen: str | None = None
    while True:
        runs = ua.reader.get(path, limit=1 if seen is None else _BETWEEN_LOOKS)["runs"]
        for run in reversed(_after(seen, runs)):
            ua.note(f"run {run['run_id']}")
            follow_run(ua, run, lines=lines)
            seen = run["run_id"]
        if ua.reader.is_offline:
            raise CommandFailed(
                "No further run comes before the gateway is up.", ExitCode.UNREACHABLE
            )
        ua.pause(_PACE)


def _after(seen: str | None, runs: list[Document]) -> list[Document]:
    """The runs newer than the one seen last, newest first."""
    ids = [run["run_id"] for run in runs]
    return runs[: ids.index(seen)] if seen in ids else runs


def _tail(ua: Invocation, run: Document, *, lines: int, cursor: int | None = None) -> Document:
    return ua.reader.get("/api/v1/ops/logs/tail", run_id=run["run_id"], limit=lines, cursor=cursor)


def _write(ua: Invocation, document: Document) -> None:
    text = "\n".join(document["lines"])
    if document["lines"]:
        ua.write(clean(text) + ("" if document["partial"] else "\n"))
