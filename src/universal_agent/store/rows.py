"""Decoding of rows into domain values."""

from functools import lru_cache

from universal_agent.domain.events import Event, EventType
from universal_agent.domain.job import Job, JobSpec, JobVersion, spec_from_record
from universal_agent.domain.run import JobId, Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import from_epoch
from universal_agent.domain.unreadable_event import problem_of
from universal_agent.store.tx import Row, from_json

#: Columns of a run, in the order of every query that selects one.
RUN_WIDTH = 18


class SpecCache:
    """LRU cache of decoded specs, keyed by their stored text.

    A transaction that fails takes back the text that it wrote, and another transaction may store a
    different spec under the same job and version. So the key is the text, not (job, version).
    """

    def __init__(self, size: int = 20_000) -> None:
        self._decoded = lru_cache(maxsize=size)(_decode)

    def get(self, text: str) -> JobSpec:
        """The spec that `text` is the record of."""
        return self._decoded(text)

    def of_run(self, run: Run, text: str | None, own: str | None) -> JobSpec:
        """The spec of a run: its own, or else its job version's `text`."""
        if own is not None:
            return _decode(own)
        assert text is not None, f"version {run.job_version} of {run.source_ref} was never stored"
        return self.get(text)


def _decode(text: str) -> JobSpec:
    return spec_from_record(from_json(text))


def job_from_row(row: Row, specs: SpecCache) -> Job:
    """A job from the columns of `get_job`."""
    (
        job_id,
        version,
        spec,
        created_at,
        effective_from,
        next_run_at,
        last_run_at,
        failures,
        busy,
        probe_at,
    ) = row
    return Job(
        job_id=JobId(job_id),
        version=version,
        spec=specs.get(spec),
        created_at=from_epoch(created_at),
        effective_from=from_epoch(effective_from),
        next_run_at=None if next_run_at is None else from_epoch(next_run_at),
        last_run_at=None if last_run_at is None else from_epoch(last_run_at),
        consecutive_failures=failures,
        running=bool(busy),
        probe_at=None if probe_at is None else from_epoch(probe_at),
    )


def version_from_row(row: Row, specs: SpecCache) -> JobVersion:
    """A job version from the columns of `ledger_versions`."""
    job_id, version, spec, effective_from, effective_until = row
    return JobVersion(
        job_id=JobId(job_id),
        version=version,
        spec=specs.get(spec),
        effective_from=from_epoch(effective_from),
        effective_until=None if effective_until is None else from_epoch(effective_until),
    )


def run_from_row(row: Row) -> Run:
    """A run from its columns; further columns of the row are left alone."""
    (
        run_id,
        source,
        source_ref,
        status,
        trigger,
        attempt,
        scheduled_at,
        has_slot,
        job_version,
        queued_at,
        started_at,
        finished_at,
        error,
        reason,
        exit_code,
        output_preview,
        host,
        approved_by,
    ) = row[:RUN_WIDTH]
    return Run(
        run_id=RunId(run_id),
        source=source,
        source_ref=source_ref,
        status=RunStatus(status),
        trigger=Trigger(trigger),
        attempt=attempt,
        scheduled_at=from_epoch(scheduled_at),
        has_slot=bool(has_slot),
        job_version=job_version,
        queued_at=from_epoch(queued_at),
        started_at=None if started_at is None else from_epoch(started_at),
        finished_at=None if finished_at is None else from_epoch(finished_at),
        error=error,
        reason=reason,
        exit_code=exit_code,
        output_preview=output_preview,
        host=host,
        approved_by=approved_by,
    )


def event_from_row(row: Row) -> Event:
    """An event from its columns; a stub where they cannot be read."""
    seq, source, kind, timestamp, source_ref, owner_id, session_id, status, data = row
    at = from_epoch(0)
    try:
        at = from_epoch(timestamp)
        known, content = EventType(kind), from_json(data)
        if not isinstance(content, dict):
            raise TypeError(f"expected an object, got {type(content).__name__}")
    except (ValueError, TypeError, OverflowError, OSError) as error:
        known, status, content = EventType.EVENT_UNREADABLE, "unreadable", problem_of(kind, error)
    return Event(
        seq=seq,
        source=source,
        type=known,
        timestamp=at,
        source_ref=source_ref,
        owner_id=owner_id,
        session_id=session_id,
        status=status,
        data=content,
    )
