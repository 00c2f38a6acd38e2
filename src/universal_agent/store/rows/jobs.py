"""Jobs and their versions, decoded from rows."""

from universal_agent.domain.job import Job, JobVersion
from universal_agent.domain.run import JobId
from universal_agent.domain.slot import from_epoch
from universal_agent.store.spec_cache import SpecCache
from universal_agent.store.tx import Row


def job_from_row(row: Row, specs: SpecCache) -> Job:
    """A job from {job_columns}."""
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
    """A job version from {version_columns}."""
    job_id, version, spec, effective_from, effective_until = row
    return JobVersion(
        job_id=JobId(job_id),
        version=version,
        spec=specs.get(spec),
        effective_from=from_epoch(effective_from),
        effective_until=None if effective_until is None else from_epoch(effective_until),
    )
