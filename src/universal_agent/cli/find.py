"""Lookup of jobs, runs and sessions by the names that people give them.

An exact id or title wins; otherwise the beginning or the end of an id is enough where only one
fits. An event id names its job or session, and its latest run; a run id names its job. A session
goes by the name of its workspace folder too.
"""

from collections.abc import Iterator, Mapping, Sequence

from universal_agent.cli.client import Gateway
from universal_agent.cli.failure import CommandFailed, ExitCode, RequestRefused
from universal_agent.cli.invocation import Document

JOBS = "/api/v1/cron/jobs"
RUNS = "/api/v1/cron/runs"
SESSIONS = "/api/v1/ops/sessions"
EVENTS = "/api/v1/ops/scheduling/events"
BEATS = "/api/v1/heartbeat/last"

#: A position after the end of any event log: replay from it answers only with the end.
BEYOND = 2**53

_PAGE = 5000

#: How many candidates the message about an ambiguous name lists.
_LISTED = 5


def find_job(gateway: Gateway, name: str) -> Document:
    """The job that `name` means. Raises CommandFailed if there is none, or more than one."""
    job_id = _job_id_in(gateway, name)
    if job_id.startswith("job_") and (job := _asked(gateway, f"{JOBS}/{job_id}", "job")):
        return job
    candidates = [
        job for job in _all_jobs(gateway) if job["title"] == name or is_part(job_id, job["job_id"])
    ]
    exact = [job for job in candidates if job["job_id"] == job_id] or [
        job for job in candidates if job["title"] == name
    ]
    jobs = exact or candidates
    return _only(jobs, name, "job", [f"{job['job_id']} ({job['title']})" for job in jobs])


def find_job_history(gateway: Gateway, name: str) -> Document:
    """The job that `name` means, also if it was deleted: then only its id, title and zone.

    A deleted job is known by the runs it left behind. Raises CommandFailed as `find_job` does.
    """
    try:
        return find_job(gateway, name)
    except CommandFailed as not_found:
        if not_found.code is not ExitCode.CONFLICT:
            raise
        part = _job_id_in(gateway, name)
        deleted = _deleted_jobs(gateway, part)
        if not deleted:
            raise
    job_id = _only([{"id": known} for known in deleted], name, "deleted job", deleted)["id"]
    return {"job_id": job_id, "title": job_id, "timezone": "UTC"}


def find_run(gateway: Gateway, name: str) -> Document:
    """The run that `name` means; part of an id is looked up among the latest runs."""
    if name.count("|") == 2:
        return _run_of_slot(gateway, name)
    if name.startswith("run_") and (run := _asked(gateway, f"{RUNS}/{name}", "run")):
        return run
    latest = [str(run["run_id"]) for run in gateway.get(RUNS, limit=_PAGE)["runs"]]
    ids = [run_id for run_id in latest if is_part(name, run_id)]
    # Beats and turns are not among the runs of jobs, but the event log has them.
    ids = ids or [run_id for run_id in _runs_in_events(gateway) if is_part(name, run_id)]
    run_id = _only([{"id": known} for known in ids], name, "run", ids)["id"]
    found: Document = gateway.get(f"{RUNS}/{run_id}")["run"]
    return found


def find_session(gateway: Gateway, name: str) -> str:
    """The id of the session that `name` means."""
    session_id = _session_id_in(name)
    if session_id.startswith("ses_"):
        try:
            return str(gateway.get(f"{SESSIONS}/{session_id}")["session_id"])
        except RequestRefused as refused:
            if refused.status != 404:
                raise
    return _session_among(dict(_all_sessions(gateway)), session_id)


def find_beating_session(gateway: Gateway, name: str) -> str:
    """The id of the session with heartbeats that `name` means."""
    session_id = _session_id_in(name)
    asked = {"session_id": session_id}
    if session_id.startswith("ses_") and gateway.send("GET", BEATS, params=asked).is_success:
        return session_id
    beats = gateway.get(BEATS)["heartbeats"]
    return _session_among({one: _folder(beat) for one, beat in beats.items()}, session_id)


