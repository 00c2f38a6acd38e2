"""What verbs take and return."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.domain.beat import BeatReport
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import RetryAdvice, Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.domain.system_event import SystemEvent, WakeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A caller's Idempotency-Key: the same key makes a thing once, whatever is lost on the way."""

    key: str
    #: Hash of the request; the same key with another request is a Conflict.
    fingerprint: str

    def part(self, name: str) -> "Once":
        """The key of one step of the request."""
        return Once(key=f"{self.key}\n{name}", fingerprint=self.fingerprint)


# -- jobs and slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs in the order they were made, and where the next page begins."""

    jobs: tuple[Job, ...]
    total: int
    next_cursor: str | None


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


# -- runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Somebody, or something, that asks for a session's beat."""

    session_id: str
    #: The id that the beat's run will have, when it is a new one.
    run_id: RunId
    mode: WakeMode
    reason: str | None
    by: str
    #: How much may wait to be told to the session.
    keep: int


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
    """Which waiting runs `settle` or `claim` claimed."""

    claimed: tuple[Claimed, ...] = ()
    #: Runs are still waiting in the queue.
    more_queued: bool = False


# -- missed slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What an operator decided about a missed slot."""

    action: StasisAction
    scope: Scope
    by: str
    note: str | None = None
    #: The id that the run of an approved slot will have.
    run_id: RunId | None = None
    #: The one-shot job that a rescheduled slot becomes.
    job: Job | None = None
    #: What a rescheduled beat becomes: word with the session's next one.
    wake: Wake | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What came of a decision."""

    record: MissedRecord
    run: Run | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class DuePage:
    """Jobs of one source that are due, earliest first."""

    jobs: tuple[Job, ...]
    #: Where the next page begins; None: this is the last one.
    after: tuple[float, str] | None


# -- sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which sessions were told something or woken, and the beats that come of it right away."""

    session_ids: tuple[str, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """What the deletion of a session found open."""

    #: Runs that waited, and are cancelled.
    cancelled: tuple[RunId, ...]
    #: Runs that are in execution; they were asked to end.
    running: tuple[RunId, ...]


# -- plans


@dataclass(frozen=True, slots=True)
class Replanned:
    """How many jobs were planned again, and how many of their slots are expected again."""

    jobs: int = 0
    slots: int = 0

    def __add__(self, other: "Replanned") -> "Replanned":
        return Replanned(self.jobs + other.jobs, self.slots + other.slots)


@dataclass(frozen=True, slots=True)
class ChangedZone:
    """A time zone whose rules are others than those its jobs are planned by, as fingerprints."""

    timezone: str
    before: str
    #: None: this process knows no such zone.
    after: str | None


# -- the event log and its projection


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBounds:
    """The event log's ends. `stream_id` tells one database from another."""

    stream_id: str
    #: The oldest event kept; one above `newest_seq` while the log is empty.
    oldest_seq: int
    newest_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is."""

    jobs: int
    #: Sessions that have heartbeats.
    sessions_with_beats: int
    runs: int
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionDigest:
    """What the projection holds, hashed, after the event at `position`."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPage:
    """Some of what the projection holds: rows of one of its tables, as they are stored."""

    table: str
    rows: Sequence[tuple[Any, ...]]
