"""Admission: slots that are due are claimed, started, queued, skipped or missed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any

from universal_agent.domain import events
from universal_agent.domain.cooldown import COOLDOWN
from universal_agent.domain.job import (
    BREAKER,
    BUSY,
    PRIORITY_ORDER,
    Job,
    OnMiss,
    Overlap,
    is_light,
)
from universal_agent.domain.judge import RUN_ALL_LIMIT
from universal_agent.domain.process import Process
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source, epoch, from_epoch
from universal_agent.failpoint import Failpoint, passing
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.decoding import readable
from universal_agent.store.rows.jobs import job_from_row
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.claims import claimed_by, workers_of
from universal_agent.store.steps.cooldowns import Gate
from universal_agent.store.steps.decided_slots import without_decided_slots
from universal_agent.store.steps.holds import take_probe
from universal_agent.store.steps.lanes import Lanes
from universal_agent.store.steps.retries import Dropped, drop_retries
from universal_agent.store.steps.slots import (
    NewRun,
    insert_runs,
    queue_extra,
    queue_patience,
    useful_until,
)
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.values import (
    ANY_RUN,
    Admission,
    Claimed,
    ClaimRules,
    Decision,
    Due,
    Once,
    SlotStart,
)
from universal_agent.store.verbs.beats import deliver_events
from universal_agent.store.verbs.cancels import request_cancel
from universal_agent.store.verbs.idempotency import recall
from universal_agent.store.verbs.misses import insert_missed
from universal_agent.store.verbs.runs import cancel_queued, drop_queued

#: Why a run ends early whose job's next slot takes its place.
NEXT_SLOT = "cancelled by the job's next slot"

#: The longest wait until due jobs are looked up again.
_FAR = timedelta(days=1)


@in_lane(Lane.ENGINE)
def due(tx: Tx, *, until: datetime, limit: int, without: Source | None = None) -> Due:
    """Jobs with `due_at` up to `until`, earliest first, at most `limit`.

    Jobs of the source `without` are left out.
    """
    at = until.timestamp()
    others = without or ""
    rows = tx.all("due_jobs", until=at, limit=limit, without=others)
    read = readable(tx, "jobs", rows, lambda row: job_from_row(row, tx.specs))
    bad = () if len(read) == len(rows) else {row[:2] for row in rows} - {row[:2] for row, _ in read}
    row = tx.one("next_due", until=at, without=others)
    assert row is not None
    *times, cooled = row
    waiting = [when for when in times if when is not None]
    _, retry_at, queue_until, useful_until, _ = times
    return Due(
        jobs=tuple(job for _, job in read),
        starts=retry_at is not None and retry_at <= at,
        overdue=queue_until is not None and queue_until <= at,
        expired=useful_until is not None and useful_until <= at,
        cooled=bool(cooled),
        next_at=_soon(min(waiting), until) if waiting else None,
        unreadable=tuple(sorted(bad)),
    )


def _soon(at: float, until: datetime) -> datetime:
    """The instant; for one that no clock shows, an instant that is handled like any due one."""
    try:
        return from_epoch(at)
    except (ValueError, OverflowError, OSError):
        return until + _FAR if at > 0 else until


def admit(
    tx: Tx,
    decisions: Sequence[Decision],
    *,
    free_workers: int,
    process: Process,
    now: datetime,
    rules: ClaimRules = ANY_RUN,
) -> Admission:
    """Apply decisions: claim slots under their key, advance the jobs, record missed slots.

    Up to `free_workers` slots start (`running`), slots on time first. The others are queued, or
    skipped where the job's overlap policy says so. None starts in a process that was given up as
    lost.
    """
    free_workers = workers_of(tx, process, free_workers)
    applied = without_decided_slots(tx, _advance(tx, decisions))
    for decision in applied:
        for missed in decision.missed:
            mark = events.high_water(decision.next_run_at)
            insert_missed(tx, missed, decision.job.spec, now=now, mark=mark)
    starts = [(decision, start) for decision in applied for start in decision.starts]
    gate = Gate(tx, rules.agent, now=now)
    batch = _AdmissionBatch(
        _active_runs(tx, applied, gate),
        starts,
        Lanes(tx, free_workers, rules),
        gate=gate,
        probes=_probes(tx, starts, now=now),
        process=process,
        now=now,
    )
    for decision, start in sorted(starts, key=_rank):
        batch.place(decision, start)
    batch.record(tx)
    for run_id in batch.cancel:
        request_cancel(tx, run_id, reason=NEXT_SLOT, by="scheduler", now=now)
    passing(Failpoint.BEFORE_ADMIT_COMMIT)
    return Admission(
        started=tuple(batch.started),
        queued_count=batch.queued_count,
        stale_count=len(decisions) - len(applied),
    )


def _rank(pair: tuple[Decision, SlotStart]) -> tuple[bool, float, int]:
    """The order of the queue: slots on time before missed ones, then by priority; of missed ones
    first what is useful for the shortest time.

    Slots of one job and one rank stay in the order of their times.
    """
    decision, start = pair
    spec, is_late = decision.job.spec, start.trigger.is_late
    until = useful_until(spec, start.scheduled_at) if is_late else None
    return is_late, inf if until is None else until, PRIORITY_ORDER[spec.priority]


def _advance(tx: Tx, decisions: Sequence[Decision]) -> list[Decision]:
    """Move the high-water marks. Returns the decisions whose job still had the mark they were made
    on.

    The rows of these jobs are locked from here on: no other writer decides their slots in between.
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


