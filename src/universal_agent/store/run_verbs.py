"""How does a slot get from due to done? Each verb is one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import PRIORITY_ORDER, Job, JobSpec, OffLabel, Overlap
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.store.base import (
    Admission,
    Claimed,
    Decision,
    Due,
    Finished,
    Once,
    Settled,
    SlotsMissed,
    SlotStart,
)
from universal_agent.store.job_verbs import (
    cancel_queued,
    close_job,
    pause_job,
    read_job,
    recall,
    spec_of,
)
from universal_agent.store.rows import RUN_WIDTH, SpecCache, job_from_row, run_from_row
from universal_agent.store.tx import Tx, stamp


def due(tx: Tx, *, until: datetime, limit: int, specs: SpecCache) -> Due:
    at = until.timestamp()
    jobs = tuple(job_from_row(row, specs) for row in tx.all("due_jobs", until=at, limit=limit))
    row = tx.one("next_due", until=at)
    assert row is not None
    waiting = [when for when in row if when is not None]
    return Due(
        jobs=jobs,
        retries=row[1] is not None and row[1] <= at,
        next_at=from_epoch(min(waiting)) if waiting else None,
    )


# -- admission


def admit(
    tx: Tx, decisions: Sequence[Decision], *, free_workers: int, host: str, now: datetime
) -> Admission:
    started: list[Claimed] = []
    cancel: list[RunId] = []
    queued_count = stale_count = 0
    for decision in decisions:
        job = decision.job
        assert job.next_run_at is not None
        then = decision.next_run_at
        applied = tx.run(
            "advance_job",
            job_id=job.job_id,
            version=job.version,
            decided_at=epoch(job.next_run_at),
            next_run_at=None if then is None else epoch(then),
            due_at=None if then is None else stamp(then + job.jitter),
        )
        if not applied:
            stale_count += 1
            continue
        for missed in decision.missed:
            _insert_missed(tx, job.job_id, job.version, job.spec, missed, now=now)
        for start in decision.starts:
            run = _admit_slot(
                tx, job, start, free=free_workers > len(started), host=host, cancel=cancel, now=now
            )
            if run is None:
                continue
            if run.status is RunStatus.RUNNING:
                started.append(Claimed(run=run, spec=job.spec))
            else:
                queued_count += 1
    return Admission(
        started=tuple(started),
        queued_count=queued_count,
        cancel=tuple(cancel),
        stale_count=stale_count,
    )


def postpone(tx: Tx, job: Job, *, due_at: datetime) -> None:
    tx.run("postpone_job", job_id=job.job_id, version=job.version, due_at=due_at.timestamp())


def _admit_slot(
    tx: Tx,
    job: Job,
    start: SlotStart,
    *,
    free: bool,
    host: str,
    cancel: list[RunId],
    now: datetime,
) -> Run | None:
    """Claim one slot; its run, or None when it was skipped or somebody else has it."""
    overlap = job.spec.policy.overlap
    late_by_policy = start.missed_id is not None
    if overlap is not Overlap.ALLOW:
        active = tx.all("active_runs", source_ref=job.job_id)
        running = [RunId(run_id) for run_id, status in active if status == RunStatus.RUNNING]
        waiting = len(active) - len(running)
        free = free and not active
        if not late_by_policy and (
            (overlap is Overlap.SKIP and active) or (overlap is Overlap.QUEUE_ONE and waiting)
        ):
            _skip_slot(tx, job, start.scheduled_at, "overlap", now=now)
            return None
        if overlap is Overlap.CANCEL_PREVIOUS:
            cancel.extend(running)
    if job.spec.policy.retries:
        tx.run("drop_retries", source="cron", source_ref=job.job_id)
    run = Run(
        run_id=start.run_id,
        source="cron",
        source_ref=job.job_id,
        status=RunStatus.RUNNING if free else RunStatus.QUEUED,
        trigger=start.trigger,
        attempt=1,
        scheduled_at=start.scheduled_at,
        has_slot=True,
        job_version=job.version,
        queued_at=now,
        started_at=now if free else None,
        host=host if free else None,
    )
    if not _claim_slot(tx, run, missed_id=start.missed_id):
        return None
    # A slot that runs late by policy has been waited for already: it keeps its place in the queue.
    patience = None if late_by_policy else job.spec.policy.queue_limit_seconds
    _insert_run(tx, run, job.spec, patience=patience)
    tx.append(events.run_changed(run, job.spec, now=now))
    return run


def _claim_slot(tx: Tx, run: Run, *, missed_id: str | None) -> bool:
    """Insert the slot under its key; False when it is there already."""
    return bool(
        tx.run(
            "claim_slot",
            source=run.source,
            source_ref=run.source_ref,
            scheduled_at=epoch(run.scheduled_at),
            job_version=run.job_version,
            outcome=run.status,
            reason=run.reason,
            run_id=run.run_id,
            missed_id=missed_id,
        )
    )


def _skip_slot(tx: Tx, job: Job, scheduled_at: datetime, reason: str, *, now: datetime) -> None:
    claimed = tx.run(
        "claim_slot",
        source="cron",
        source_ref=job.job_id,
        scheduled_at=epoch(scheduled_at),
        job_version=job.version,
        outcome=RunStatus.SKIPPED,
        reason=reason,
        run_id=None,
        missed_id=None,
    )
    if claimed:
        tx.append(events.slot_skipped(job, scheduled_at, reason, now=now))


def _insert_run(tx: Tx, run: Run, spec: JobSpec, *, patience: int | None) -> None:
    tx.run(
        "insert_run",
        run_id=run.run_id,
        source=run.source,
        source_ref=run.source_ref,
        scheduled_at=run.scheduled_at.timestamp(),
        has_slot=run.has_slot,
        job_version=run.job_version,
        status=run.status,
        trigger=run.trigger,
        attempt=run.attempt,
        priority=PRIORITY_ORDER[spec.priority],
        serial=spec.policy.overlap is not Overlap.ALLOW,
        queued_at=run.queued_at.timestamp(),
        queue_until=None if patience is None else run.queued_at.timestamp() + patience,
        started_at=stamp(run.started_at),
        host=run.host,
    )


def _insert_missed(
    tx: Tx, job_id: str, job_version: int, spec: JobSpec, missed: SlotsMissed, *, now: datetime
) -> None:
    span = missed.span
    tx.run(
        "insert_missed",
        missed_id=missed.missed_id,
        source="cron",
        source_ref=job_id,
        job_version=job_version,
        first_at=epoch(span.first_at),
        last_at=epoch(span.last_at),
        count=span.count,
        cause=missed.cause,
        outage_id=missed.outage_id,
        status=span.status,
        useful_until=stamp(missed.useful_until),
        now=now.timestamp(),
    )
    tx.append(
        events.slots_missed(
            job_id,
            job_version,
            spec,
            span,
            missed.cause,
            now=now,
            missed_id=missed.missed_id,
            outage_id=missed.outage_id,
        )
    )


def add_run(
    tx: Tx, job: Job, run_id: RunId, *, specs: SpecCache, now: datetime, once: Once | None
) -> Run:
    made = recall(tx, once, run_id, now=now)
    if made is not None:
        row = tx.one("get_run", run_id=made)
        assert row is not None
        return run_from_row(row)
    run = Run(
        run_id=run_id,
        source="cron",
        source_ref=job.job_id,
        status=RunStatus.QUEUED,
        trigger=Trigger.MANUAL,
        attempt=1,
        scheduled_at=now,
        has_slot=False,
        job_version=job.version,
        queued_at=now,
    )
    _insert_run(tx, run, job.spec, patience=None)
    tx.append(events.run_changed(run, job.spec, now=now))
    return run


# -- workers


def claim(tx: Tx, *, free_workers: int, host: str, now: datetime, specs: SpecCache) -> Settled:
    claimed = tuple(_claim(tx, free_workers, host=host, now=now, specs=specs))
    return Settled(claimed=claimed, more_queued=_any_queued(tx))


def _any_queued(tx: Tx) -> bool:
    row = tx.one("any_queued")
    return bool(row and row[0])


def _claim(tx: Tx, limit: int, *, host: str, now: datetime, specs: SpecCache) -> Iterator[Claimed]:
    busy: set[str] = set()
    rows = tx.all("claimable_runs", limit=limit) if limit > 0 else []
    for row in rows:
        run = run_from_row(row)
        serial, text = row[RUN_WIDTH:]
        if serial and run.source_ref in busy:
            continue
        busy.add(run.source_ref)
        tx.run("start_run", run_id=run.run_id, now=now.timestamp(), host=host)
        run = replace(run, status=RunStatus.RUNNING, started_at=now, host=host)
        _set_outcome(tx, run)
        spec = specs.get(run.source_ref, run.job_version, text)
        tx.append(events.run_changed(run, spec, now=now))
        yield Claimed(run=run, spec=spec)


def _set_outcome(tx: Tx, run: Run, *, retry_at: datetime | None = None) -> None:
    """Bring the run's slot, if it has one, to the run's status."""
    if run.has_slot:
        tx.run(
            "set_slot_outcome",
            source=run.source,
            source_ref=run.source_ref,
            scheduled_at=epoch(run.scheduled_at),
            run_id=run.run_id,
            outcome=run.status,
            reason=run.reason,
            retry_at=stamp(retry_at),
        )


def finish(
    tx: Tx,
    ended: Sequence[Finished],
    *,
    free_workers: int,
    host: str,
    now: datetime,
    specs: SpecCache,
) -> Settled:
    retries: list[datetime] = []
    for end in ended:
        run = replace(
            end.claimed.run,
            status=end.status,
            started_at=end.started_at,
            finished_at=end.finished_at,
            error=end.error,
            exit_code=end.exit_code,
            output_preview=end.output_preview,
        )
        if _end_run(tx, run):
            retry_at = _settle(tx, run, end.claimed.spec, specs=specs, now=now)
            if retry_at is not None:
                retries.append(retry_at)
    if free_workers:
        settled = claim(tx, free_workers=free_workers, host=host, now=now, specs=specs)
    else:
        settled = Settled(more_queued=_any_queued(tx))
    return replace(settled, next_retry_at=min(retries, default=None))


def _end_run(tx: Tx, run: Run) -> bool:
    """Record the run's end; False when it is not `running` (any more)."""
    return bool(
        tx.run(
            "end_run",
            run_id=run.run_id,
            status=run.status,
            started_at=stamp(run.started_at),
            finished_at=stamp(run.finished_at),
            error=run.error,
            exit_code=run.exit_code,
            output_preview=run.output_preview,
        )
    )


