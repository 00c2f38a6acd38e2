"""Slots that start at a time other than their nominal one: retries and moved slots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.judge import Cause, MissedSpan, grace_of, undecided
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.set_aside import LEFT_ALONE
from universal_agent.store.steps.cooldowns import Gate
from universal_agent.store.steps.each import for_each
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.steps.open_slots import JOB_DELETED, reason_of
from universal_agent.store.steps.retries import Dropped, drop_retry
from universal_agent.store.steps.slots import NewRun, insert_runs, queue_patience
from universal_agent.store.tx import Row, Tx
from universal_agent.store.verbs.jobs import get_job
from universal_agent.store.verbs.misses import insert_missed


@dataclass(frozen=True, slots=True)
class Start:
    """A slot whose start time has come."""

    source: str
    source_ref: str
    scheduled_at: int
    start_at: float
    job_version: int
    run_id: str | None
    attempt: int | None
    #: The version that its last run was made under.
    run_version: int | None

    @property
    def key(self) -> dict[str, object]:
        return {
            "source": self.source,
            "source_ref": self.source_ref,
            "scheduled_at": self.scheduled_at,
        }


def _key(row: Row) -> dict[str, object]:
    source, source_ref, scheduled_at = row[:3]
    return {"source": source, "source_ref": source_ref, "scheduled_at": scheduled_at}


def make_starts(
    tx: Tx,
    run_ids: Sequence[RunId],
    *,
    missed_ids: Sequence[str],
    cause: Cause,
    outage_id: str,
    now: datetime,
    without: Source | None = None,
    agent: Sequence[str] = (),
) -> int:
    """Queue retries and moved slots whose time has come, at most one for each of `run_ids`.

    One whose time passed longer ago than the job's grace is not started: a moved slot is missed,
    under one of `missed_ids`, and a retry is dropped.
    """
    rows: list[Row] = tx.all(
        "due_starts", now=now.timestamp(), limit=len(run_ids), without=without or ""
    )

    gate = Gate(tx, agent, now=now)

    def make(pair: tuple[RunId, str, Row]) -> None:
        run_id, missed_id, row = pair
        start = Start(*row)
        if not take_start(tx, start):
            return
        version = start.run_version or start.job_version
        spec = read_spec(tx, start.source_ref, version)
        if start.run_id is None:
            job = get_job(tx, start.source_ref)
            if job is None or not job.spec.enabled:
                _skip(tx, start, spec, job, now=now)
                return
            # A slot that a person moved runs under the current version of its job.
            spec, version = job.spec, job.version
        if from_epoch(start.start_at) + grace_of(spec.policy) >= now:
            patience: int | None = spec.policy.queue_limit_seconds
            if gate.holding(spec) is not None:
                # An attempt is postponed to the end of the cooldown, however late that is.
                patience = None if start.run_id else queue_patience(spec, is_held=True)
            _queue(tx, start, spec, version, run_id, patience, now=now)
        elif start.run_id is None:
            miss_start(tx, start, spec, missed_id, cause, outage_id=outage_id, now=now)
        else:
            # Late work is not started unasked: the slot keeps the outcome of its last attempt.
            drop_retry(tx, start.key, spec, Dropped.LATE, now=now)

    def put_off(pair: tuple[RunId, str, Row], _: Exception) -> None:
        tx.run("start_slot_at", **_key(pair[2]), retry_at=(now + LEFT_ALONE).timestamp())

    for_each(
        tx,
        "slots",
        list(zip(run_ids, missed_ids, rows, strict=False)),
        make,
        key=lambda pair: "|".join(map(str, pair[2][:3])),
        put_off=put_off,
    )
    return len(rows)


def take_start(tx: Tx, start: Start) -> bool:
    """Take the start for this transaction; False when it was made, moved or dropped since."""
    return bool(tx.run("take_start", **start.key, retry_at=start.start_at))


def _skip(tx: Tx, start: Start, spec: JobSpec, job: Job | None, *, now: datetime) -> None:
    """Skip a moved slot whose job is gone or off, as earlier versions of the product left them."""
    reason = JOB_DELETED if job is None else reason_of(job.spec)
    tx.run("skip_moved_slot", **start.key, reason=reason)
    tx.append(
        events.slot_skipped(
            SlotKey(Source(start.source), start.source_ref, from_epoch(start.scheduled_at)),
            spec,
            reason,
            job_version=start.job_version,
            now=now,
            mark={},
        )
    )


def _queue(
    tx: Tx,
    start: Start,
    spec: JobSpec,
    version: int,
    run_id: RunId,
    patience: int | None,
    *,
    now: datetime,
) -> None:
    run = Run(
        run_id=run_id,
        source=start.source,
        source_ref=start.source_ref,
        status=RunStatus.QUEUED,
        trigger=Trigger.SCHEDULE if start.run_id is None else Trigger.RETRY,
        attempt=1 if start.attempt is None else start.attempt + 1,
        scheduled_at=from_epoch(start.scheduled_at),
        has_slot=True,
        job_version=version,
        queued_at=now,
    )
    tx.run("next_attempt", **start.key, run_id=run_id)
    insert_runs(tx, [NewRun(run, spec, patience)])
    tx.append(events.run_changed(run, spec, now=now))


def miss_start(
    tx: Tx,
    start: Start,
    spec: JobSpec,
    missed_id: str,
    cause: Cause,
    *,
    outage_id: str,
    now: datetime,
) -> None:
    """Record a moved slot whose time passed as missed, under its nominal time."""
    at = from_epoch(start.scheduled_at)
    useful = spec.policy.useful_for_seconds
    missed = MissedRecord(
        missed_id=missed_id,
        source=spec.source,
        source_ref=start.source_ref,
        job_version=start.job_version,
        span=MissedSpan(at, at, undecided(spec.policy), 1),
        cause=cause,
        outage_id=outage_id,
        created_at=now,
        updated_at=now,
        useful_until=(
            None if useful is None else from_epoch(start.start_at) + timedelta(seconds=useful)
        ),
    )
    tx.run(
        "put_slot",
        **start.key,
        job_version=start.job_version,
        outcome="missed",
        reason=cause,
        run_id=None,
        missed_id=missed_id,
    )
    insert_missed(tx, missed, spec, now=now)
