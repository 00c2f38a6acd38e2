"""Which calendar rows does an event change?

Rows are not in the log: they are made when an event is handed to clients, with the job as it then
is. They carry no local times; the client knows its own zone, and keeps what it has of a row.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from universal_agent.domain.calendar_row import JobFact, Row, job_part, row_document, status_of
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.events import (
    ASIDE,
    JOB_GONE,
    JOB_PUT,
    SLOT_SKIPPED,
    Event,
    EventType,
)
from universal_agent.domain.exceptions import MOVED, ExceptionKind
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.run import RunStatus
from universal_agent.store.base import Store

#: Jobs remembered, the latest heard of.
_KEPT_JOBS = 20_000


class EventRows:
    """Knows jobs, so that it can tell rows without asking for each event."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: OrderedDict[str, tuple[JobFact, Mapping[str, Any]]] = OrderedDict()

    async def learn(self, events: Iterable[Event]) -> None:
        """Get to know the jobs that these events are about."""
        missing: set[str] = set()
        for event in events:
            if event.type in ASIDE:
                continue
            if event.type in JOB_PUT:
                self._update(event.data["job"])
            elif event.type in JOB_GONE:
                self._jobs.pop(event.source_ref, None)
            elif event.source_ref not in self._jobs:
                missing.add(event.source_ref)
        if missing:
            for job in await self._store.job_facts(sorted(missing)):
                self._keep(job)

    def _update(self, record: Mapping[str, Any]) -> None:
        known = self._jobs.get(record["job_id"])
        if known is not None and known[0].version >= record["version"]:
            return  # an old event, read again
        self._keep(
            JobFact(
                job_id=record["job_id"],
                version=record["version"],
                spec=spec_from_record(record["spec"]),
                next_run_at=None,
            )
        )

    def _keep(self, job: JobFact) -> None:
        self._jobs[job.job_id] = job, job_part(job.spec)
        self._jobs.move_to_end(job.job_id)
        if len(self._jobs) > _KEPT_JOBS:
            self._jobs.popitem(last=False)

    def of(self, event: Event) -> Sequence[dict[str, Any]] | None:
        """The rows as they are after the event, to be put in place of those with the same id.

        None when the rows of its `source_ref` must be asked for: some went away, or they are many.
        Empty when nothing that is listed changes.
        """
        data = event.data
        if event.type in ASIDE:
            return ()
        known = self._jobs.get(event.source_ref)
        if known is None:
            return None
        job, part = known
        run = data.get("run")
        if run is not None:
            if run["event_id"] is None:
                return ()  # an extra run has no slot
            row = _row_of_run(job, event.source, run)
        elif event.type in SLOT_SKIPPED:
            row = _decided(job, data, RunStatus.SKIPPED, reason=data["reason"])
        elif event.type is EventType.CALENDAR_CHANGE_APPLIED:
            match data["change"]:
                case ExceptionKind.SKIP:
                    row = _decided(job, data, RunStatus.SKIPPED, reason="operator")
                case ExceptionKind.MOVE:
                    row = _decided(job, data, MOVED)._replace(moved_to=data["move_to"])
                case ExceptionKind.RUN_EARLY:
                    return ()  # the run's own event comes next
                case _:
                    return None
        else:
            return None
        if row.version != job.version:
            return None  # the job was edited meanwhile: its rows are asked for anyhow
        if is_frequent(job.spec.schedule):
            return ()  # its slots are counted, not listed
        return (row_document(row, job.spec, None, part),)


def _row_of_run(job: JobFact, source: str, run: Mapping[str, Any]) -> Row:
    started_at, finished_at = run["started_at"], run["finished_at"]
    ended = started_at is not None and finished_at is not None
    return Row(
        int(run["scheduled_at"]),
        source,
        job.job_id,
        run["job_version"],
        job.deleted,
        status_of(run["status"]),
        run["run_id"],
        run["status"],
        run["reason"],
        finished_at - started_at if ended else None,
    )


def _decided(
    job: JobFact, data: Mapping[str, Any], outcome: str, *, reason: str | None = None
) -> Row:
    """The row of a slot that was decided without a run."""
    return Row(
        data["scheduled_at"],
        job.spec.source,
        job.job_id,
        data["job_version"],
        job.deleted,
        status_of(outcome),
        run_status=outcome,
        reason=reason,
    )