def _settle(
    tx: Tx, run: Run, spec: JobSpec, *, specs: SpecCache, now: datetime
) -> datetime | None:
    """What follows from a run's end; when it is tried again, if it is."""
    policy = spec.policy
    failed = run.status in (RunStatus.ERROR, RunStatus.TIMEOUT)
    tx.run(
        "count_outcome", job_id=run.source_ref, started_at=stamp(run.started_at), failed=failed
    )
    # Most runs end well and nothing follows: only the others look at the job as it is now.
    job = None
    if failed or spec.delete_after_run:
        job = read_job(tx, run.source_ref, specs)
    retry_at = None
    if (
        run.status is RunStatus.ERROR
        and run.has_slot
        and run.attempt <= policy.retries
        and job is not None
        and job.spec.enabled
    ):
        retry_at = now + policy.backoff(run.attempt)
    _set_outcome(tx, run, retry_at=retry_at)
    tx.append(events.run_changed(run, spec, now=now, retry_at=retry_at))
    if job is None or retry_at is not None:
        return retry_at
    if failed:
        limit = policy.auto_pause_after
        if limit and job.consecutive_failures >= limit and job.spec.enabled:
            pause_job(tx, job, label=OffLabel.AUTO_PAUSED, now=now)
    elif run.status is RunStatus.SUCCESS and spec.delete_after_run and run.has_slot:
        _delete_when_done(tx, run, job, specs=specs, now=now)
    return None


