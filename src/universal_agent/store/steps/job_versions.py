"""Versions of jobs, with the specs that runs and slots belong to."""

from collections.abc import Mapping
from datetime import datetime

from universal_agent.domain.job import Job, JobSpec, spec_to_record
from universal_agent.domain.run import Run
from universal_agent.store.encoding import to_json
from universal_agent.store.tx import Tx


def version_row(job: Job) -> Mapping[str, object]:
    """The row of the version that the job has."""
    return {
        "job_id": job.job_id,
        "version": job.version,
        "spec": to_json(spec_to_record(job.spec)),
        "effective_from": job.effective_from.timestamp(),
    }


def put_version(tx: Tx, job: Job, *, replaces: Job, closed_at: datetime) -> None:
    """End the old version's expectation and begin the new one's."""
    tx.run(
        "close_job_version",
        job_id=job.job_id,
        version=replaces.version,
        effective_until=closed_at.timestamp(),
    )
    insert_version(tx, job)


def insert_version(tx: Tx, job: Job) -> None:
    """Insert the job's version."""
    tx.put("insert_job_version", version_row(job))


def spec_of(tx: Tx, run: Run) -> JobSpec:
    """The spec that a run was made under, also of a deleted job."""
    own = tx.one("own_spec", run_id=run.run_id) if run.brings_spec else None
    if own is not None:
        return tx.specs.of_run(run, None, own[0])
    return read_spec(tx, run.source_ref, run.job_version)


def read_spec(tx: Tx, job_id: str, version: int) -> JobSpec:
    """The spec that a job had in that version."""
    row = tx.one("spec_of", job_id=job_id, version=version)
    assert row is not None, f"version {version} of {job_id} was never stored"
    return tx.specs.get(row[0])
