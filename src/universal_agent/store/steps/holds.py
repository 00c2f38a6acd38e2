"""Holding, probing and releasing jobs that fail repeatedly. Parts of transactions.

A held job stays enabled: its slots are expected and each is skipped with that reason, so that
neither the ledger nor a person mistakes silence for health.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.beat import REFUSALS_BORNE, is_refusal
from universal_agent.domain.job import Job, OffLabel, probe_wait
from universal_agent.domain.run import Run, Trigger
from universal_agent.domain.slot import epoch
from universal_agent.store.steps.job_versions import put_version
from universal_agent.store.tx import Tx
from universal_agent.store.verbs.jobs import first_decided_ahead

_SECOND = timedelta(seconds=1)

#: When the next probe may run if one neither succeeds nor fails: it was cancelled, or cut off.
_AFTER_LOST_PROBE = timedelta(hours=1)


def after_failure(tx: Tx, run: Run, job: Job, *, now: datetime) -> bool:
    """Hold a job that failed too often, or delay its next probe; returns whether it did."""
    failures = job.consecutive_failures
    limit = job.spec.policy.auto_pause_after or None
    refused = is_refusal(run)
    if refused:
        limit = min(limit or REFUSALS_BORNE, REFUSALS_BORNE)
    if job.spec.is_held:
        probe_at = _probe_at(job, failures - (limit or 0), now)
        tx.run("set_probe", job_id=job.job_id, probe_at=probe_at)
        return True
    if not job.spec.enabled or job.next_run_at is None or limit is None or failures < limit:
        return False
    reason = f"{failures} beats in a row failed; last: {run.error}" if refused else None
    _put(tx, job, OffLabel.AUTO_PAUSED, _probe_at(job, 0, now), now=now, reason=reason)
    return True


def after_outage(tx: Tx, run: Run, job: Job, *, now: datetime) -> bool:
    """Let the next slot of a held job be the probe: this one found out nothing about the job."""
    if not job.spec.is_held or run.trigger is not Trigger.SCHEDULE:
        return False
    tx.run("set_probe", job_id=job.job_id, probe_at=now.timestamp())
    return True


def after_success(tx: Tx, job: Job, *, now: datetime) -> None:
    """Release a held job after a run that succeeded."""
    _put(tx, job, None, None, now=now, reason="a run went well")


def take_probe(tx: Tx, job: Job, slot: datetime, *, now: datetime) -> bool:
    """Whether this slot of a held job runs as a probe; later slots then wait for the next probe."""
    next_probe_at = (now + _AFTER_LOST_PROBE).timestamp()
    taken = tx.run("take_probe", job_id=job.job_id, slot=epoch(slot), next_probe_at=next_probe_at)
    return bool(taken)


def _probe_at(job: Job, failed_probes: int, now: datetime) -> float:
    """When the next probe may run: after a wait, and after at least one skipped slot."""
    probe_at = now + probe_wait(failed_probes)
    if job.next_run_at is not None:
        probe_at = max(probe_at, job.next_run_at + _SECOND)
    return probe_at.timestamp()


def _put(
    tx: Tx,
    job: Job,
    label: OffLabel | None,
    probe_at: float | None,
    *,
    now: datetime,
    reason: str | None,
) -> None:
    """Replace the job by its next version, with the same slots."""
    undecided = job.before(first_decided_ahead(tx, job.job_id, after=now))
    closed_at = undecided.boundary(now)
    after = undecided.replaced_by(
        replace(job.spec, off_label=label), now=now, next_run_at=job.next_run_at, continues=True
    )
    if not tx.run(
        "hold_job",
        job_id=job.job_id,
        version=after.version,
        replaces=job.version,
        effective_from=after.effective_from.timestamp(),
        probe_at=probe_at,
    ):
        return  # the job was changed in between: its next failure is judged by the new version
    put_version(tx, after, replaces=job, closed_at=closed_at)
    tx.append(
        events.job_updated(
            after,
            now=now,
            changed=["off_label"],
            effective_until=closed_at,
            void=(),
            reason=reason,
        )
    )
