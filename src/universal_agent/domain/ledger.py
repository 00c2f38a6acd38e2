"""The ledger: expected slots against recorded outcomes.

Expected slots are recomputed from the job versions, never read from the records; the difference is
`unaccounted`, and must be empty. Slots are counted in ranges by arithmetic on the schedule: a night
off of an every-minute job is one sum, not 600 slots.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from math import floor
from operator import attrgetter

from universal_agent.domain.job import JobVersion
from universal_agent.domain.judge import LATENCY, UNDECIDED, Cause, MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import SlotKey, epoch, from_epoch

#: How many unaccounted slots are named.
LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFact:
    """A slot as it was recorded."""

    source_ref: str
    scheduled_at: int
    outcome: str
    reason: str | None
    #: It is accounted for by a missed span.
    missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedFact:
    """A missed span as it was recorded."""

    source_ref: str
    first_at: int
    last_at: int
    job_version: int
    cause: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """Everything recorded that touches the window, from one snapshot."""

    versions: Sequence[JobVersion]
    slots: Sequence[SlotFact]
    #: Where two spans have the same slot, the first one counts.
    missed: Sequence[MissedFact]


@dataclass(slots=True, kw_only=True)
class Ledger:
    """The account of a window. Every expected slot is counted exactly once."""

    start: datetime
    end: datetime
    expected: int = 0
    ran: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    interrupted: int = 0
    #: Admitted and not finished, or still within the grace.
    in_flight: int = 0
    unaccounted_count: int = 0
    #: The first `LISTED` of them.
    unaccounted: list[str] = field(default_factory=list)

    def add(self, more: "Ledger") -> None:
        """Add the account of the window that begins where this one ends."""
        self.end = more.end
        self.expected += more.expected
        self.ran += more.ran
        self.skipped += more.skipped
        self.missed += more.missed
        self.interrupted += more.interrupted
        self.in_flight += more.in_flight
        self.unaccounted_count += more.unaccounted_count
        self.unaccounted += more.unaccounted[: LISTED - len(self.unaccounted)]


_RAN = frozenset(
    {
        RunStatus.SUCCESS,
        RunStatus.ERROR,
        RunStatus.TIMEOUT,
        RunStatus.STALLED,
        RunStatus.CANCELLED,
    }
)


def reconcile(
    facts: LedgerFacts,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    undecided: Mapping[str, int] | None = None,
) -> Ledger:
    """Compare the slots expected in (start, end] with the records.

    While no engine runs, slots from the epoch in `undecided` on, by job, are decided when one
    starts: they count as in flight.
    """
    ledger = Ledger(start=start, end=end)
    slots: dict[str, list[SlotFact]] = {}
    for slot in sorted(facts.slots, key=attrgetter("scheduled_at")):
        slots.setdefault(slot.source_ref, []).append(slot)
    missed: dict[str, list[MissedFact]] = {}
    for span in facts.missed:
        missed.setdefault(span.source_ref, []).append(span)
    for version in facts.versions:
        after = max(ledger.start, version.effective_from)
        until = min(ledger.end, now, version.effective_until or now)
        if version.spec.enabled and after < until:
            account = _Account(ledger, version, slots.get(version.job_id, ()), now)
            if undecided and version.job_id in undecided:
                account.leave_open(undecided[version.job_id])
            # A span has all slots of its version between its ends; a single slot is that slot,
            # whichever version expects it by now.
            spans = [
                span
                for span in missed.get(version.job_id, ())
                if span.job_version == version.version or span.first_at == span.last_at
            ]
            account.close(_Window(epoch(after), epoch(until)), spans)
    return ledger


@dataclass(frozen=True, slots=True)
class _Window:
    """The seconds in (after, until]."""

    after: int
    until: int


class _Account:
    """The slots that one version of a job expected, reduced by what is accounted for."""

    def __init__(
        self, ledger: Ledger, version: JobVersion, slots: Sequence[SlotFact], now: datetime
    ) -> None:
        self._ledger = ledger
        self._version = version
        self._slots = slots
        policy = version.spec.policy
        # After its grace a slot still has the engine's own latency before it counts as lost.
        patience = (
            stable_jitter(version.job_id, policy.jitter_seconds)
            + max(LATENCY, timedelta(seconds=policy.misfire_grace_seconds))
            + LATENCY
        )
        #: A slot up to here without a record is lost; a later one may still be recorded.
        self._due_by = floor((now - patience).timestamp())

    def leave_open(self, at: int) -> None:
        """Treat slots from there on as undecided."""
        self._due_by = min(self._due_by, at - 1)

    def close(self, window: _Window, spans: Sequence[MissedFact]) -> None:
        self._ledger.expected += self._count(window)
        open_windows = [window]
        for span in spans:
            covered = _cut_out(open_windows, _Window(span.first_at - 1, span.last_at))
            count = sum(map(self._count, covered))
            if count:
                self._missed(span, count)
        for open_window in open_windows:
            self._recorded(open_window)

    def _missed(self, span: MissedFact, count: int) -> None:
        if span.status == MissedStatus.SKIPPED:
            self._ledger.skipped["on_miss"] += count
        elif span.cause == Cause.INTERRUPTED and span.status in UNDECIDED:
            self._ledger.interrupted += count
        else:
            self._ledger.missed[span.status] += count

    def _recorded(self, window: _Window) -> None:
        """Account for a window by the slots that were recorded, and for what lies between them."""
        at = attrgetter("scheduled_at")
        first = bisect_right(self._slots, window.after, key=at)
        last = bisect_right(self._slots, window.until, key=at)
        coming = self._expected(window)
        expected = next(coming, None)
        for slot in islice(self._slots, first, last):
            if expected is not None and expected < slot.scheduled_at:
                self._unrecorded(_Window(expected - 1, slot.scheduled_at - 1))
                coming = self._expected(_Window(slot.scheduled_at - 1, window.until))
                expected = next(coming, None)
            if expected == slot.scheduled_at:
                self._ran(slot)
                expected = next(coming, None)
        if expected is not None:
            self._unrecorded(_Window(expected - 1, window.until))

    def _ran(self, slot: SlotFact) -> None:
        if slot.outcome in _RAN:
            self._ledger.ran[slot.outcome] += 1
        elif slot.outcome == RunStatus.SKIPPED:
            self._ledger.skipped[slot.reason or "unknown"] += 1
        elif slot.outcome == RunStatus.INTERRUPTED:
            self._ledger.interrupted += 1
        else:
            self._ledger.in_flight += 1

    def _unrecorded(self, window: _Window) -> None:
        due_by = min(max(self._due_by, window.after), window.until)
        self._ledger.in_flight += self._count(_Window(due_by, window.until))
        lost = _Window(window.after, due_by)
        count = self._count(lost)
        if count:
            self._ledger.unaccounted_count += count
            self._name(lost)

    def _name(self, lost: _Window) -> None:
        names = self._ledger.unaccounted
        source, job_id = self._version.spec.source, self._version.job_id
        names.extend(
            SlotKey(source, job_id, from_epoch(slot)).event_id
            for slot in islice(self._expected(lost), LISTED - len(names))
        )

    def _expected(self, window: _Window) -> Iterator[int]:
        schedule = self._version.spec.schedule
        return map(epoch, schedule.slots(from_epoch(window.after), from_epoch(window.until)))

    def _count(self, window: _Window) -> int:
        if window.after >= window.until:
            return 0
        schedule = self._version.spec.schedule
        return schedule.count(from_epoch(window.after), from_epoch(window.until))


def _cut_out(windows: list[_Window], cut: _Window) -> list[_Window]:
    """Remove `cut` from disjoint, ascending windows; returns what was removed."""
    first = bisect_right(windows, cut.after, key=attrgetter("until"))
    last = bisect_left(windows, cut.until, key=attrgetter("after"))
    touched = windows[first:last]
    if touched:
        before = _Window(touched[0].after, cut.after)
        behind = _Window(cut.until, touched[-1].until)
        windows[first:last] = [left for left in (before, behind) if left.after < left.until]
    return [_Window(max(it.after, cut.after), min(it.until, cut.until)) for it in touched]
