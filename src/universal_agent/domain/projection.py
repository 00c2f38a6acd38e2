"""The calendar's projection as a pure fold over events.

`Projection` is the part of the projection that a batch of events touches, and `apply` folds each of
them. The log is its only input; it never reads the runtime tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from universal_agent.domain.event_types import (
    ASIDE,
    JOB_GONE,
    JOB_PUT,
    SLOT_SKIPPED,
    SLOTS_MISSED,
    EventType,
)
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey, epoch
from universal_agent.domain.slot_overrides import MOVED, OPERATOR, OverrideKind

#: A slot of a job: its time after its owner, as both are known from every event about it.
SlotRef = tuple[str, int]

#: The sources of events that change what stands in the calendar.
_SOURCES = ("cron", "heartbeat", "calendar")


class ProjectedJob(NamedTuple):
    """The state of a job."""

    job_id: str
    version: int
    next_run_at: int | None
    deleted: bool


class ProjectedSlot(NamedTuple):
    """A slot that was decided, and its last attempt."""

    source: str
    source_ref: str
    scheduled_at: int
    #: The version that expected it.
    job_version: int
    outcome: str
    reason: str | None
    run_id: str | None
    duration_seconds: float | None
    moved_to: float | None


@dataclass(slots=True)
class Projection:
    """The part of the projection that some events touch, before and after them."""

    jobs: dict[str, ProjectedJob] = field(default_factory=dict)
    #: Slots by key; None: removed.
    slots: dict[SlotRef, ProjectedSlot | None] = field(default_factory=dict)
    #: Specs of new versions, and missed spans that were recorded or decided; as events carry them.
    versions: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    missed: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Fold one event. Events come in the order of the log, each once."""
        data = event.data
        if event.source not in _SOURCES:
            return
        if "next_run_at" in data:
            self._move_mark(event.source_ref, data["next_run_at"])
        match event.type:
            case kind if kind in JOB_PUT:
                self._put_job(data["job"])
                for at in data.get("void", ()):
                    self.slots[event.source_ref, at] = None
                if "void" not in data and "effective_until" in data and _expects_others(data):
                    self._drop_overrides(event.source_ref, data["effective_until"])
            case kind if kind in JOB_GONE:
                job = self.jobs[event.source_ref]
                self.jobs[event.source_ref] = job._replace(deleted=True, next_run_at=None)
                self._drop_overrides(event.source_ref, data["effective_until"])
            case kind if kind in SLOTS_MISSED:
                self._miss(event)
            case EventType.CALENDAR_MISSED_RESOLVED:
                self._resolve(event)
            case EventType.CALENDAR_REPLANNED:
                self._replan(event)
            case EventType.CALENDAR_CHANGE_APPLIED:
                self._except(event)
            case kind if kind in SLOT_SKIPPED and "run" not in data:
                self._decide(event, RunStatus.SKIPPED, reason=data["reason"])
            case kind if kind in ASIDE:
                pass
            case _:
                self._run(event.source, data["run"])

    def _put_job(self, record: Mapping[str, Any]) -> None:
        job_id, version = record["job_id"], record["version"]
        self.jobs[job_id] = ProjectedJob(job_id, version, record["next_run_at"], False)
        self.versions[job_id, version] = record["spec"]

    def _move_mark(self, job_id: str, next_run_at: int | None) -> None:
        self.jobs[job_id] = self.jobs[job_id]._replace(next_run_at=next_run_at)

    def _drop_overrides(self, job_id: str, after: float) -> None:
        """Drop decisions on single future slots."""
        for ref, slot in self.slots.items():
            if slot is not None and ref[0] == job_id and ref[1] > after and is_override(slot):
                self.slots[ref] = None

    def _run(self, source: str, run: Mapping[str, Any]) -> None:
        if run["event_id"] is None:
            return  # an extra run has no slot
        ref = run["job_id"], int(run["scheduled_at"])
        known = self.slots.get(ref)
        started_at, finished_at = run["started_at"], run["finished_at"]
        ended = started_at is not None and finished_at is not None
        self.slots[ref] = ProjectedSlot(
            source=source,
            source_ref=ref[0],
            scheduled_at=ref[1],
            job_version=run["job_version"] if known is None else known.job_version,
            outcome=str(run["status"]),
            reason=run["reason"],
            run_id=run["run_id"],
            duration_seconds=finished_at - started_at if ended else None,
            moved_to=None,
        )

    def _miss(self, event: Event) -> None:
        data = event.data
        self._put_missed(event.source_ref, data)
        if "next_run_at" in data:
            return  # the span holds everything
        ref = event.source_ref, data["first_at"]
        slot = self.slots.get(ref)
        assert slot is not None, f"no event before {event.seq} has told of the slot it is about"
        interrupted = data["cause"] == Cause.INTERRUPTED
        self.slots[ref] = slot._replace(
            outcome=RunStatus.INTERRUPTED.value if interrupted else "missed",
            reason=str(data["cause"]),
            moved_to=None,
        )

    def _resolve(self, event: Event) -> None:
        data = event.data
        for span in data["spans"]:
            self._put_missed(event.source_ref, span)
            if data["run_id"] is not None and span["run_id"] == data["run_id"]:
                # Its run comes with the next event, made under the job's present version.
                ref = event.source_ref, span["last_at"]
                known = self.slots.get(ref)
                version = span["job_version"] if known is None else known.job_version
                self.slots[ref] = ProjectedSlot(
                    source=_source_of(span["event_id"]),
                    source_ref=ref[0],
                    scheduled_at=ref[1],
                    job_version=version,
                    outcome=RunStatus.QUEUED.value,
                    reason=None,
                    run_id=data["run_id"],
                    duration_seconds=None,
                    moved_to=None,
                )

    def _replan(self, event: Event) -> None:
        """Withdraw decisions that were made ahead of their time."""
        for span in event.data["spans"]:
            self._put_missed(event.source_ref, span)
        for at in event.data["slots"]:
            self.slots[event.source_ref, at] = None

    def _put_missed(self, source_ref: str, record: Mapping[str, Any]) -> None:
        source = _source_of(record["event_id"])
        self.missed[record["missed_id"]] = {
            "held_by": None,
            **record,
            "source": source,
            "source_ref": source_ref,
        }

    def _except(self, event: Event) -> None:
        match event.data["change"]:
            case OverrideKind.SKIP:
                self._decide(event, RunStatus.SKIPPED, reason=OPERATOR)
            case OverrideKind.MOVE:
                self._decide(event, MOVED, reason=None, moved_to=event.data["move_to"])
            case "undo":
                self.slots[event.source_ref, event.data["scheduled_at"]] = None
            case _:
                pass  # run early: the run's own event comes next

    def _decide(
        self, event: Event, outcome: str, *, reason: str | None, moved_to: float | None = None
    ) -> None:
        """A slot was decided without a run."""
        at = event.data["scheduled_at"]
        self.slots[event.source_ref, at] = ProjectedSlot(
            source=_source_of(event.data["event_id"]),
            source_ref=event.source_ref,
            scheduled_at=at,
            job_version=event.data["job_version"],
            outcome=str(outcome),
            reason=reason,
            run_id=None,
            duration_seconds=None,
            moved_to=moved_to,
        )


