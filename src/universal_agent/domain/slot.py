"""Slots: scheduled occurrences, and their names on the wire.

A slot is identified by (source, source_ref, scheduled_at) and by nothing else: two runs a second
apart never "match" each other, and an edit never renames a slot. Its id is the calendar's
`event_id`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from universal_agent.domain.local_time import LAST_SECOND, LAST_YEAR
from universal_agent.errors import InvalidInput

#: What a job's or session's id may look like, so that it can never be a path.
REF_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")

_EPOCH_PATTERN = re.compile(r"0|[1-9][0-9]{0,11}")


class Source(StrEnum):
    """The owner of a slot."""

    #: A cron job.
    CRON = "cron"
    #: A session's periodic check.
    HEARTBEAT = "heartbeat"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch(instant: datetime) -> int:
    """Whole UTC seconds: how a slot's time is stored and named.

    Counted in whole numbers: a float of a far year rounds its last microseconds up.
    """
    since = instant - _EPOCH
    return since.days * 86_400 + since.seconds


def from_epoch(seconds: float) -> datetime:
    """The aware UTC datetime of an epoch."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True, order=True)
class SlotKey:
    """The identity of a slot."""

    source: Source
    source_ref: str
    scheduled_at: datetime

    @property
    def event_id(self) -> str:
        """`<source>|<ref>|<epoch>`."""
        return f"{self.source}|{self.source_ref}|{epoch(self.scheduled_at)}"

    @classmethod
    def parse(cls, event_id: str) -> Self:
        """Read an event id; raises InvalidInput when it is not one, or beyond all schedules."""
        parts = event_id.split("|")
        if (
            len(parts) == 3
            and parts[0] in tuple(Source)
            and REF_PATTERN.fullmatch(parts[1])
            and _EPOCH_PATTERN.fullmatch(parts[2])
        ):
            seconds = int(parts[2])
            if seconds >= LAST_SECOND:
                raise InvalidInput(
                    f"expected an event id with epoch seconds before {LAST_SECOND} "
                    f"(year {LAST_YEAR + 1}), got {seconds}",
                    field="event_id",
                )
            return cls(Source(parts[0]), parts[1], from_epoch(seconds))
        raise InvalidInput(
            "expected an event id such as cron|job_1a2b|1767225600 "
            f"(source|id|epoch seconds), got {event_id[:100]!r}",
            field="event_id",
        )
