"""Parameters and results of verbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.domain.beat import BeatReport
from universal_agent.domain.ending import Ending
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.domain.system_event import SystemEvent, WakeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A caller's Idempotency-Key: the same key makes a thing once, whatever response is lost."""

    key: str
    #: Hash of the request; the same key with another request is a Conflict.
    fingerprint: str

    def part(self, name: str) -> "Once":
        """The key of one step of the request."""
        return Once(key=f"{self.key}\n{name}", fingerprint=self.fingerprint)


# -- jobs and slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs in the order of their creation, and where the next page begins."""

    jobs: tuple[Job, ...]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Jobs whose next slot is due, and when to look again."""

    jobs: tuple[Job, ...]
    #: Whether retries or moved slots are due.
    starts: bool
    #: Whether queued runs have waited too long.
    overdue: bool
    #: Whether missed slots are no longer useful.
    expired: bool
    #: Whether a resource in a cooldown may be probed.
    cooled: bool
    #: The earliest instant at which anything else is due; None when nothing is planned.
    next_at: datetime | None
    #: Jobs that are due and cannot be read, with their versions.
    unreadable: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotStart:
    """A slot to admit, with the id of its run."""

    scheduled_at: datetime
    run_id: RunId
    trigger: Trigger = Trigger.SCHEDULE
    #: The missed span it belongs to, when it runs late by policy.
    missed_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision about a job's due slots.

    It applies only while the job has the version and the high-water mark that it was made on.
    """

    job: Job
    starts: tuple[SlotStart, ...]
    missed: tuple[MissedRecord, ...]
    next_run_at: datetime | None


# -- runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """A request for a session's beat."""

    session_id: str
    #: The id of the beat's run, when it is a new one.
    run_id: RunId
    mode: WakeMode
    reason: str | None
    by: str
    #: The most system events that may wait for the session's next beat.
    keep: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A run that is now `running`, with the spec it was admitted under, for a runner."""

    run: Run
    spec: JobSpec
    #: The system events of a beat; they are deleted when the run succeeds.
    notes: tuple[SystemEvent, ...] = ()
    #: The interrupted run of the same slot that this one repeats.
    previous_run_id: RunId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The result of `admit`."""

    started: tuple[Claimed, ...] = ()
    #: How many slots wait for a worker.
    queued_count: int = 0
    #: Jobs whose decision no longer applied; they are decided again.
    stale_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a claimed run, measured by the executor."""

    claimed: Claimed
    status: RunStatus
    started_at: datetime
    finished_at: datetime
    error: str | None = None
    #: The reason of a skip, in one word.
    reason: str | None = None
    exit_code: int | None = None
    output_preview: str = ""
    #: Session to wake when the run ends.
    wake: Wake | None = None
    #: The report of a beat.
    report: BeatReport | None = None
    #: Why it failed, as the runner classifies it.
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """Which queued runs may be claimed, beyond the number of free workers."""

    #: How many of the free workers may take runs that are not light; None: all of them.
    ordinary_workers: int | None = None
    #: How many of these may run missed slots; None: all of them.
    late_workers: int | None = None
    #: Whether runs of missed slots have waited so long that the first of them goes first.
    late_overdue: bool = False
    #: Sources whose engine is switched off: their runs are not claimed.
    off: tuple[Source, ...] = ()
    #: What the configured agent uses; runs of resources in a cooldown are not claimed.
    agent: tuple[str, ...] = ()


ANY_RUN = ClaimRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The queued runs that `settle` or `claim` claimed."""

    claimed: tuple[Claimed, ...] = ()
    #: Whether runs are still queued.
    more_queued: bool = False


# -- missed slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """An operator's decision about a missed slot."""

    action: StasisAction
    scope: Scope
    by: str
    note: str | None = None
    #: The id of the run of an approved slot.
    run_id: RunId | None = None
    #: The one-shot job that a rescheduled slot becomes.
    job: Job | None = None
    #: The wake that a rescheduled beat becomes.
    wake: Wake | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The result of a decision."""

    record: MissedRecord
    run: Run | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """What the open breaker of a job has come to."""

    since: datetime
    #: Slots that were skipped because of it.
    slots: int


@dataclass(frozen=True, slots=True)
class DuePage:
    """Jobs of one source that are due, earliest first."""

    jobs: tuple[Job, ...]
    #: Where the next page begins; None: this is the last one.
    after: tuple[float, str] | None


# -- sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The sessions that got events or wakes, and the beats that were queued for them."""

    session_ids: tuple[str, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """What was open when a session was deleted."""

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
    """A time zone whose rules differ from those its jobs are planned by, as fingerprints."""

    timezone: str
    before: str
    #: None: this process knows no such zone.
    after: str | None


# -- the event log and its projection


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBounds:
    """The event log's ends. `stream_id` tells two databases apart."""

    stream_id: str
    #: The oldest event kept; one above `newest_seq` while the log is empty.
    oldest_seq: int
    newest_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Counts of the main tables."""

    jobs: int
    #: Sessions that have heartbeats.
    sessions_with_beats: int
    runs: int
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionDigest:
    """A hash of the projection after the event at `position`."""

    position: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPage:
    """Rows of one of the projection's tables, as they are stored."""

    table: str
    rows: Sequence[tuple[Any, ...]]
