"""What the store's verbs take and return on the way of a slot from due to done."""

from dataclasses import dataclass
from datetime import datetime

from universal_agent.domain.beat import BeatReport
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import RetryAdvice, Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import MissedRecord
from universal_agent.domain.system_event import SystemEvent
from universal_agent.store.session_store import Wake


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Jobs whose next slot has come due, and when to look again."""

    jobs: tuple[Job, ...]
    #: Slots that wait for a time of their own have come to it: retries, moved slots.
    starts: bool
    #: Waiting runs that have waited too long exist.
    overdue: bool
    #: Missed slots that are no longer useful exist.
    expired: bool
    #: The earliest instant at which anything further is due; None: nothing is planned.
    next_at: datetime | None
    #: Jobs that are due and cannot be read, with their versions.
    unreadable: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStart:
    """A slot that is to be admitted, with the id its run will have."""

    scheduled_at: datetime
    run_id: RunId
    trigger: Trigger = Trigger.SCHEDULE
    #: The missed span it belongs to, when it runs late by policy.
    missed_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about a job's due slots.

    Applies only while the job still has the version and the high-water mark it was decided on.
    """

    job: Job
    starts: tuple[SlotStart, ...]
    missed: tuple[MissedRecord, ...]
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A run that is now `running`, with the spec it was admitted under: hand it to a runner."""

    run: Run
    spec: JobSpec
    #: What a beat is to be told; it is acknowledged when the run ends well.
    notes: tuple[SystemEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What `admit` did."""

    started: tuple[Claimed, ...] = ()
    #: How many slots wait for a worker.
    queued_count: int = 0
    #: Running runs that a newer slot asks to cancel.
    cancel: tuple[RunId, ...] = ()
    #: Jobs whose decision no longer applied; they are looked at again.
    stale_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a claimed run ended, measured by the executor."""

    claimed: Claimed
    status: RunStatus
    started_at: datetime
    finished_at: datetime
    error: str | None = None
    #: Why it was skipped, in one word.
    reason: str | None = None
    exit_code: int | None = None
    output_preview: str = ""
    #: Whom its end wakes.
    wake: Wake | None = None
    #: What a beat had to say.
    report: BeatReport | None = None
    retry: RetryAdvice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """Which queued runs may be claimed, beyond the number of free workers."""

    #: Of the free workers, how many may run missed slots; None: all of them.
    late_workers: int | None = None
    #: Runs of missed slots have waited so long that the first of them goes ahead of all others.
    late_overdue: bool = False
    #: Sources whose engine is switched off: nothing of theirs is claimed.
    off: tuple[Source, ...] = ()


ANY_RUN = ClaimRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What `finish` did, and which waiting runs it claimed in the same commit."""

    claimed: tuple[Claimed, ...] = ()
    #: Runs are still waiting in the queue.
    more_queued: bool = False
    #: The earliest retry that was planned.
    next_retry_at: datetime | None = None
