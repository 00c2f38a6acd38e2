"""Slots of sources whose engine is off, and their decisions when it is switched on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import Job, OnMiss
from universal_agent.domain.judge import (
    Cause,
    MissedStatus,
    decide_missed,
    grace_of,
    run_limit,
)
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import Source, epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.jobs import job_from_row
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.steps.each import for_each
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.steps.missed import change_missed, insert_missed_spans
from universal_agent.store.steps.slots import NewRun, insert_runs
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.values import DuePage
from universal_agent.store.verbs.jobs import get_job
from universal_agent.store.verbs.starts import Start, miss_start, take_start

#: Moved slots read in one transaction; those within their grace are left.
_LOOKED_AT = 10_000


def _meta(source: Source) -> str:
    return f"off:{source}"


def switched_off(tx: Tx, source: Source, *, outage_id: str) -> str:
    """Record that the source's engine is off, under this outage.

    Returns the outage on record, if the engine was off already.
    """
    tx.run("set_meta_first", name=_meta(source), value=outage_id)
    return off_outage(tx, source) or outage_id


def off_outage(tx: Tx, source: Source) -> str | None:
    """The outage that began when the source's engine was switched off; None while it is on."""
    row = tx.one("get_meta", name=_meta(source))
    return None if row is None else str(row[0])


def switched_on(tx: Tx, source: Source) -> None:
    """Record that the source's engine is on: its outage has been decided."""
    tx.run("drop_meta", name=_meta(source))


@in_lane(Lane.ENGINE)
def due_page(
    tx: Tx,
    source: Source,
    *,
    until: datetime,
    after: tuple[float, str] | None,
    limit: int,
) -> DuePage:
    """Jobs of the source with `due_at` up to `until`, from after a page's end."""
    due_at, job_id = after or (-1.0, "")
    rows = tx.all(
        "due_page",
        source=source,
        until=until.timestamp(),
        after_at=due_at,
        after_id=job_id,
        limit=limit,
    )
    return DuePage(
        jobs=tuple(decoded(tx, "jobs", rows, lambda row: job_from_row(row[:-1], tx.specs))),
        after=(rows[-1][-1], rows[-1][0]) if len(rows) == limit else None,
    )


def miss_moved(
    tx: Tx,
    source: Source,
    *,
    outage_id: str,
    missed_ids: Sequence[str],
    now: datetime,
) -> int:
    """Record slots of the source that were moved to a time past its grace as missed.

    At most one for each of `missed_ids`; returns how many.
    """
    rows = tx.all("due_moved", source=source, now=now.timestamp(), limit=_LOOKED_AT)
    ids = iter(missed_ids)
    count = 0
    jobs = decoded(
        tx, "slots", rows, lambda row: (start := Start(*row), get_job(tx, start.source_ref))
    )
    for start, job in jobs:
        if job is None or from_epoch(start.start_at) + grace_of(job.spec.policy) >= now:
            continue
        missed_id = next(ids, None)
        if missed_id is None:
            break
        if not take_start(tx, start):
            continue
        cause = Cause.ENGINE_OFF
        miss_start(tx, start, job.spec, missed_id, cause, outage_id=outage_id, now=now)
        count += 1
    return count


def refs_in_outage(tx: Tx, outage_id: str) -> list[str]:
    """The jobs with missed slots in the outage that wait for a decision."""
    return [ref for (ref,) in tx.all("refs_in_outage", outage_id=outage_id)]


def decide_outage(
    tx: Tx,
    outage_id: str,
    refs: Sequence[str],
    *,
    new_run_id: Callable[[], str],
    now: datetime,
) -> int:
    """Apply the jobs' `on_miss` to their misses in the outage; returns how many runs are queued.

    Misses of jobs with `ask`, of jobs that are off and of jobs that were edited since wait for an
    operator.
    """
    runs: dict[str, int] = {}

    def decide(ref: str) -> None:
        job = get_job(tx, ref)
        if job is None or not job.spec.enabled or job.spec.policy.on_miss is OnMiss.ASK:
            return
        rows = tx.all(
            "pending_group", source_ref=ref, outage_id=outage_id, status=MissedStatus.PENDING
        )
        records = decoded(tx, "missed", rows, missed_from_row)
        spans, late = _decided(tx, job, records, now=now)
        old = {record.missed_id for record in records}
        mine = [span for span in spans if span.missed_id in old]
        if not mine or len(change_missed(tx, mine, was=MissedStatus.PENDING)) < len(mine):
            return  # another process decides this outage
        insert_missed_spans(tx, [span for span in spans if span.missed_id not in old])
        tx.append(
            events.missed_resolved(
                ref,
                job.spec,
                now=now,
                action="on_miss",
                by="",
                note=None,
                spans=spans,
                event_id=spans[0].event_id,
            )
        )
        for record, slot in late:
            _queue(tx, job, record, slot, RunId(new_run_id()), now=now)
        runs[ref] = len(late)

    for_each(tx, "jobs", refs, decide, key=lambda ref: ref, put_off=lambda ref, error: None)
    return sum(runs.values())


def _decided(
    tx: Tx, job: Job, records: Sequence[MissedRecord], *, now: datetime
) -> tuple[list[MissedRecord], list[tuple[MissedRecord, datetime]]]:
    """The spans as the job's policy decides them together, and the slots to run, oldest first.

    The latest slots run. A slot that an older version of the job expected does not.
    """
    policy = job.spec.policy
    left = run_limit(policy)
    spans: list[MissedRecord] = []
    late: list[tuple[MissedRecord, datetime]] = []
    for record in sorted(records, key=lambda record: record.span.last_at, reverse=True):
        is_current = record.job_version == job.version
        if not is_current and not late and policy.on_miss is not OnMiss.SKIP:
            continue  # the job was edited since: an operator decides
        parts, slots = decide_missed(
            read_spec(tx, record.source_ref, record.job_version).schedule,
            policy,
            record.span.first_at,
            record.span.last_at,
            now,
            limit=left if is_current else 0,
        )
        for number, part in enumerate(parts):
            missed_id = record.missed_id if number == 0 else f"{record.missed_id}_p{number}"
            span = replace(
                record.decided(part.status, by=None, note=None, now=now),
                missed_id=missed_id,
                span=part,
            )
            spans.append(span)
            if part.status is MissedStatus.APPROVED_AND_RUN:
                late += [(span, slot) for slot in slots]
        left -= len(slots)
    return spans, sorted(late, key=lambda pair: pair[1])


def _queue(
    tx: Tx, job: Job, record: MissedRecord, slot: datetime, run_id: RunId, *, now: datetime
) -> None:
    """Queue the run of a missed slot, as its next attempt if it had one before."""
    key = {"source": job.source, "source_ref": job.job_id, "scheduled_at": epoch(slot)}
    row = tx.one("attempts_of_slot", **key)
    run = Run(
        run_id=run_id,
        source=job.source,
        source_ref=job.job_id,
        status=RunStatus.QUEUED,
        trigger=Trigger.CATCH_UP,
        attempt=1 if row is None else int(row[0]) + 1,
        scheduled_at=slot,
        has_slot=True,
        job_version=job.version,
        queued_at=now,
    )
    tx.run(
        "put_slot",
        **key,
        job_version=record.job_version,
        outcome=run.status,
        reason=None,
        run_id=run_id,
        missed_id=record.missed_id,
    )
    insert_runs(tx, [NewRun(run, job.spec)])
    tx.append(events.run_changed(run, job.spec, now=now))
