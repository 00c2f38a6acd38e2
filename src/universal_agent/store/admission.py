"""How does a slot get from due to admitted? Each verb is one transaction, many slots in one go."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from universal_agent.domain import events
from universal_agent.domain.job import Job, Overlap
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.failpoint import Failpoint, passing
from universal_agent.store.base import Admission, Claimed, Decision, Due, Once, SlotStart
from universal_agent.store.job_verbs import recall
from universal_agent.store.misses import insert_missed
from universal_agent.store.rows import SpecCache, job_from_row, run_from_row
from universal_agent.store.slots import NewRun, insert_runs
from universal_agent.store.tx import Tx, stamp, to_json


def due(tx: Tx, *, until: datetime, limit: int, specs: SpecCache) -> Due:
    at = until.timestamp()
    jobs = tuple(job_from_row(row, specs) for row in tx.all("due_jobs", until=at, limit=limit))
    row = tx.one("next_due", until=at)
    assert row is not None
    waiting = [when for when in row if when is not None]
    _, retry_at, queue_until, useful_until = row
    return Due(
        jobs=jobs,
        starts=retry_at is not None and retry_at <= at,
        overdue=queue_until is not None and queue_until <= at,
        expired=useful_until is not None and useful_until <= at,
        next_at=from_epoch(min(waiting)) if waiting else None,
    )


def admit(
    tx: Tx, decisions: Sequence[Decision], *, free_workers: int, host: str, now: datetime
) -> Admission:
    applied = _advance(tx, decisions)
    for decision in applied:
        for missed in decision.missed:
            mark = events.high_water(decision.next_run_at)
            insert_missed(tx, missed, decision.job.spec, now=now, mark=mark)
    starts = [(decision, start) for decision in applied for start in decision.starts]
    taken = _taken(tx, starts)
    desk = _Desk(_active_runs(tx, applied), free_workers=free_workers, host=host, now=now)
    for decision, start in starts:
        if (decision.job.job_id, epoch(start.scheduled_at)) not in taken:
            desk.place(decision, start)
    desk.record(tx)
    passing(Failpoint.BEFORE_ADMIT_COMMIT)
    return Admission(
        started=tuple(desk.started),
        queued_count=desk.queued_count,
        cancel=tuple(desk.cancel),
        stale_count=len(decisions) - len(applied),
    )


def _advance(tx: Tx, decisions: Sequence[Decision]) -> list[Decision]:
    """Move the high-water marks; the decisions whose job was still where they were made.

    From here on these jobs' rows are held: nobody else decides their slots in between.
    """
    rows = []
    for decision in decisions:
        job, then = decision.job, decision.next_run_at
        assert job.next_run_at is not None
        next_run_at = None if then is None else epoch(then)
        due_at = None if then is None else stamp(then + job.jitter)
        rows.append((job.job_id, job.version, epoch(job.next_run_at), next_run_at, due_at))
    moved = {job_id for (job_id,) in tx.all("advance_jobs", rows=to_json(rows))}
    return [decision for decision in decisions if decision.job.job_id in moved]


def _taken(tx: Tx, starts: Sequence[tuple[Decision, SlotStart]]) -> set[tuple[str, int]]:
    """Those of the slots that were decided before: moved, skipped or run early by somebody."""
    keys = [(decision.job.job_id, epoch(start.scheduled_at)) for decision, start in starts]
    return {(ref, at) for ref, at in tx.all("taken_slots", keys=to_json(keys))}


def _active_runs(tx: Tx, decisions: Iterable[Decision]) -> dict[str, list[tuple[RunId, RunStatus]]]:
    """The runs that wait or are in execution, of each job that minds."""
    refs = [
        decision.job.job_id
        for decision in decisions
        if decision.job.spec.policy.overlap is not Overlap.ALLOW
    ]
    active: dict[str, list[tuple[RunId, RunStatus]]] = {ref: [] for ref in refs}
    for ref, run_id, status in tx.all("active_runs", refs=to_json(refs)):
        active[ref].append((RunId(run_id), RunStatus(status)))
    return active


class _Desk:
    """Gives each slot its place: started, queued or skipped; then records all of them at once."""

    def __init__(
        self,
        active: dict[str, list[tuple[RunId, RunStatus]]],
        *,
        free_workers: int,
        host: str,
        now: datetime,
    ) -> None:
        self._active = active
        self._free_workers = free_workers
        self._host = host
        self._now = now
        self._new: list[NewRun] = []
        self._slots: list[dict[str, object]] = []
        self._events: list[events.NewEvent] = []
        self._drop_retries: list[dict[str, object]] = []
        self.started: list[Claimed] = []
        self.queued_count = 0
        self.cancel: list[RunId] = []

    def place(self, decision: Decision, start: SlotStart) -> None:
        job = decision.job
        policy = job.spec.policy
        mark = events.high_water(decision.next_run_at)
        # A slot that runs late by policy has been waited for: it is never skipped again.
        late_by_policy = start.missed_id is not None
        free = len(self.started) < self._free_workers
        if policy.overlap is not Overlap.ALLOW:
            active = self._active[job.job_id]
            running = [run_id for run_id, status in active if status is RunStatus.RUNNING]
            waiting = len(active) - len(running)
            free = free and not active
            if not late_by_policy and (
                (policy.overlap is Overlap.SKIP and active)
                or (policy.overlap is Overlap.QUEUE_ONE and waiting)
            ):
                self._skip(job, start, "overlap", mark)
                return
            if policy.overlap is Overlap.CANCEL_PREVIOUS:
                self.cancel.extend(running)
            active.append((start.run_id, RunStatus.RUNNING if free else RunStatus.QUEUED))
        if policy.retries:
            self._drop_retries.append({"source": "cron", "source_ref": job.job_id})
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
            queued_at=self._now,
            started_at=self._now if free else None,
            host=self._host if free else None,
        )
        patience = None if late_by_policy else policy.queue_limit_seconds
        self._new.append(NewRun(run, job.spec, patience))
        self._slot(job, start, run.status, run_id=run.run_id)
        self._events.append(events.run_changed(run, job.spec, now=self._now, mark=mark))
        if free:
            self.started.append(Claimed(run=run, spec=job.spec))
        else:
            self.queued_count += 1

    def _skip(self, job: Job, start: SlotStart, reason: str, mark: dict[str, Any]) -> None:
        self._slot(job, start, RunStatus.SKIPPED, reason=reason)
        self._events.append(
            events.slot_skipped(job, start.scheduled_at, reason, now=self._now, mark=mark)
        )

    def _slot(
        self,
        job: Job,
        start: SlotStart,
        outcome: RunStatus,
        *,
        run_id: RunId | None = None,
        reason: str | None = None,
    ) -> None:
        self._slots.append(
            {
                "source": "cron",
                "source_ref": job.job_id,
                "scheduled_at": epoch(start.scheduled_at),
                "job_version": job.version,
                "outcome": outcome,
                "reason": reason,
                "run_id": run_id,
                "missed_id": start.missed_id,
            }
        )

    def record(self, tx: Tx) -> None:
        tx.many("drop_retries", self._drop_retries)
        tx.many("claim_slot", self._slots)
        insert_runs(tx, self._new)
        tx.append_all(self._events)


def postpone(tx: Tx, job: Job, *, due_at: datetime) -> None:
    tx.run("postpone_job", job_id=job.job_id, version=job.version, due_at=due_at.timestamp())


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
    insert_runs(tx, [NewRun(run, job.spec)])
    tx.append(events.run_changed(run, job.spec, now=now))
    return run
