"""What does the store promise?

Every verb that changes something commits the change and its event in one durable transaction, or
does nothing. Two callers that race for the same thing are settled by the database: one gets it,
the other gets None (or less than it asked for), never an exception. No verb assumes that it is
the only process. All take the time from the caller.

A verb raises StoreUnavailable when the database cannot take the write; nothing was changed then.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from universal_agent.domain.calendar_facts import CalendarFacts, Window
from universal_agent.domain.calendar_row import JobFact
from universal_agent.domain.events import Event
from universal_agent.domain.exceptions import SlotException
from universal_agent.domain.explain import SlotHistory
from universal_agent.domain.flags import FlagOverride
from universal_agent.domain.job import Job
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.ledger import LedgerFacts
from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.domain.run import JobId, Run, RunId, RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.store.beat_store import BeatStore
from universal_agent.store.notification_store import NotificationStore
from universal_agent.store.off_store import OffStore
from universal_agent.store.plan_store import PlanStore
from universal_agent.store.run_values import (
    ANY_RUN as ANY_RUN,
)
from universal_agent.store.run_values import (
    Admission as Admission,
)
from universal_agent.store.run_values import (
    Claimed as Claimed,
)
from universal_agent.store.run_values import (
    ClaimRules as ClaimRules,
)
from universal_agent.store.run_values import (
    Decision as Decision,
)
from universal_agent.store.run_values import (
    Due as Due,
)
from universal_agent.store.run_values import (
    Finished as Finished,
)
from universal_agent.store.run_values import (
    Settled as Settled,
)
from universal_agent.store.run_values import (
    SlotStart as SlotStart,
)
from universal_agent.store.session_store import SessionStore, Wake


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A caller's Idempotency-Key: the same key makes a thing once, whatever is lost on the way."""

    key: str
    #: Hash of the request; the same key with another request is a Conflict.
    fingerprint: str

    def part(self, name: str) -> "Once":
        """The key of one step of the request."""
        return Once(key=f"{self.key}\n{name}", fingerprint=self.fingerprint)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs in the order they were made, and where the next page begins."""

    jobs: tuple[Job, ...]
    total: int
    next_cursor: str | None


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


class Store(SessionStore, BeatStore, NotificationStore, OffStore, PlanStore, Protocol):
    """The durable state. Opened and closed once, by the composition root."""

    async def open(self) -> None:
        """Lock, migrate and start. Raises DataDirLocked or StoreCorrupt."""
        ...

    async def close(self) -> None:
        """Finish what was acknowledged and let go; harmless when called twice."""
        ...

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Rows that cannot be read and were left out, and why."""
        ...

    @property
    def last_error(self) -> str | None:
        """Why the latest write failed; None since a write went through."""
        ...

    # -- jobs

    async def create_job(self, job: Job, *, now: datetime, once: Once | None = None) -> Job:
        """Keep a new job (version 1). With a known `once`, the job it made before.

        Raises Conflict when a session has its beats already, or had them before.
        """
        ...

    async def job_made(self, once: Once) -> Job | None:
        """The job that `once` made before, or None. Raises Conflict when it is another request's,
        or the job was deleted since.
        """
        ...

    async def answer_of(self, once: Once) -> str | None:
        """What was answered to the request that `once` names, or None. Raises Conflict when the
        key is another request's.
        """
        ...

    async def keep_answer(self, once: Once, answer: str, *, now: datetime) -> None:
        """Remember it for a day; the first answer stays."""
        ...

    async def update_job(
        self, job: Job, *, replaces: Job, closed_at: datetime, changed: list[str], now: datetime
    ) -> Job | None:
        """Put `job` (its new version) in place of `replaces`, which ends at `closed_at`.

        None when `replaces` is no longer how the job is (its version or its high-water mark), or
        when it has slots due that are not yet decided.
        """
        ...

    async def first_decided_ahead(self, job_id: JobId, *, after: datetime) -> datetime | None:
        """The job's first slot after `after` that a person decided ahead of its time, or None."""
        ...

    async def delete_job(self, job: Job, *, closed_at: datetime, now: datetime) -> bool:
        """Delete the job at that version; its waiting runs are cancelled, its history stays.

        False under the same conditions as `update_job`.
        """
        ...

    async def get_job(self, job_id: JobId) -> Job | None:
        """The job, or None when there is none or it was deleted."""
        ...

    async def list_jobs(
        self, *, limit: int, cursor: str | None = None, owner_id: str | None = None
    ) -> Page:
        """Jobs oldest first, from after `cursor`."""
        ...

    async def next_jobs(self, *, limit: int) -> Sequence[Job]:
        """The jobs whose next slot comes first, earliest first."""
        ...

    async def count_enabled_jobs(self) -> int:
        """How many of them are enabled."""
        ...

    async def held_jobs(self) -> Sequence[str]:
        """The jobs, beats among them, that are held because they failed too often in a row."""
        ...

    async def count_jobs(self) -> int:
        """How many jobs there are."""
        ...

    # -- from due to done

    async def due(self, *, until: datetime, limit: int, without: Source | None = None) -> Due:
        """Jobs with `due_at` up to `until`, earliest first, at most `limit`.

        Nothing is said of jobs whose source is `without`.
        """
        ...

    async def admit(
        self,
        decisions: Sequence[Decision],
        *,
        free_workers: int,
        host: str,
        now: datetime,
        rules: ClaimRules = ANY_RUN,
    ) -> Admission:
        """Apply decisions: claim slots under their key, advance the jobs, record what was missed.

        Up to `free_workers` slots start (`running`), those on time first; the others wait
        (`queued`), or are skipped where the job's overlap policy says so.
        """
        ...

    async def postpone(self, job: Job, *, due_at: datetime) -> None:
        """Look at the job again at `due_at`: a job that cannot be decided must not stop others."""
        ...

    async def postpone_unreadable(
        self, jobs: Sequence[tuple[str, int]], *, due_at: datetime
    ) -> None:
        """The same for jobs that cannot be read, by id and version."""
        ...

    async def add_run(
        self, job: Job, run_id: RunId, *, now: datetime, once: Once | None = None
    ) -> Run:
        """Queue an extra run without a slot. With a known `once`, the run it made before."""
        ...

    async def claim(
        self, *, free_workers: int, host: str, now: datetime, rules: ClaimRules = ANY_RUN
    ) -> Settled:
        """Mark queued runs running: those on time first, of equals the most urgent first."""
        ...

    async def finish(
        self,
        ended: Sequence[Finished],
        *,
        free_workers: int,
        host: str,
        now: datetime,
        rules: ClaimRules = ANY_RUN,
    ) -> Settled:
        """Record how runs ended (each once), plan retries, and claim queued runs.

        A run that is no longer `running` is left as it is.
        """
        ...

    async def requeue(self, run_ids: Sequence[RunId], *, now: datetime) -> None:
        """Put runs that were claimed and have not begun back into the queue, as they were."""
        ...

    async def make_starts(
        self,
        run_ids: Sequence[RunId],
        *,
        missed_ids: Sequence[str],
        cause: Cause,
        outage_id: str,
        now: datetime,
        without: Source | None = None,
    ) -> int:
        """Queue the slots that wait for a time of their own, retries and moved ones, once it is
        there; at most one for each of `run_ids` and `missed_ids`.

        One whose time passed more than the job's grace ago is not started: a moved slot is
        missed, a retry is dropped.
        """
        ...

    async def cancel_queued(
        self, run_id: RunId, *, now: datetime, error: str | None = None
    ) -> bool:
        """Cancel a run that waits; False when it does not wait (any more)."""
        ...

    async def miss_queued(
        self,
        *,
        now: datetime,
        cause: Cause,
        outage_id: str,
        missed_ids: Sequence[str],
        after_grace: bool,
        of: Source | None = None,
    ) -> int:
        """Turn runs that waited too long into missed slots; at most one for each of `missed_ids`.

        Too long is past the job's queue limit, or with `after_grace` past its misfire grace (a
        gateway that was down does not start late work by itself). With `of` it is everything of
        that source, for its engine was switched off.
        """
        ...

    async def left_running(self, *, host: str, limit: int) -> Sequence[Run]:
        """Runs that are `running`, though only a dead process of this host can have had them."""
        ...

    async def interrupt_runs(
        self, *, host: str, now: datetime, outage_id: str, missed_ids: Sequence[str]
    ) -> tuple[RunId, ...]:
        """Close runs that a dead process left `running`; at most one for each of `missed_ids`."""
        ...

    # -- stasis

    async def find_missed(self, slot: SlotKey) -> MissedRecord:
        """The missed span that has the slot. Raises SlotNotFound when none has."""
        ...

    async def decision_made(self, once: Once) -> Resolved | None:
        """What came of the decision that `once` made before, or None. Raises Conflict when it is
        another request's.
        """
        ...

    async def resolve_missed(
        self,
        slot: SlotKey,
        resolution: Resolution,
        *,
        spare_ids: Sequence[str],
        now: datetime,
        once: Once | None = None,
    ) -> Resolved:
        """Decide about missed slots: a compare-and-set, of which one caller wins.

        `spare_ids` are for spans that a split makes, two at most. Raises SlotNotFound when the
        slot was not missed, AlreadyResolved when it is no longer pending, Conflict when its job
        is gone.
        """
        ...

    async def undo_delete(self, slot: SlotKey, *, by: str, now: datetime) -> MissedRecord:
        """Take back a deletion. Raises SlotNotFound, or Conflict when it is too late."""
        ...

    async def expire_missed(self, *, now: datetime, limit: int) -> int:
        """Close spans that are no longer useful; how many."""
        ...

    # -- exceptions

    async def make_exception(
        self, slot: SlotKey, exception: SlotException, *, run_id: RunId, by: str, now: datetime
    ) -> Run | None:
        """Decide a future slot ahead of its time; the run, when it runs early.

        Raises JobNotFound, SlotNotFound when the job expects no such slot, Conflict when the slot
        is decided already.
        """
        ...

    async def undo_exception(self, slot: SlotKey, *, by: str, now: datetime) -> Job:
        """Take back a skip or a move. Raises JobNotFound, SlotNotFound, or Conflict."""
        ...

    # -- runs

    async def get_run(self, run_id: RunId) -> Run | None:
        """The run, or None."""
        ...

    async def run_of_slot(self, slot: SlotKey) -> RunId | None:
        """The slot's last attempt, or None when there was none."""
        ...

    async def list_runs(
        self,
        *,
        job_id: JobId | None = None,
        source: str | None = "cron",
        status: RunStatus | None = None,
        limit: int,
        before: str | None = None,
    ) -> Sequence[Run]:
        """Runs newest first, from before the run `before`; without a `source` of every kind."""
        ...

    # -- flags

    async def flag_overrides(self) -> Sequence[FlagOverride]:
        """The flags that were overridden at run time."""
        ...

    async def set_flag(
        self, name: str, override: FlagOverride | None, *, value: bool, by: str, now: datetime
    ) -> None:
        """Keep an override, or drop it; `value` is what the flag has from now on."""
        ...

    # -- change requests

    async def insert_proposal(self, proposal: Proposal) -> None:
        """Keep a proposal."""
        ...

    async def get_proposal(self, proposal_id: str) -> Proposal | None:
        """The proposal, or None."""
        ...

    async def decide_proposal(
        self,
        proposal_id: str,
        *,
        expected: ProposalStatus,
        status: ProposalStatus,
        by: str,
        now: datetime,
    ) -> bool:
        """Bring it from one status to another; False when it was not in the first."""
        ...

    # -- what happened

    async def audit(self, *, limit: int, before_seq: int | None) -> Sequence[Event]:
        """Events of what people decided and changed, newest first."""
        ...

    async def slot_history(self, slot: SlotKey) -> SlotHistory:
        """Everything that was recorded about a slot."""
        ...

    async def sizes(self) -> Sizes:
        """How much there is."""
        ...

    async def read_events(self, *, after_seq: int, limit: int) -> Sequence[Event]:
        """The first `limit` events after `after_seq`, oldest first."""
        ...

    async def forget_events(self, *, until: int) -> None:
        """Take the events up to that seq out of the log. The newest one stays, whatever its seq."""
        ...

    async def log_bounds(self) -> LogBounds:
        """Where the event log begins and ends."""
        ...

    def appended(self, *, after_seq: int) -> AsyncIterator[int]:
        """The highest visible seq, each time it has grown past `after_seq` and past the last one.

        Ends when the store closes. A reader that names how far it has read misses nothing that
        was appended before it began to wait.
        """
        ...

    async def missed_spans(
        self, *, status: MissedStatus, limit: int, job_id: JobId | None = None
    ) -> Sequence[MissedRecord]:
        """Missed spans of that status, oldest record first."""
        ...

    # -- the calendar and its projection

    async def job_facts(self, job_ids: Sequence[str]) -> Sequence[JobFact]:
        """These jobs as they are now; deleted ones too."""
        ...

    async def scan_calendar(self, window: Window) -> CalendarFacts:
        """What the runtime tables hold for a window of the calendar, from one snapshot."""
        ...

    async def projected_calendar(
        self, window: Window, *, only: Collection[str] | None = None
    ) -> CalendarFacts:
        """What the projection holds for it, from one snapshot; `only` about these jobs."""
        ...

    async def both_calendars(self, window: Window) -> tuple[CalendarFacts, CalendarFacts]:
        """The scan's facts and the projection's, the latter brought up to the same event."""
        ...

    async def count_stasis_groups(self) -> int:
        """How many groups of missed slots wait for a decision."""
        ...

    async def projection_position(self) -> int:
        """The seq of the last event that was folded into the projection."""
        ...

    async def project(self, events: Sequence[Event]) -> int:
        """Fold those of the events that come next into the projection; the position it has then.

        Events that are in it already are passed over, and nothing is done when some are left out.
        """
        ...

    async def clear_projection(self) -> None:
        """Put it back to before the first event."""
        ...

    async def projection_digest(self) -> ProjectionDigest:
        """A hash of all that the projection holds, from one snapshot."""
        ...

    async def read_projection(
        self, *, after: ProjectionPage | None, limit: int
    ) -> ProjectionPage | None:
        """The rows that come next after a page of it; None when there are no more."""
        ...

    async def write_projection(self, page: ProjectionPage) -> None:
        """Put the rows of a page. The last page has the position."""
        ...

    async def recorded_by_hour(
        self, *, start: datetime, end: datetime, job_id: JobId | None
    ) -> Sequence[tuple[int, int]]:
        """How many slots in (start, end] were recorded in each hour that has any, in its order.

        Hours are the epochs of their beginning.
        """
        ...

    async def ledger_facts(
        self, *, start: datetime, end: datetime, job_id: JobId | None
    ) -> LedgerFacts:
        """Job versions, slots and missed spans that touch (start, end], from one snapshot."""
        ...