def _delete_when_done(
    tx: Tx, run: Run, job: Job, *, specs: SpecCache, now: datetime
) -> None:
    """Delete a job whose last slot has run well."""
    if job.next_run_at is not None or job.version != run.job_version:
        return
    closed_at = job.boundary(now)
    if tx.run("delete_job", job_id=job.job_id, version=job.version, now=now.timestamp()):
        close_job(tx, job, specs=specs, closed_at=closed_at, now=now)


def make_retries(tx: Tx, run_ids: Sequence[RunId], *, now: datetime, specs: SpecCache) -> int:
    rows = tx.all("due_retries", now=now.timestamp(), limit=len(run_ids))
    for run_id, row in zip(run_ids, rows, strict=False):
        source, source_ref, scheduled_at, _, attempt, job_version, *_ = row
        run = Run(
            run_id=run_id,
            source=source,
            source_ref=source_ref,
            status=RunStatus.QUEUED,
            trigger=Trigger.RETRY,
            attempt=attempt + 1,
            scheduled_at=from_epoch(scheduled_at),
            has_slot=True,
            job_version=job_version,
            queued_at=now,
        )
        tx.run(
            "next_attempt",
            source=source,
            source_ref=source_ref,
            scheduled_at=scheduled_at,
            run_id=run_id,
        )
        spec = spec_of(tx, run, specs)
        _insert_run(tx, run, spec, patience=None)
        tx.append(events.run_changed(run, spec, now=now))
    return min(len(rows), len(run_ids))


