"""Short words for the things that the store's tests are about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from universal_agent.domain.events import Event
from universal_agent.domain.job import Job, JobSpec, OffLabel, OnMiss, Overlap, Policy
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.notifications import Notification
from universal_agent.domain.process import Process
from universal_agent.domain.run import JobId, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import Schedule, make_interval
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.tx import Tx
from universal_agent.store.values import (
    Admission,
    Claimed,
    Decision,
    Finished,
    Settled,
    SlotStart,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
#: The first slot of a job that `new_job` makes.
FIRST = NOON + MINUTE
PROCESS = Process(process_id="proc_1", host="here", started_at=NOON)

_numbers = count(1)


def run_id() -> RunId:
    """A run id that sorts after all before it."""
    return RunId(f"run_{next(_numbers):06}")


def run_ids(number: int) -> list[RunId]:
    return [run_id() for _ in range(number)]


def missed_ids(number: int) -> list[str]:
    return [f"mis_{next(_numbers):06}" for _ in range(number)]


def new_job(
    job_id: str = "job_a",
    *,
    schedule: Schedule | None = None,
    now: datetime = NOON,
    command: str = "true",
    metadata: dict[str, Any] | None = None,
    delete_after_run: bool = False,
    user_id: str = "default",
    pool: str | None = None,
    light: bool = False,
    **policy: Any,
) -> Job:
    """A job that expects a slot each minute after noon, unless another schedule is given."""
    schedule = schedule or make_interval(MINUTE, NOON)
    policy["overlap"] = Overlap(policy.get("overlap", Overlap.SKIP))
    policy["on_miss"] = OnMiss(policy.get("on_miss", OnMiss.ASK))
    spec = JobSpec(
        command=command,
        runner="shell",
        schedule=schedule,
        user_id=user_id,
        metadata=metadata or {},
        delete_after_run=delete_after_run,
        pool=pool,
        light=light,
        policy=Policy(**policy),
    )
    return Job(
        job_id=JobId(job_id),
        version=1,
        spec=spec,
        created_at=now,
        effective_from=now,
        next_run_at=schedule.next_after(now),
    )


def register_again(tx: Tx, process: Process = PROCESS) -> None:
    """Have a process that is known, as after its start."""
    if tx.one("lock_process", process_id=process.process_id) is None:
        verbs.processes.register(tx, process, now=NOON)


async def interrupt(store: Store, *, now: datetime = FIRST, number: int = 9) -> tuple[RunId, ...]:
    """The process dies, another one closes up to `number` of its runs, and it starts again."""
    closed = await store.write(
        verbs.processes.close_process,
        PROCESS.process_id,
        silent_for=None,
        now=now,
        outage_id="out_1",
        missed_ids=missed_ids(number),
    )
    await store.write(register_again)
    return closed or ()


async def a_job(store: Store, job_id: str = "job_a", **fields: Any) -> Job:
    """A job that is kept."""
    return await store.write(verbs.jobs.create_job, new_job(job_id, **fields), now=NOON)


async def fresh(store: Store, job_id: str = "job_a") -> Job:
    """The job as it is now."""
    job = await store.read(verbs.jobs.get_job, JobId(job_id))
    assert job is not None
    return job


def decide(
    job: Job,
    *slots: datetime,
    missed: Sequence[MissedRecord] = (),
    trigger: Trigger = Trigger.SCHEDULE,
) -> Decision:
    """Start these slots, by default the next one; the mark goes past all that is decided."""
    assert job.next_run_at is not None
    if not slots and not missed:
        slots = (job.next_run_at,)
    last = max([*slots, *(record.span.last_at for record in missed)])
    late = next(
        (r.missed_id for r in missed if r.span.status is MissedStatus.APPROVED_AND_RUN), None
    )
    return Decision(
        job=job,
        starts=tuple(
            SlotStart(
                scheduled_at=slot,
                run_id=run_id(),
                trigger=trigger,
                missed_id=late if trigger is Trigger.CATCH_UP else None,
            )
            for slot in slots
        ),
        missed=tuple(missed),
        next_run_at=job.spec.schedule.next_after(last),
    )


def a_miss(
    job: Job,
    first: datetime,
    last: datetime,
    status: MissedStatus = MissedStatus.PENDING,
    *,
    outage_id: str = "out_1",
    useful_until: datetime | None = None,
) -> MissedRecord:
    """A missed span of the job."""
    return MissedRecord(
        missed_id=missed_ids(1)[0],
        source=job.source,
        source_ref=job.job_id,
        job_version=job.version,
        span=MissedSpan(first, last, status, job.spec.schedule.count(first - SECOND, last)),
        cause=Cause.PROCESS_DOWN,
        outage_id=outage_id,
        created_at=last,
        updated_at=last,
        useful_until=useful_until,
    )


async def admit(
    store: Store, *decisions: Decision, workers: int = 8, now: datetime = FIRST
) -> Admission:
    return await store.write(
        verbs.admission.admit, decisions, free_workers=workers, process=PROCESS, now=now
    )


async def running(store: Store, job: Job, *, now: datetime = FIRST) -> Claimed:
    """The job's next slot, admitted and started."""
    admission = await admit(store, decide(job), now=now)
    (claimed,) = admission.started
    return claimed