def _probes(
    tx: Tx, starts: Sequence[tuple[Decision, SlotStart]], *, now: datetime
) -> Collection[RunId]:
    """The runs of held jobs that start as probes."""
    newest = {
        decision.job.job_id: (decision.job, start)
        for decision, start in starts
        if decision.job.spec.is_held and start.missed_id is None
    }
    return {
        start.run_id
        for job, start in newest.values()
        if take_probe(tx, job, start.scheduled_at, now=now)
    }


@dataclass(frozen=True, slots=True)
class _Active:
    """A run that is queued or running."""

    run_id: RunId
    status: RunStatus
    trigger: Trigger


def _active_runs(tx: Tx, decisions: Iterable[Decision], gate: Gate) -> dict[str, list[_Active]]:
    """The queued and running runs of each job that depends on them: by its overlap policy, or
    because a cooldown holds it.
    """
    refs = [
        decision.job.job_id
        for decision in decisions
        if decision.job.spec.policy.overlap is not Overlap.ALLOW
        or gate.holding(decision.job.spec) is not None
    ]
    active: dict[str, list[_Active]] = {ref: [] for ref in refs}
    for ref, run_id, status, trigger in tx.all("active_runs", refs=to_json(refs)):
        active[ref].append(_Active(RunId(run_id), RunStatus(status), Trigger(trigger)))
    return active


def _goes_before(run: _Active, *, late: bool) -> bool:
    """Whether a new slot of the same job starts after the run; `late`: the slot was missed."""
    return run.status is RunStatus.RUNNING or late or not run.trigger.is_late


#: Policies by which only the latest of several waiting slots is useful.
_LATEST_COUNTS = (Overlap.CANCEL_PREVIOUS, Overlap.DEFER)


def _reason(overlap: Overlap) -> str:
    """The reason of a slot that is skipped because of other runs."""
    return BUSY if overlap is Overlap.DEFER else "overlap"


