"""Plans made again after the clock had run ahead and was set back.

Judgements that were made while the clock was ahead are withdrawn where their time is still to come:
the slot is expected again, under its old key, and judged at its time. What ran stays, and so do the
decisions of people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.cooldown import COOLDOWN
from universal_agent.domain.job import BREAKER, BUSY, PAUSED_AFTER_FAILURES, Job, JobSpec
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.schedule import IntervalSchedule
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.jobs import version_from_row
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.steps.decided_slots import first_open, lock_job
from universal_agent.store.steps.job_versions import insert_version, read_spec
from universal_agent.store.steps.missed import change_missed
from universal_agent.store.steps.open_slots import void_overrides
from universal_agent.store.tx import Tx
from universal_agent.store.values import Replanned
from universal_agent.store.verbs.jobs import get_job

#: The reason of a version that no person made.
CLOCK_SET_BACK = "the clock had run ahead and was set back"

#: A version that begins within this time is left as it is.
_SLACK = timedelta(seconds=10)

#: A version that begins within this time waits for its beginning: the clock may have been set back
#: by mistake.
_MOST_AHEAD = timedelta(hours=2)

#: The longest jitter that a job may have.
_LONGEST_JITTER = timedelta(days=1)

#: Skips that the scheduler decided, for which nothing ran.
_SKIPS = ("overlap", BUSY, BREAKER, PAUSED_AFTER_FAILURES, COOLDOWN)

#: Decisions about missed slots that stand: the work was done, or another job does it.
_STANDS = (MissedStatus.APPROVED_AND_RUN, MissedStatus.RESCHEDULED)

_SECOND = timedelta(seconds=1)


def acted_at(tx: Tx) -> datetime:
    """The newest instant that an event was recorded at, to within five seconds."""
    row = tx.one("clock")
    assert row is not None
    return from_epoch(row[0])


def _is_made_ahead(tx: Tx, job: Job, now: datetime) -> bool:
    """Whether the version in force began while the clock was ahead.

    It did if the clock was set back behind the leap that came before it. A clock that was ahead
    from the beginning has no leap on record: there the distance decides.
    """
    ahead = job.effective_from - now
    row = tx.one("clock")
    assert row is not None
    leapt_to = row[1]
    if leapt_to is not None and now < from_epoch(leapt_to) <= job.effective_from:
        return ahead > _SLACK
    return ahead > _MOST_AHEAD


def judged_ahead(tx: Tx, *, now: datetime) -> list[str]:
    """The ids of jobs that may have judgements whose time is after `now`."""
    rows = tx.all(
        "judged_ahead",
        now=now.timestamp(),
        since=epoch(now - _LONGEST_JITTER),
        begun_after=(now + _SLACK).timestamp(),
        skips=to_json(_SKIPS),
    )
    return [ref for (ref,) in rows]


def replan(tx: Tx, job_ids: Sequence[str], *, now: datetime) -> Replanned:
    """Withdraw the judgements of these jobs that were made ahead of their time; plan from `now`.

    Decisions that stand are left alone; a job that has nothing else is not changed.
    """
    skips: dict[str, list[int]] = {}
    for ref, at in tx.all(
        "scheduler_skips_after",
        refs=to_json(list(job_ids)),
        after=epoch(now - _LONGEST_JITTER),
        skips=to_json(_SKIPS),
    ):
        skips.setdefault(ref, []).append(at)
    total = Replanned()
    for job_id in job_ids:
        job = get_job(tx, job_id)
        if job is not None:
            total += _replan(tx, job, skips.get(job_id, ()), now=now)
    return total


def note_leap(tx: Tx, *, to: datetime) -> None:
    """Record that the clock leapt ahead to this reading, rightly or wrongly."""
    tx.run("set_leapt_to", leapt_to=to.timestamp())


def finish_replan(tx: Tx, total: Replanned, *, ahead_until: datetime, now: datetime) -> None:
    """Record that all jobs are planned by a clock that was set back from `ahead_until`.

    Appends an event if any job was planned again.
    """
    tx.run("set_acted_at", now=now.timestamp())
    if total.jobs:
        tx.append(
            events.clock_set_back(before=ahead_until, now=now, jobs=total.jobs, slots=total.slots)
        )


@dataclass(slots=True)
class _Withdrawn:
    """The judgements of a job that are withdrawn."""

    #: Spans as they now are.
    spans: list[MissedRecord] = field(default_factory=list)
    #: Times of slots that were skipped.
    slots: list[int] = field(default_factory=list)
    outage_ids: set[str] = field(default_factory=set)
    count: int = 0

    def __bool__(self) -> bool:
        return bool(self.spans or self.slots)


def _replan(tx: Tx, old: Job, skips: Sequence[int], *, now: datetime) -> Replanned:
    if not lock_job(tx, old):
        return Replanned()  # it was changed since, by the clock as it is now
    cut_short = _is_made_ahead(tx, old, now)
    job = _begun_again(tx, old, now=now) if cut_short else old
    # A slot whose start is still to come is judged again, though its nominal time has passed.
    cut = now if cut_short else now - job.jitter
    withdrawn = _withdraw(tx, job, cut, skips, all_versions=cut_short, now=now)
    mark = _mark(tx, job, cut)
    if job is old and mark == old.next_run_at and not withdrawn:
        return Replanned()
    job = put_plan(tx, job, mark)
    if cut_short:
        void = void_overrides(tx, job, after=now)
        tx.append(
            events.job_updated(
                job, now=now, changed=[], effective_until=now, void=void, reason=CLOCK_SET_BACK
            )
        )
    tx.append(
        events.job_replanned(
            job,
            now=now,
            spans=withdrawn.spans,
            slots=withdrawn.slots,
            outage_ids=sorted(withdrawn.outage_ids),
        )
    )
    return Replanned(1, withdrawn.count)


def put_plan(tx: Tx, job: Job, mark: datetime | None) -> Job:
    """Make the job's version the one in force, with its next slot; returns the job."""
    job = replace(job, next_run_at=mark)
    tx.run(
        "plan_job",
        job_id=job.job_id,
        version=job.version,
        effective_from=job.effective_from.timestamp(),
        next_run_at=None if mark is None else epoch(mark),
        due_at=stamp(job.due_at),
    )
    return job


