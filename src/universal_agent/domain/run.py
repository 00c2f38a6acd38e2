"""Runs and the states that they pass through.

A run is one attempt at executing a slot, or a manual run without a slot. Statuses only go forward:
queued, running, one that is final. The store records each change as a compare-and-set, so a run
ends exactly once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from universal_agent.domain.ending import EndClass

RunId = NewType("RunId", str)
JobId = NewType("JobId", str)

#: How much of a run's output is kept with the run itself (contract: `output_preview`).
PREVIEW_CHARS = 400


class RunStatus(StrEnum):
    """The state of a run; the values are the wire's."""

    #: Admitted; waiting for a free worker.
    QUEUED = "queued"
    #: In the runner.
    RUNNING = "running"
    #: The runner reported success.
    SUCCESS = "success"
    #: The runner reported a failure.
    ERROR = "error"
    #: Stopped at its time limit.
    TIMEOUT = "timeout"
    #: Stopped because it gave no sign of life.
    STALLED = "stalled"
    #: Stopped by a person or a newer slot.
    CANCELLED = "cancelled"
    #: Decided not to run, with a reason.
    SKIPPED = "skipped"
    #: Its process died; the outcome is unknown.
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)

    @property
    def is_failure(self) -> bool:
        """Whether it counts as a failure of the job."""
        return self in (RunStatus.ERROR, RunStatus.TIMEOUT, RunStatus.STALLED)


class Trigger(StrEnum):
    """Why a run exists."""

    #: Its slot came due.
    SCHEDULE = "schedule"
    #: An earlier attempt at its slot ended in `error`.
    RETRY = "retry"
    #: A person asked for an extra run, without a slot.
    MANUAL = "manual"
    #: A person approved its missed slot.
    APPROVED = "approved"
    #: The job's `on_miss` policy decided to run its missed slot.
    CATCH_UP = "catch_up"
    #: A person ran its future slot ahead of time.
    EARLY = "early"
    #: A person or an event asked for an immediate beat; without a slot.
    WAKE = "wake"
    #: A turn of a session; without a slot.
    TURN = "turn"

    @property
    def is_late(self) -> bool:
        """Whether the run makes up for a missed slot: it yields to work that is on time."""
        return self in (Trigger.APPROVED, Trigger.CATCH_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt. `scheduled_at` of a manual run is when it was asked for."""

    run_id: RunId
    source: str
    #: The job's id, or the session's for a heartbeat or a turn.
    source_ref: str
    status: RunStatus
    trigger: Trigger
    attempt: int
    scheduled_at: datetime
    #: False for a manual run: no slot is consumed by it.
    has_slot: bool
    #: The job's version that was in force when the run was made.
    job_version: int
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    #: Why it was skipped, in one word.
    reason: str | None = None
    exit_code: int | None = None
    output_preview: str = ""
    host: str | None = None
    approved_by: str | None = None
    #: The process that claimed it; only that one may record its end.
    process_id: str | None = None
    #: Why it failed; None for a run that did not, and for runs of earlier versions.
    end_class: EndClass | None = None
    #: What the service said: no call is useful before this time.
    end_until: datetime | None = None

    @property
    def is_outage(self) -> bool:
        """Whether it failed for the outage of a service that its job uses."""
        return self.end_class is not None and self.end_class.is_outage

    @property
    def brings_spec(self) -> bool:
        """Whether it has a spec of its own: a turn belongs to no job."""
        return self.source == "session"

    @property
    def duration(self) -> timedelta | None:
        """How long it ran; None until it has both started and finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def event_id(self) -> str:
        """The calendar id of its slot (for a manual run: of the instant it was asked for)."""
        return f"{self.source}|{self.source_ref}|{int(self.scheduled_at.timestamp())}"