class _AdmissionBatch:
    """One batch of slots: decides which start, wait or are skipped, then records all of them."""

    def __init__(
        self,
        active: dict[str, list[_Active]],
        starts: Sequence[tuple[Decision, SlotStart]],
        lanes: Lanes,
        *,
        gate: Gate,
        probes: Collection[RunId],
        process: Process,
        now: datetime,
    ) -> None:
        self._active = active
        self._gate = gate
        self._newest = {decision.job.job_id: start for decision, start in starts}
        self._lanes = lanes
        self._probes = probes
        self._process = process
        self._now = now
        self._new: list[NewRun] = []
        self._slots: list[dict[str, object]] = []
        self._events: list[events.NewEvent] = []
        #: Queued runs whose place a later slot takes, with the reason.
        self._replaced: list[tuple[RunId, str]] = []
        self.started: list[Claimed] = []
        self.queued_count = 0
        self.cancel: list[RunId] = []

    def place(self, decision: Decision, start: SlotStart) -> None:
        """Start, queue or skip one slot."""
        job = decision.job
        policy = job.spec.policy
        mark = events.high_water(decision.next_run_at)
        # A slot that runs late by policy was waited for: it is not skipped again.
        late_by_policy = start.missed_id is not None
        is_cooling = not late_by_policy and self._gate.holding(job.spec) is not None
        if is_cooling and self._is_replaced(job, start):
            self._gate.count(job.spec)
            self._skip(job, start, COOLDOWN, mark)
            return
        if not late_by_policy and self._gives_way(job, start):
            self._skip(job, start, _reason(policy.overlap), mark)
            return
        if job.spec.is_held and not late_by_policy and start.run_id not in self._probes:
            self._skip(job, start, BREAKER, mark)
            return
        lane = {"light": is_light(job.spec), "late": late_by_policy}
        free = self._lanes.has_room(job.spec.pool, **lane)
        if policy.overlap is not Overlap.ALLOW:
            active = self._active[job.job_id]
            if policy.overlap in _LATEST_COUNTS and not late_by_policy:
                self._stop_previous(active, policy.overlap)
            free = free and not any(_goes_before(run, late=late_by_policy) for run in active)
        free = free and self._gate.let_through(start.run_id, job.spec)
        if job.job_id in self._active:
            status = RunStatus.RUNNING if free else RunStatus.QUEUED
            self._active[job.job_id].append(_Active(start.run_id, status, start.trigger))
        run = Run(
            run_id=start.run_id,
            source=job.source,
            source_ref=job.job_id,
            status=RunStatus.QUEUED,
            trigger=start.trigger,
            attempt=1,
            scheduled_at=start.scheduled_at,
            has_slot=True,
            job_version=job.version,
            queued_at=self._now,
        )
        if free:
            run = claimed_by(self._process, run, now=self._now)
        patience = None if late_by_policy else queue_patience(job.spec, is_held=is_cooling)
        self._new.append(NewRun(run, job.spec, patience))
        self._slot(job, start, run.status, run_id=run.run_id)
        self._events.append(events.run_changed(run, job.spec, now=self._now, mark=mark))
        if free:
            self._lanes.take(job.spec.pool, **lane)
            self.started.append(Claimed(run=run, spec=job.spec))
        else:
            self.queued_count += 1

    def _is_replaced(self, job: Job, start: SlotStart) -> bool:
        """Whether a slot that a cooldown holds gives way to a later one, or to a run of its job.

        The latest slot of a job waits for the end of a cooldown, and replaces the one before it.
        With `run_all` all of them wait, up to a limit.
        """
        active = self._active[job.job_id]
        if job.spec.policy.overlap is not Overlap.ALLOW and any(
            run.status is RunStatus.RUNNING for run in active
        ):
            return False  # the overlap policy decides
        waiting = [
            run for run in active if run.status is RunStatus.QUEUED and not run.trigger.is_late
        ]
        if job.spec.policy.on_miss is OnMiss.RUN_ALL:
            return len(waiting) >= RUN_ALL_LIMIT
        if start is not self._newest[job.job_id]:
            return True
        if any(run.trigger is not Trigger.SCHEDULE for run in waiting):
            return True
        for run in waiting:
            self._gate.count(job.spec)
            self._replaced.append((run.run_id, COOLDOWN))
            active.remove(run)
        return False

    def _gives_way(self, job: Job, start: SlotStart) -> bool:
        """Whether the overlap policy skips the slot because of the job's other runs."""
        match job.spec.policy.overlap:
            case Overlap.SKIP:
                return any(_goes_before(run, late=False) for run in self._active[job.job_id])
            case Overlap.QUEUE_ONE:
                return any(
                    run.status is RunStatus.QUEUED and not run.trigger.is_late
                    for run in self._active[job.job_id]
                )
            case Overlap.CANCEL_PREVIOUS | Overlap.DEFER:
                return start is not self._newest[job.job_id]
            case Overlap.ALLOW:
                return False

    def _stop_previous(self, active: list[_Active], overlap: Overlap) -> None:
        """Close earlier queued slots, and cancel running ones where the policy says so."""
        for run in list(active):
            if run.status is RunStatus.RUNNING:
                if overlap is Overlap.CANCEL_PREVIOUS:
                    self.cancel.append(run.run_id)
            elif run.trigger is Trigger.SCHEDULE:
                self._replaced.append((run.run_id, _reason(overlap)))
                active.remove(run)

    def _skip(self, job: Job, start: SlotStart, reason: str, mark: dict[str, Any]) -> None:
        self._slot(job, start, RunStatus.SKIPPED, reason=reason)
        slot = SlotKey(job.source, job.job_id, start.scheduled_at)
        self._events.append(
            events.slot_skipped(
                slot, job.spec, reason, job_version=job.version, now=self._now, mark=mark
            )
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
                "source": job.source,
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
        """Write the batch."""
        self._gate.record({claimed.run.run_id for claimed in self.started})
        for run_id, reason in self._replaced:
            if reason in (BUSY, COOLDOWN):
                skipped = RunStatus.SKIPPED
                drop_queued(tx, run_id, skipped, error=None, reason=reason, now=self._now)
            else:
                cancel_queued(tx, run_id, now=self._now, reason=reason)
        admitted = {item.run.source_ref: item.spec for item in self._new}
        drop_retries(tx, admitted, Dropped.NEXT_SLOT, now=self._now)
        tx.many("claim_slot", self._slots)
        insert_runs(tx, self._new)
        tx.append_all(self._events)
        self.started = [deliver_events(tx, claimed) for claimed in self.started]


def postpone(tx: Tx, job: Job, *, due_at: datetime) -> None:
    """Set the job's `due_at`, so that a job that cannot be decided does not stop others."""
    postpone_unreadable(tx, [(job.job_id, job.version)], due_at=due_at)


def postpone_unreadable(tx: Tx, jobs: Sequence[tuple[str, int]], *, due_at: datetime) -> None:
    """Set the `due_at` of jobs that cannot be read, by id and version."""
    tx.many(
        "postpone_job",
        [
            {"job_id": ref, "version": version, "due_at": due_at.timestamp()}
            for ref, version in jobs
        ],
    )


def add_run(tx: Tx, job: Job, run_id: RunId, *, now: datetime, once: Once | None = None) -> Run:
    """Queue a run without a slot. With a known `once`, returns the run that it made before."""
    made = recall(tx, once, run_id, now=now)
    if made is not None:
        row = tx.one("get_run", run_id=made)
        assert row is not None
        return run_from_row(row)
    return queue_extra(
        tx,
        run_id,
        job.spec,
        source=job.source,
        source_ref=job.job_id,
        version=job.version,
        trigger=Trigger.MANUAL,
        now=now,
    )
