"""Active hours: the hours of the day in which a session's heartbeats may run.

The hours are readings of a zone's wall clock. A skipped hour does not exist, and a repeated hour
counts both times.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from universal_agent.domain.local_time import shown_in
from universal_agent.errors import InvalidInput

_MINUTES_A_DAY = 24 * 60

_TIME = re.compile(r"(?P<hour>[01]\d|2[0-4]):(?P<minute>[0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ActiveHours:
    """From one minute of the day up to another, which it does not hold; may cross midnight."""

    start_minute: int
    end_minute: int

    @classmethod
    def parse(cls, text: str, *, field: str = "active_hours") -> Self:
        """Read "08:00-22:00". Raises InvalidInput naming `field`, also for equal ends.

        "24:00" may be the end; an empty span cannot be written.
        """
        start, dash, end = (part.strip() for part in text.partition("-"))
        if not dash:
            raise InvalidInput(
                f"{field}: expected HH:MM-HH:MM such as 08:00-22:00, got {text[:40]!r}",
                field=field,
            )
        return cls.between(start, end, field=field)

    @classmethod
    def between(cls, start: str, end: str, *, field: str = "active_hours") -> Self:
        """From `start` up to `end`, each "HH:MM"; raises as `parse` does."""
        hours = cls(_minute(start, field), _minute(end, field))
        if hours.start_minute == _MINUTES_A_DAY:
            raise InvalidInput(
                f"{field}: expected a start before 24:00, which can only be an end", field=field
            )
        if hours.start_minute == hours.end_minute:
            raise InvalidInput(
                f"{field}: expected a start and an end that differ (00:00-24:00 is all day), "
                f"got {hours}",
                field=field,
            )
        return hours

    def contain(self, instant: datetime, *, timezone: str) -> bool:
        """Whether a clock in that zone shows an active hour at `instant`."""
        local = shown_in(instant, timezone)
        minute = local.hour * 60 + local.minute
        if self.start_minute < self.end_minute:
            return self.start_minute <= minute < self.end_minute
        return minute >= self.start_minute or minute < self.end_minute

    def __str__(self) -> str:
        return f"{_clock(self.start_minute)}-{_clock(self.end_minute)}"


def _minute(text: str, field: str) -> int:
    time = _TIME.fullmatch(text)
    if time is not None:
        minute = int(time["hour"]) * 60 + int(time["minute"])
        if minute <= _MINUTES_A_DAY:
            return minute
    raise InvalidInput(
        f"{field}: expected a time of day from 00:00 to 24:00, got {text[:20]!r}", field=field
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