# -- what could not run


def miss_queued(
    tx: Tx,
    *,
    now: datetime,
    cause: Cause,
    outage_id: str,
    missed_ids: Sequence[str],
    after_grace: bool,
    specs: SpecCache,
) -> int:
    if after_grace:
        rows = [row for row in tx.all("queued_runs") if _is_past_grace(row, specs, now)]
    else:
        rows = tx.all("overdue_runs", now=now.timestamp(), limit=len(missed_ids))
    for missed_id, row in zip(missed_ids, rows, strict=False):
        run = run_from_row(row)
        _drop_late(tx, run, missed_id, cause, outage_id=outage_id, now=now, specs=specs)
    return min(len(rows), len(missed_ids))


def _is_past_grace(row: tuple[object, ...], specs: SpecCache, now: datetime) -> bool:
    run = run_from_row(row)
    queue_until, text = row[RUN_WIDTH:]
    if run.has_slot and queue_until is None:
        return False  # it was late already, by policy or approval: it goes on waiting
    policy = specs.get(run.source_ref, run.job_version, str(text)).policy
    return run.queued_at + timedelta(seconds=policy.misfire_grace_seconds) < now


def _drop_late(
    tx: Tx,
    run: Run,
    missed_id: str,
    cause: Cause,
    *,
    outage_id: str,
    now: datetime,
    specs: SpecCache,
) -> None:
    """A run that waited too long is not started; its slot is missed."""
    if not run.has_slot:
        cancel_queued(tx, run.run_id, specs=specs, now=now, reason=cause)
        return
    tx.run(
        "drop_queued_run",
        run_id=run.run_id,
        status=RunStatus.SKIPPED,
        error=None,
        reason=f"missed:{cause}",
        now=now.timestamp(),
    )
    _move_to_missed(
        tx, run, missed_id, cause, outcome="missed", outage_id=outage_id, now=now, specs=specs
    )


def _move_to_missed(
    tx: Tx,
    run: Run,
    missed_id: str,
    cause: Cause,
    *,
    outcome: str,
    outage_id: str,
    now: datetime,
    specs: SpecCache,
) -> None:
    """Account for an admitted slot as missed: it waits for an operator."""
    tx.run(
        "miss_slot",
        source=run.source,
        source_ref=run.source_ref,
        scheduled_at=epoch(run.scheduled_at),
        run_id=run.run_id,
        outcome=outcome,
        reason=cause,
        missed_id=missed_id,
    )
    spec = spec_of(tx, run, specs)
    useful = spec.policy.useful_for_seconds
    span = MissedSpan(run.scheduled_at, run.scheduled_at, MissedStatus.PENDING, 1)
    missed = SlotsMissed(
        missed_id=missed_id,
        span=span,
        cause=cause,
        outage_id=outage_id,
        useful_until=None if useful is None else run.scheduled_at + timedelta(seconds=useful),
    )
    _insert_missed(tx, run.source_ref, run.job_version, spec, missed, now=now)


def interrupt_runs(
    tx: Tx,
    *,
    host: str,
    now: datetime,
    outage_id: str,
    missed_ids: Sequence[str],
    specs: SpecCache,
) -> tuple[RunId, ...]:
    closed: list[RunId] = []
    rows = tx.all("running_on_host", host=host, limit=len(missed_ids))
    for missed_id, row in zip(missed_ids, rows, strict=False):
        was = run_from_row(row)
        run = replace(
            was,
            status=RunStatus.INTERRUPTED,
            finished_at=now,
            error="the gateway stopped while it ran; what became of it is unknown",
        )
        _end_run(tx, run)
        spec = spec_of(tx, run, specs)
        again = spec.policy.retry_interrupted and run.has_slot
        retry_at = now if again else None
        _set_outcome(tx, run, retry_at=retry_at)
        tx.append(events.run_changed(run, spec, now=now, retry_at=retry_at))
        if run.has_slot and not again:
            _move_to_missed(
                tx,
                run,
                missed_id,
                Cause.INTERRUPTED,
                outcome=RunStatus.INTERRUPTED,
                outage_id=outage_id,
                now=now,
                specs=specs,
            )
        closed.append(run.run_id)
    return tuple(closed)