def _source_of(event_id: str) -> str:
    return event_id.partition("|")[0]


def is_override(slot: ProjectedSlot) -> bool:
    """Whether a person decided it in advance, and it has not run."""
    return slot.run_id is None and (
        slot.outcome == MOVED or (slot.outcome == RunStatus.SKIPPED and slot.reason == OPERATOR)
    )


def _expects_others(data: Mapping[str, Any]) -> bool:
    """Whether an edited job's slots to come are others than before, or none.

    For events of versions of this product that did not list the `void` slots.
    """
    job = data["job"]
    return job["effective_from"] > data["effective_until"] or not job["spec"]["enabled"]


@dataclass(frozen=True, slots=True)
class Touched:
    """The rows of the projection that must be loaded before events are applied."""

    job_ids: set[str]
    slots: set[SlotRef]
    #: Jobs whose overrides may be dropped, and after which time.
    edited_ids: set[str]
    edited_after: float


def touched_by(events: Sequence[Event]) -> Touched:
    """The rows that these events touch."""
    edits = [
        event for event in events if "effective_until" in event.data and "void" not in event.data
    ]
    return Touched(
        job_ids={event.source_ref for event in events if event.type not in ASIDE},
        slots={ref for event in events for ref in _slots_of(event)},
        edited_ids={event.source_ref for event in edits},
        edited_after=min((event.data["effective_until"] for event in edits), default=0.0),
    )


def _slots_of(event: Event) -> Iterable[SlotRef]:
    data = event.data
    if event.type in ASIDE:
        return
    if "run" in data:
        run = data["run"]
        if run["event_id"] is not None:
            yield run["job_id"], int(run["scheduled_at"])
    elif event.type in SLOTS_MISSED:
        if "next_run_at" not in data:
            yield event.source_ref, data["first_at"]
    elif event.type is EventType.CALENDAR_MISSED_RESOLVED:
        for span in data["spans"]:
            if span["run_id"] is not None:
                yield event.source_ref, span["last_at"]
    elif event.type is EventType.CALENDAR_REPLANNED:
        for at in data["slots"]:
            yield event.source_ref, at
    elif event.type in JOB_PUT:
        for at in data.get("void", ()):
            yield event.source_ref, at
    elif "event_id" in data:
        slot = SlotKey.parse(data["event_id"])
        yield slot.source_ref, epoch(slot.scheduled_at)