def _mark(tx: Tx, job: Job, cut: datetime) -> datetime | None:
    """The job's first undecided slot."""
    if not job.spec.enabled:
        return None
    after = max(cut, job.effective_from)
    mark = first_open(tx, job, job.spec.schedule.next_after(after))
    undecided = job.next_run_at
    return undecided if undecided is not None and (mark is None or undecided < mark) else mark


def _begun_again(tx: Tx, job: Job, *, now: datetime) -> Job:
    """The version that replaces those that began while the clock was ahead."""
    for row in tx.all("versions_of_job", job_id=job.job_id):
        version = version_from_row(row, tx.specs)
        until = version.effective_until
        if until is None or until > now:
            tx.run(
                "cut_version_short",
                job_id=job.job_id,
                version=version.version,
                effective_until=max(version.effective_from, now).timestamp(),
                slots_until=stamp(until or job.next_run_at),
            )
    begun = replace(
        job,
        version=job.version + 1,
        spec=_from_now_on(job.spec, now),
        effective_from=now,
        next_run_at=None,
    )
    insert_version(tx, begun)
    return begun


def _from_now_on(spec: JobSpec, now: datetime) -> JobSpec:
    """The spec with slots from now on: an interval with a later anchor keeps its grid."""
    schedule = spec.schedule
    if not isinstance(schedule, IntervalSchedule) or schedule.anchor <= now:
        return spec
    steps = -((now - schedule.anchor) // schedule.every)
    anchor = schedule.anchor - steps * schedule.every
    return replace(spec, schedule=replace(schedule, anchor=anchor))


def _withdraw(
    tx: Tx,
    job: Job,
    cut: datetime,
    skips: Sequence[int],
    *,
    all_versions: bool,
    now: datetime,
) -> _Withdrawn:
    found = _Withdrawn()
    was: dict[str, MissedStatus] = {}
    for row in tx.all("missed_after", source_ref=job.job_id, after=epoch(cut)):
        record = missed_from_row(row)
        if record.job_version != job.version and not all_versions:
            continue  # its version has ended: its slots are not decided again
        if not _stands(tx, record):
            spec = read_spec(tx, job.job_id, record.job_version)
            was[record.missed_id] = record.span.status
            found.spans.append(_shortened(found, record, spec, cut, now))
    found.spans = [_reopened(record, now) for record in found.spans]
    for row in tx.all("expired_too_early", source_ref=job.job_id, now=now.timestamp()):
        record = missed_from_row(row)
        if record.span.last_at <= cut:
            was[record.missed_id] = record.span.status
            found.spans.append(_reopened(record, now))
    found.spans = [
        span for span in found.spans if change_missed(tx, [span], was=was[span.missed_id])
    ]
    for at in skips:
        if from_epoch(at) > max(cut, job.effective_from):
            tx.run("drop_skip", source=job.source, source_ref=job.job_id, scheduled_at=at)
            found.slots.append(at)
            found.count += 1
    return found


def _stands(tx: Tx, record: MissedRecord) -> bool:
    """Whether the decision holds: something ran, or the slot had been claimed before."""
    if record.span.status in _STANDS:
        return True
    return record.span.count == 1 and bool(
        tx.one(
            "slot_of_missed",
            source=record.source,
            source_ref=record.source_ref,
            scheduled_at=epoch(record.span.last_at),
            missed_id=record.missed_id,
        )
    )


def _shortened(
    found: _Withdrawn, record: MissedRecord, spec: JobSpec, cut: datetime, now: datetime
) -> MissedRecord:
    """The span without the slots after the cut; withdrawn when nothing is left."""
    span, schedule = record.span, spec.schedule
    found.outage_ids.add(record.outage_id)
    last = schedule.latest_at(cut, span.first_at - _SECOND)
    if last is None:
        found.count += span.count
        left = replace(span, status=MissedStatus.WITHDRAWN)
    else:
        count = schedule.count(span.first_at - _SECOND, last)
        found.count += span.count - count
        left = replace(span, last_at=last, count=count)
    return replace(record, span=left, updated_at=now)


def _reopened(record: MissedRecord, now: datetime) -> MissedRecord:
    """The record; one that expired although it is still useful is pending again."""
    useful = record.useful_until
    if record.span.status is MissedStatus.EXPIRED and useful is not None and useful > now:
        return record.decided(MissedStatus.PENDING, by=None, note=None, now=now)
    return record