async def waiting(store: Store, job: Job, *, now: datetime = FIRST) -> RunId:
    """The job's next slot, admitted and waiting for a worker."""
    decision = decide(job)
    admission = await admit(store, decision, workers=0, now=now)
    assert admission.queued_count == 1
    return decision.starts[0].run_id


async def claim(store: Store, workers: int = 8, *, now: datetime = FIRST) -> Settled:
    return await store.write(verbs.execution.claim, free_workers=workers, process=PROCESS, now=now)


def ended(
    claimed: Claimed,
    status: RunStatus = RunStatus.SUCCESS,
    *,
    now: datetime = FIRST,
    error: str | None = None,
) -> Finished:
    return Finished(
        claimed=claimed,
        status=status,
        started_at=claimed.run.started_at or now,
        finished_at=now,
        error=error,
    )


async def finish(
    store: Store,
    *claimed: Claimed,
    status: RunStatus = RunStatus.SUCCESS,
    workers: int = 0,
    now: datetime = FIRST,
) -> Settled:
    return await store.write(
        verbs.execution.settle,
        [ended(one, status, now=now) for one in claimed],
        free_workers=workers,
        process=PROCESS,
        now=now,
    )


async def switch_off(store: Store, job: Job, *, now: datetime) -> Job:
    """The job, switched off."""
    spec = replace(job.spec, enabled=False, off_label=OffLabel.PAUSED)
    after = job.replaced_by(spec, now=now, next_run_at=None, continues=False)
    stored = await store.write(
        verbs.jobs.update_job,
        after,
        replaces=job,
        closed_at=job.boundary(now),
        changed=["enabled"],
        now=now,
    )
    assert stored is not None
    return stored


async def events(store: Store, after_seq: int = 0) -> Sequence[Event]:
    """The whole log."""
    return await store.read_events(after_seq=after_seq, limit=100_000)


async def kinds(store: Store, after_seq: int = 0) -> list[str]:
    """The types in the log, without their prefix."""
    return [event.type.removeprefix("cron_") for event in await events(store, after_seq)]


async def newest(store: Store) -> int:
    return (await store.read(verbs.event_log.log_bounds)).newest_seq


async def statuses(store: Store) -> list[RunStatus]:
    """Of every run, oldest first."""
    return [run.status for run in reversed(await store.read(verbs.runs.list_runs, limit=100))]


async def make_starts(store: Store, *, now: datetime, ids: Sequence[RunId] = ()) -> int:
    ids = ids or run_ids(5)
    return await store.write(
        verbs.starts.make_starts,
        ids,
        missed_ids=missed_ids(len(ids)),
        cause=Cause.CAPACITY,
        outage_id="out_1",
        now=now,
    )


async def delete(store: Store, job: Job) -> bool:
    now = NOON + 10 * SECOND
    return await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)


notification_ids = count(1)


async def fold(store: Store, *, now: datetime = FIRST, keep: int = 100) -> list[Notification]:
    """Fold what is new; every notification there is then, oldest first."""
    while (
        await store.write(
            verbs.notifications.fold_notifications,
            limit=100,
            new_id=lambda: f"ntf_{next(notification_ids):06}",
            keep=keep,
            now=now,
        )
    )[0] == 100:
        pass
    return list(await store.read(verbs.notifications.list_notifications, limit=1000))[::-1]


async def run_once(store: Store, status: RunStatus, *, now: datetime) -> None:
    claimed = await running(store, await fresh(store), now=now)
    await finish(store, claimed, status=status, now=now)


async def an_outage(store: Store) -> tuple[Job, Notification]:
    """A job with one missed slot that waits, and the notification of it."""
    job = await a_job(store)
    await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
    (told,) = await fold(store)
    return job, told
