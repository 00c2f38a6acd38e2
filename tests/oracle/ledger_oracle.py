"""The ledger as one would do it by hand: each expected slot is looked at, and asked for once."""

from datetime import datetime, timedelta

from universal_agent.domain.job import JobVersion
from universal_agent.domain.judge import LATENCY, Cause, MissedStatus
from universal_agent.domain.ledger import Ledger, LedgerFacts, MissedFact, SlotFact
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import SlotKey, epoch

_RAN = ("success", "error", "timeout", "stalled", "cancelled")


def reconcile_one_by_one(
    facts: LedgerFacts, *, start: datetime, end: datetime, now: datetime
) -> Ledger:
    """What `reconcile` must answer."""
    ledger = Ledger(start=start, end=end)
    for version in facts.versions:
        if not version.spec.enabled:
            continue
        until = min(end, now, version.effective_until or now)
        for slot in version.spec.schedule.slots(max(start, version.effective_from), until):
            ledger.expected += 1
            _book(ledger, facts, version, slot, now)
    return ledger


def _book(
    ledger: Ledger, facts: LedgerFacts, version: JobVersion, slot: datetime, now: datetime
) -> None:
    span, recorded = _span_of(facts, version, slot), _record_of(facts, version, slot)
    if span is not None:
        if span.status == MissedStatus.SKIPPED:
            ledger.skipped["on_miss"] += 1
        elif span.cause == Cause.INTERRUPTED and span.status in (
            MissedStatus.PENDING,
            MissedStatus.OPEN,
        ):
            ledger.interrupted += 1
        else:
            ledger.missed[span.status] += 1
    elif recorded is None:
        policy = version.spec.policy
        patience = stable_jitter(version.job_id, policy.jitter_seconds) + LATENCY
        patience += max(LATENCY, timedelta(seconds=policy.misfire_grace_seconds))
        if slot + patience > now:
            ledger.in_flight += 1
        else:
            ledger.unaccounted_count += 1
            key = SlotKey(version.spec.source, version.job_id, slot)
            ledger.unaccounted.append(key.event_id)
    elif recorded.outcome in _RAN:
        ledger.ran[recorded.outcome] += 1
    elif recorded.outcome == RunStatus.SKIPPED:
        ledger.skipped[recorded.reason or "unknown"] += 1
    elif recorded.outcome == RunStatus.INTERRUPTED:
        ledger.interrupted += 1
    else:
        ledger.in_flight += 1


def _span_of(facts: LedgerFacts, version: JobVersion, slot: datetime) -> MissedFact | None:
    for span in facts.missed:
        mine = span.source_ref == version.job_id and (
            span.job_version == version.version or span.first_at == span.last_at
        )
        if mine and span.first_at <= epoch(slot) <= span.last_at:
            return span
    return None


def _record_of(facts: LedgerFacts, version: JobVersion, slot: datetime) -> SlotFact | None:
    for record in facts.slots:
        if (record.source_ref, record.scheduled_at) == (version.job_id, epoch(slot)):
            return record
    return None
