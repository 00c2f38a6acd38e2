"""Did every expected slot end in exactly one recorded outcome?

What was expected is recomputed from the job versions, never read from what was recorded; the
difference is `unaccounted`, and must be empty.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from universal_agent.domain.job import JobVersion
from universal_agent.domain.judge import LATENCY, Cause, MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import SlotKey, epoch, from_epoch


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
    unaccounted: list[str] = field(default_factory=list)


_RAN = frozenset({RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT, RunStatus.CANCELLED})


def reckon(facts: LedgerFacts, *, start: datetime, end: datetime, now: datetime) -> Ledger:
    """Hold what was expected in (start, end] against what was recorded."""
    ledger = Ledger(start=start, end=end)
    slots: dict[str, dict[int, SlotFact]] = {}
    for slot in facts.slots:
        slots.setdefault(slot.source_ref, {})[slot.scheduled_at] = slot
    missed: dict[str, list[MissedFact]] = {}
    for span in facts.missed:
        missed.setdefault(span.source_ref, []).append(span)
    for version in facts.versions:
        if version.spec.enabled:
            _reckon_version(
                ledger,
                version,
                slots.get(version.job_id, {}),
                [m for m in missed.get(version.job_id, ()) if m.job_version == version.version],
                now,
            )
    return ledger


def _reckon_version(
    ledger: Ledger,
    version: JobVersion,
    slots: dict[int, SlotFact],
    spans: list[MissedFact],
    now: datetime,
) -> None:
    after = max(ledger.start, version.effective_from)
    until = min(ledger.end, now, version.effective_until or now)
    if until <= after:
        return
    expected = [epoch(slot) for slot in version.spec.schedule.slots(after, until)]
    ledger.expected += len(expected)
    open_slots = set(expected)

    for span in spans:
        first = bisect_left(expected, span.first_at)
        inside = expected[first : bisect_right(expected, span.last_at)]
        mine = open_slots.intersection(inside)
        open_slots -= mine
        if span.status == MissedStatus.SKIPPED:
            ledger.skipped["on_miss"] += len(mine)
        elif span.cause == Cause.INTERRUPTED and span.status == MissedStatus.PENDING:
            ledger.interrupted += len(mine)
        else:
            ledger.missed[span.status] += len(mine)

    policy = version.spec.policy
    # Past its grace a slot is still given the engine's own latency before it is called lost.
    patience = (
        stable_jitter(version.job_id, policy.jitter_seconds)
        + max(LATENCY, timedelta(seconds=policy.misfire_grace_seconds))
        + LATENCY
    )
    for at in sorted(open_slots):
        slot = slots.get(at)
        if slot is None:
            if from_epoch(at) + patience > now:
                ledger.in_flight += 1
            else:
                key = SlotKey(version.spec.source, version.job_id, from_epoch(at))
                ledger.unaccounted.append(key.event_id)
        elif slot.outcome in _RAN:
            ledger.ran[slot.outcome] += 1
        elif slot.outcome == RunStatus.SKIPPED:
            ledger.skipped[slot.reason or "unknown"] += 1
        elif slot.outcome == RunStatus.INTERRUPTED:
            ledger.interrupted += 1
        else:
            ledger.in_flight += 1
