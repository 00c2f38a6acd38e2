"""Slots that did not run: missed in the queue, or interrupted."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain import events
from universal_agent.domain.cooldown import COOLDOWN
from universal_agent.domain.job import JobSpec, OnMiss
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.decoding import readable
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.steps.cooldowns import Gate
from universal_agent.store.steps.each import for_each
from universal_agent.store.steps.holders import Holders
from universal_agent.store.steps.job_versions import read_spec, spec_of
from universal_agent.store.steps.missed import insert_missed_spans, move_to_missed
from universal_agent.store.steps.slots import set_outcomes
from universal_agent.store.steps.unreadable_runs import close_unreadable
from universal_agent.store.tx import Row, Tx
from universal_agent.store.verbs.execution import end_cancelled, end_runs
from universal_agent.store.verbs.jobs import get_job
from universal_agent.store.verbs.runs import cancel_queued, drop_queued

#: Crashes of the gateway that a run may outlive; after the last one a person decides.
POISON_CRASHES = 2

_UNKNOWN = "the gateway stopped while it ran; what became of it is unknown"
_POISON = (
    f"the gateway has crashed {POISON_CRASHES} times while it ran; it is not repeated before a "
    "person decides"
)


def insert_missed(
    tx: Tx,
    missed: MissedRecord,
    spec: JobSpec,
    *,
    now: datetime,
    mark: dict[str, Any] | None = None,
) -> None:
    """Record a span of missed slots."""
    insert_missed_spans(tx, [missed])
    tx.append(events.slots_missed(missed, spec, now=now, mark=mark))


def miss_queued(
    tx: Tx,
    *,
    now: datetime,
    cause: Cause,
    outage_id: str,
    missed_ids: Sequence[str],
    after_grace: bool,
    of: Source | None = None,
    agent: Sequence[str] = (),
    concurrency: int = 0,
) -> int:
    """Turn runs that waited too long into missed slots, at most one for each of `missed_ids`.

    Too long is past the job's queue limit, or with `after_grace` past its misfire grace: late work
    is not started unasked after an outage. With `of`, all runs of a source whose engine was
    switched off. A run that a cooldown holds goes on waiting after a start; past its queue limit
    it ends by its job's miss policy, or as skipped. `concurrency` is the size of the pool of jobs
    that name none.
    """
    gate, holders = Gate(tx, agent, now=now), Holders(tx, concurrency)
    if of is not None:
        rows = [row for row in tx.all("queued_runs") if row[1] == of]
    elif after_grace:
        queued = tx.all("queued_runs")
        # A run that cannot be read is closed when a worker is free for it.
        late = readable(tx, "runs", queued, lambda row: _is_past_grace(tx, row, gate, now))
        rows = [row for row, is_late in late if is_late]
    else:
        rows = tx.all("overdue_runs", now=now.timestamp(), limit=len(missed_ids))

    def drop(pair: tuple[str, Row]) -> None:
        missed_id, row = pair
        run = run_from_row(row)
        _, text, own = row[RUN_WIDTH:]
        spec = tx.specs.of_run(run, text, own)
        cooldown = None if of is not None else gate.holding(spec)
        if cooldown is None:
            held = holders.words(spec.pool) if cause is Cause.CAPACITY else None
            _drop_late(tx, run, missed_id, cause, outage_id=outage_id, now=now, held_by=held)
            return
        gate.count(spec)
        if run.has_slot and spec.policy.on_miss is OnMiss.ASK and spec.source is Source.CRON:
            number = cooldown.opened_by.removeprefix("run_")
            _drop_late(tx, run, missed_id, Cause.COOLDOWN, outage_id=f"out_{number}", now=now)
        else:
            drop_queued(tx, run.run_id, RunStatus.SKIPPED, error=None, reason=COOLDOWN, now=now)

    pairs = list(zip(missed_ids, rows, strict=False))
    for_each(
        tx,
        "runs",
        pairs,
        drop,
        key=lambda pair: pair[1][0],
        put_off=lambda pair, error: close_unreadable(tx, pair[1], RunStatus.ERROR, error, now=now),
    )
    gate.record(())
    return len(pairs)


def _is_past_grace(tx: Tx, row: Row, gate: Gate, now: datetime) -> bool:
    run = run_from_row(row)
    queue_until, text, own = row[RUN_WIDTH:]
    if run.has_slot and queue_until is None:
        return False  # late by policy or approval: it goes on waiting
    spec = tx.specs.of_run(run, text, own)
    if gate.is_cooling(spec):
        return False
    policy = spec.policy
    return run.queued_at + timedelta(seconds=policy.misfire_grace_seconds) < now


def _drop_late(
    tx: Tx,
    run: Run,
    missed_id: str,
    cause: Cause,
    *,
    outage_id: str,
    now: datetime,
    held_by: str | None = None,
) -> None:
    """Close a run that waited too long; its slot is missed."""
    if not run.has_slot:
        cancel_queued(tx, run.run_id, now=now, reason=cause)
        return
    row = tx.one(
        "drop_queued_run",
        run_id=run.run_id,
        status=RunStatus.SKIPPED,
        error=None,
        reason=f"missed:{cause}",
        now=now.timestamp(),
    )
    assert row is not None
    tx.append(events.run_changed(run_from_row(row), spec_of(tx, run), now=now))
    _move_to_missed(
        tx,
        run,
        missed_id,
        cause,
        outcome="missed",
        outage_id=outage_id,
        now=now,
        held_by=held_by,
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
    mark: dict[str, Any] | None = None,
    held_by: str | None = None,
) -> None:
    """Account for an admitted slot as missed, under the version that expected it."""
    move_to_missed(
        tx,
        run,
        lambda version: read_spec(tx, run.source_ref, version),
        missed_id,
        cause,
        outcome=outcome,
        outage_id=outage_id,
        now=now,
        gone=get_job(tx, run.source_ref) is None,
        mark=mark,
        held_by=held_by,
    )


def _is_on(tx: Tx, run: Run) -> bool:
    job = get_job(tx, run.source_ref)
    return job is not None and job.spec.enabled


def _may_try_again(tx: Tx, run: Run, spec: JobSpec) -> bool:
    """Whether the slot of an interrupted run is tried again without an operator.

    A run that ends its own gateway would do so at each attempt, so attempts are few.
    """
    if not (run.has_slot and spec.policy.retry_interrupted and _is_on(tx, run)):
        return False
    row = tx.one(
        "interruptions_of_slot",
        source=run.source,
        source_ref=run.source_ref,
        scheduled_at=run.scheduled_at.timestamp(),
    )
    assert row is not None
    return int(row[0]) <= spec.policy.retry_interrupted


def crashes_of(tx: Tx, run: Run) -> int:
    """How often a gateway has crashed while the run was in execution."""
    row = tx.one("crashes_of_run", run_id=run.run_id)
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class Interruption:
    """Why runs are interrupted, and the ids for what that makes."""

    now: datetime
    outage_id: str
    missed_ids: Sequence[str]
    #: Whether the gateway was asked to stop: that is information, not a warning.
    planned: bool = False


def interrupt_left(
    tx: Tx, process_id: str, why: Interruption, *, kept: Collection[str] = ()
) -> tuple[RunId, ...]:
    """Close runs that a lost process left `running`, at most one for each of `why.missed_ids`.

    Those in `kept` go on without it.
    """
    rows = tx.all(
        "left_running",
        process_id=process_id,
        kept=to_json(list(kept)),
        limit=len(why.missed_ids),
    )
    return _interrupt(tx, rows, why)


def interrupt_runs(
    tx: Tx,
    run_ids: Sequence[str],
    *,
    now: datetime,
    outage_id: str,
    missed_ids: Sequence[str],
) -> tuple[RunId, ...]:
    """Close these runs: how they ended is unknown, though their gateway lives."""
    rows = tx.all("running_among", run_ids=to_json(list(run_ids)))
    return _interrupt(tx, rows, Interruption(now, outage_id, missed_ids))


def _interrupt(tx: Tx, rows: Sequence[Row], why: Interruption) -> tuple[RunId, ...]:
    pairs = list(zip(why.missed_ids, rows, strict=False))
    for_each(
        tx,
        "runs",
        pairs,
        lambda pair: _interrupt_one(tx, pair[1], pair[0], why),
        key=lambda pair: pair[1][0],
        put_off=lambda pair, error: close_unreadable(
            tx, pair[1], RunStatus.INTERRUPTED, error, now=why.now
        ),
    )
    return tuple(RunId(row[0]) for _, row in pairs)


def _interrupt_one(tx: Tx, row: Row, missed_id: str, why: Interruption) -> None:
    was, cancel_reason, now = run_from_row(row), row[RUN_WIDTH], why.now
    if cancel_reason is not None:
        end_cancelled(tx, was, cancel_reason, now=now)
        return
    crashes = crashes_of(tx, was)
    is_poison = crashes >= POISON_CRASHES
    run = replace(
        was,
        status=RunStatus.INTERRUPTED,
        finished_at=now,
        error=_POISON if is_poison else _UNKNOWN,
    )
    end_runs(tx, [run])
    spec = spec_of(tx, run)
    again = not is_poison and _may_try_again(tx, run, spec)
    retry_at = now if again else None
    set_outcomes(tx, [(run, retry_at)])
    mark = {"planned": why.planned, "crashes": crashes, "is_poison": is_poison}
    tx.append(events.run_changed(run, spec, now=now, retry_at=retry_at, mark=mark))
    if run.has_slot and not again:
        _move_to_missed(
            tx,
            run,
            missed_id,
            Cause.INTERRUPTED,
            outcome=RunStatus.INTERRUPTED,
            outage_id=why.outage_id,
            now=now,
            mark={"planned": why.planned},
        )
