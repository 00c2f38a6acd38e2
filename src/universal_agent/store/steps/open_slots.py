"""Outcomes for the slots that a job leaves open when it ends or gets another schedule.

A slot is open when its nominal time has come and it has not started: it waits for the job's jitter,
or for the time that a person moved it to. It is closed in the transaction that ends the version
which expects it.
"""

from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey, epoch, from_epoch
from universal_agent.domain.slot_overrides import OPERATOR
from universal_agent.store.tx import Tx

#: Why slots are skipped when their job gets another schedule or is deleted. A job that is switched
#: off gives its label.
RESCHEDULED = "rescheduled"
JOB_DELETED = "job_deleted"

_SECOND = timedelta(seconds=1)


def reason_of(spec: JobSpec) -> str:
    """Why a job with this new spec skips the slots that were open before."""
    return RESCHEDULED if spec.enabled else str(spec.off_label or "disabled")


def open_slots(tx: Tx, job: Job, *, until: datetime) -> list[datetime]:
    """The undecided slots from the job's high-water mark up to `until`."""
    mark = job.next_run_at
    if mark is None or mark > until:
        return []
    rows = tx.all(
        "decided_between", source_ref=job.job_id, first_at=epoch(mark), last_at=epoch(until)
    )
    decided = {from_epoch(at) for (at,) in rows}
    slots = job.spec.schedule.slots(mark - _SECOND, until)
    return [slot for slot in slots if slot not in decided]


def close_open_slots(tx: Tx, job: Job, *, until: datetime, reason: str, now: datetime) -> None:
    """Skip every open slot of the job up to `until`, where its version ends."""
    skipped = [(epoch(slot), job.version) for slot in open_slots(tx, job, until=until)]
    tx.many(
        "claim_slot",
        [
            {
                "source": job.source,
                "source_ref": job.job_id,
                "scheduled_at": at,
                "job_version": version,
                "outcome": RunStatus.SKIPPED,
                "reason": reason,
                "run_id": None,
                "missed_id": None,
            }
            for at, version in skipped
        ],
    )
    moved = tx.all("skip_moved_slots", job_id=job.job_id, until=epoch(until), reason=reason)
    tx.append_all(
        [
            events.slot_skipped(
                SlotKey(job.source, job.job_id, from_epoch(at)),
                job.spec,
                reason,
                job_version=version,
                now=now,
                mark={},
            )
            for at, version in (*skipped, *sorted(moved))
        ]
    )


def void_overrides(tx: Tx, job: Job, *, after: datetime) -> list[int]:
    """Delete the skips and moves after `after` of slots that the job no longer expects.

    Returns the times of these slots.
    """
    void = [
        at
        for (at,) in tx.all(
            "overrides_after", job_id=job.job_id, after=after.timestamp(), reason=OPERATOR
        )
        if not job.expects(from_epoch(at))
    ]
    for at in void:
        tx.run(
            "drop_override",
            source=job.source,
            source_ref=job.job_id,
            scheduled_at=at,
            reason=OPERATOR,
        )
    return void