def latest_slot(gateway: Gateway, name: str) -> str:
    """The event id that `name` means: itself, that of a run, or of a job's latest slot.

    A slot that waits for a decision goes before the slot of the latest run. Raises CommandFailed if
    there is neither.
    """
    if name.count("|") == 2:
        return name
    if name.startswith("run_") and (run := _asked(gateway, f"{RUNS}/{name}", "run")):
        if run["event_id"] is None:
            raise CommandFailed(f"{name} was started by hand: it has no slot.", ExitCode.CONFLICT)
        return str(run["event_id"])
    job_id = find_job_history(gateway, name)["job_id"]
    waiting = [
        str(item["event_id"])
        for item in gateway.get("/api/v1/ops/stasis")["stasis_queue"]
        if item["event"]["source_ref"] == job_id
    ]
    runs = gateway.get(f"{JOBS}/{job_id}/runs", limit=_PAGE)["runs"]
    slots = waiting[-1:] + [str(run["event_id"]) for run in runs if run["event_id"]]
    if not slots:
        raise CommandFailed(f"No slot of {name!r} has come yet.", ExitCode.CONFLICT)
    return slots[0]


def zone_of(gateway: Gateway, run: Document) -> str:
    """The time zone of a run's job; UTC if the job was deleted."""
    job = _asked(gateway, f"{JOBS}/{run['job_id']}", "job")
    return "UTC" if job is None else str(job["timezone"])


def _asked(gateway: Gateway, path: str, key: str) -> Document | None:
    """What the gateway holds at `path`; None if there is no such thing."""
    try:
        found: Document = gateway.get(path)[key]
    except RequestRefused as refused:
        if refused.status != 404:
            raise
        return None
    return found


def _job_id_in(gateway: Gateway, name: str) -> str:
    """The job id inside an event id, or of a run; any other name unchanged."""
    if name.count("|") == 2 and name.startswith("cron|"):
        return name.split("|")[1]
    if name.startswith("run_") and (run := _asked(gateway, f"{RUNS}/{name}", "run")):
        return str(run["job_id"])
    return name


def _session_id_in(name: str) -> str:
    """The session id inside a heartbeat's event id; any other name unchanged."""
    return name.split("|")[1] if name.count("|") == 2 and name.startswith("heartbeat|") else name


def _run_of_slot(gateway: Gateway, event_id: str) -> Document:
    """The latest run of a slot."""
    job_id = event_id.split("|")[1]
    path = f"{JOBS}/{job_id}/runs" if event_id.startswith("cron|") else RUNS
    for run in gateway.get(path, limit=_PAGE)["runs"]:
        if run["event_id"] == event_id:
            found: Document = run
            return found
    raise CommandFailed(
        f"No run of the slot {event_id!r} is known. `ua explain {event_id!r}` says what became "
        "of it.",
        ExitCode.CONFLICT,
    )


def _runs_in_events(gateway: Gateway) -> list[str]:
    """The ids of the runs that the latest events are about."""
    newest = gateway.get(EVENTS, since_seq=BEYOND, limit=1)["event_bus_seq"]
    events = gateway.get(EVENTS, since_seq=max(0, newest - _PAGE), limit=_PAGE)["events"]
    runs = (event["data"].get("run") for event in events)
    return list(dict.fromkeys(str(run["run_id"]) for run in runs if run))


def _deleted_jobs(gateway: Gateway, name: str) -> list[str]:
    """The ids that `name` may mean of jobs that are no longer there, from the runs they left."""
    if name.startswith("job_") and _has_runs(gateway, name):
        return [name]
    ids = {str(run["job_id"]) for run in gateway.get(RUNS, limit=_PAGE)["runs"]}
    return sorted(job_id for job_id in ids if is_part(name, job_id))


def _has_runs(gateway: Gateway, job_id: str) -> bool:
    return gateway.send("GET", f"{JOBS}/{job_id}/runs", params={"limit": 1}).is_success


def is_part(name: str, whole: str) -> bool:
    """Whether `name` is the beginning or the end of an id."""
    return bool(name) and (whole.startswith(name) or whole.endswith(name))


def _all_jobs(gateway: Gateway) -> Iterator[Document]:
    cursor = None
    while True:
        page = gateway.get(JOBS, limit=_PAGE, cursor=cursor)
        yield from page["jobs"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _all_sessions(gateway: Gateway) -> Iterator[tuple[str, str]]:
    cursor = None
    while True:
        page = gateway.get(SESSIONS, limit=1000, cursor=cursor)
        yield from ((one["session_id"], _folder(one)) for one in page["sessions"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _folder(session: Document) -> str:
    """The name of a session's workspace folder."""
    return str(session.get("workspace_dir", "")).rpartition("/")[2]


def _session_among(known: Mapping[str, str], name: str) -> str:
    """The session that `name` means, of those whose folders are known."""
    if name in known:
        return name
    found = [session_id for session_id, folder in known.items() if folder == name]
    found = found or [session_id for session_id in known if is_part(name, session_id)]
    return str(_only([{"id": one} for one in found], name, "session", found)["id"])


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
