"""The calendar rows that an event changes.

The log contains no rows: they are computed when an event is sent to clients, from the current job.
They contain no local times, since each client knows its own zone.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from universal_agent.domain.calendar_row import JobFact, Row, job_part, row_document, status_of
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.event_types import (
    ASIDE,
    JOB_GONE,
    JOB_PUT,
    SLOT_SKIPPED,
    EventType,
)
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot_overrides import MOVED, OverrideKind
from universal_agent.store import verbs
from universal_agent.store.store import Store

#: The size of the LRU cache of jobs.
_KEPT_JOBS = 20_000

#: Events about slots without a run.
_DECIDING = (*SLOT_SKIPPED, EventType.CALENDAR_CHANGE_APPLIED)


class _CachedJob:
    """A cached job, decoded from its record at first use."""

    def __init__(self, version: int, read: Callable[[], JobFact]) -> None:
        self.version = version
        self._read = read

    @cached_property
    def job(self) -> JobFact:
        return self._read()

    @cached_property
    def part(self) -> Mapping[str, Any]:
        return job_part(self.job.spec)


class EventRows:
    """Computes rows of events from a cache of jobs, without a query per event."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: OrderedDict[str, _CachedJob] = OrderedDict()

    async def learn(self, events: Iterable[Event]) -> None:
        """Load the jobs of these events into the cache."""
        missing: set[str] = set()
        for event in events:
            if event.type in ASIDE:
                continue
            if event.type in JOB_PUT:
                # An unreadable record is reported when its rows are computed.
                with suppress(LookupError, TypeError):
                    self._update(event.data["job"])
            elif event.type in JOB_GONE:
                self._jobs.pop(event.source_ref, None)
            elif event.source_ref not in self._jobs:
                missing.add(event.source_ref)
        if missing:
            for job in await self._store.read(verbs.calendar.job_facts, sorted(missing)):
                self._keep(job.job_id, _CachedJob(job.version, partial(_itself, job)))

    def _update(self, record: Mapping[str, Any]) -> None:
        known = self._jobs.get(record["job_id"])
        if known is None or known.version < record["version"]:  # else it is an old event
            self._keep(record["job_id"], _CachedJob(record["version"], partial(_of_record, record)))

    def _keep(self, job_id: str, known: _CachedJob) -> None:
        self._jobs[job_id] = known
        self._jobs.move_to_end(job_id)
        if len(self._jobs) > _KEPT_JOBS:
            self._jobs.popitem(last=False)

    def of(self, event: Event) -> Sequence[dict[str, Any]] | None:
        """The rows after the event, which replace those with the same id.

        None if the client must query the rows of `source_ref`: some were removed, or they are many.
        Empty if no listed row changes.
        """
        data = event.data
        if event.type in ASIDE:
            return ()
        known = self._jobs.get(event.source_ref)
        if known is None:
            return None
        run = data.get("run")
        if run is None and event.type not in _DECIDING:
            return None
        job = known.job
        if run is not None:
            if run["event_id"] is None:
                return ()  # a manual run has no slot
            row = _row_of_run(job, event.source, run)
        elif event.type in SLOT_SKIPPED:
            row = _decided(job, data, RunStatus.SKIPPED, reason=data["reason"])
        else:
            match data["change"]:
                case OverrideKind.SKIP:
                    row = _decided(job, data, RunStatus.SKIPPED, reason="operator")
                case OverrideKind.MOVE:
                    row = _decided(job, data, MOVED)._replace(moved_to=data["move_to"])
                case OverrideKind.RUN_EARLY:
                    return ()  # the event of the run follows
                case _:
                    return None
        if row.version != job.version:
            return None  # the job was edited since, so its rows are queried
        if is_frequent(job.spec.schedule):
            return ()  # its slots are counted, not listed
        return (row_document(row, job.spec, None, known.part),)


def _itself(job: JobFact) -> JobFact:
    return job


def _of_record(record: Mapping[str, Any]) -> JobFact:
    return JobFact(
        job_id=record["job_id"],
        version=record["version"],
        spec=spec_from_record(record["spec"]),
        next_run_at=None,
    )


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
    """The row of a slot whose outcome was decided without a run."""
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
