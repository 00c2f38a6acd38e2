"""Missed slots that expired without a decision: listed, and told once a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.domain.stasis import MissedRecord

#: Jobs that a digest names; the others are counted.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Expired:
    """A span that expired, and whose it was."""

    record: MissedRecord
    title: str
    owner_id: str

    def document(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Calendar and stasis)."""
        record, span = self.record, self.record.span
        until = record.useful_until
        return {
            "event_id": record.event_id,
            "source": record.source,
            "source_ref": record.source_ref,
            "title": self.title,
            "owner_id": self.owner_id,
            "cause": record.cause,
            "outage_id": record.outage_id,
            "group": {
                "count": span.count,
                "first_scheduled_at_utc": span.first_at.isoformat(),
                "last_scheduled_at_utc": span.last_at.isoformat(),
            },
            "useful_until_utc": None if until is None else until.isoformat(),
            "expired_at_utc": record.updated_at.isoformat(),
        }


def by_owner(expired: Iterable[Expired]) -> dict[str, list[Expired]]:
    """What expired, by the user whose jobs these are."""
    owners: dict[str, list[Expired]] = {}
    for one in expired:
        owners.setdefault(one.owner_id, []).append(one)
    return owners


def digest_words(owner_id: str, expired: Sequence[Expired]) -> tuple[str, str]:
    """Title and message of one user's digest."""
    jobs: dict[str, list[Expired]] = {}
    for one in expired:
        jobs.setdefault(one.record.source_ref, []).append(one)
    named = sorted(jobs.values(), key=lambda ones: ones[0].title)
    lines = [_line(ones) for ones in named[:_NAMED]]
    if len(jobs) > _NAMED:
        more = len(jobs) - _NAMED
        lines.append(f"and {more} more {'job' if more == 1 else 'jobs'}")
    whose = "" if owner_id == "default" else f" of {owner_id}"
    title = f"{_slots(expired)}{whose} expired without a decision"
    return title, f"{'; '.join(lines)}. `ua stasis expired` lists them."


def _line(expired: Sequence[Expired]) -> str:
    first = min(one.record.span.first_at for one in expired)
    last = max(one.record.span.last_at for one in expired)
    when = _when(first) if first == last else f"{_when(first)} to {_when(last)}"
    return f"{expired[0].title}: {_slots(expired)}, {when} UTC"


def _slots(expired: Sequence[Expired]) -> str:
    count = sum(one.record.span.count for one in expired)
    return "1 missed slot" if count == 1 else f"{count:,} missed slots"


def _when(instant: datetime) -> str:
    return f"{instant:%b %d %H:%M}"
