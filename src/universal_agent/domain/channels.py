"""Channels beyond the dashboard: what each takes and when, and its state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.local_time import instant_at, shown_in
from universal_agent.domain.notifications import Kind, Notification, Severity
from universal_agent.errors import InvalidInput

#: Refusals in a row after which a channel is marked down.
MOST_REFUSALS = 3

#: How long a channel may be unreachable before it is marked down.
UNREACHABLE_FOR = timedelta(minutes=5)

#: Waits between the probes of a channel that is down; the last one repeats.
PROBE_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))

#: Notifications that are due together and still are messages of their own.
MOST_SINGLE = 3

#: The channels to which a notification is delivered on an occasion, by their target ids.
Route = Callable[[Notification, Occasion], Sequence[str]]

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class ChannelStatus(StrEnum):
    """The state of a channel."""

    #: Nothing has been sent yet, or the last message was taken.
    OK = "ok"
    #: The last message was not taken; each delivery is tried again.
    FAILING = "failing"
    #: It refuses, or has been unreachable for long; it is probed from time to time.
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """What the last attempts at a channel have shown."""

    status: ChannelStatus = ChannelStatus.OK
    #: Since when it has that status; None before the first message.
    since: datetime | None = None
    #: Failed attempts in a row, and refusals in a row.
    failures: int = 0
    refusals: int = 0
    error: str | None = None
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    #: Failed probes since it is down.
    probes: int = 0
    #: When a channel that is down is tried next.
    probe_at: datetime | None = None
    #: Until when an attempt may be under way.
    claimed_until: datetime | None = None

    def after_success(self, *, now: datetime) -> "ChannelState":
        """The state after a message was taken."""
        since = self.since if self.status is ChannelStatus.OK else now
        return ChannelState(
            status=ChannelStatus.OK,
            since=since or now,
            delivered_at=now,
            claimed_until=self.claimed_until,
        )

    def after_failure(
        self, error: str, *, refused: bool, is_about_message: bool = False, now: datetime
    ) -> "ChannelState":
        """The state after an attempt failed; `refused`: the channel takes no message at all.

        A failure that `is_about_message` shows that the channel can be reached.
        """
        refusals = self.refusals + 1 if refused else 0
        failing_since = None if is_about_message else self.failing_since or now
        status, probe_at, probes = ChannelStatus.FAILING, None, 0
        was_down = self.status is ChannelStatus.DOWN
        is_lost = failing_since is not None and now - failing_since >= UNREACHABLE_FOR
        if was_down or refusals >= MOST_REFUSALS or is_lost:
            status = ChannelStatus.DOWN
            probes, probe_at = self.probes, self.probe_at
            # A test that somebody asks for between two probes puts the next one off no further.
            if not was_down or probe_at is None or probe_at <= now:
                probes = self.probes + 1 if was_down else 0
                probe_at = now + PROBE_WAITS[min(probes, len(PROBE_WAITS) - 1)]
        return ChannelState(
            status=status,
            since=self.since if status is self.status else now,
            failures=self.failures + 1,
            refusals=refusals,
            error=error,
            delivered_at=self.delivered_at,
            failing_since=failing_since,
            probes=probes,
            probe_at=probe_at,
            claimed_until=self.claimed_until,
        )

    def document(self) -> dict[str, Any]:
        """The wire form."""
        times = ("since", "delivered_at", "failing_since", "probe_at")
        found = {name: getattr(self, name) for name in times}
        return {
            "status": self.status,
            "failures": self.failures,
            "error": self.error,
            **{name: None if at is None else at.isoformat() for name, at in found.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """What a channel takes, and when."""

    least: Severity = Severity.INFO
    quiet: ActiveHours | None = None
    #: The minute of the day of the digest.
    digest: int | None = None
    #: Whether errors pass the quiet hours and the digest.
    urgent: bool = True
    reminders: bool = True
    timezone: str = "UTC"

    def takes(self, notification: Notification, occasion: Occasion) -> bool:
        """Whether a notification is severe enough; its end is as severe as what is over."""
        if occasion is Occasion.REMINDER and not self.reminders:
            return False
        severity = notification.severity
        if notification.kind in (Kind.RECOVERED, Kind.CONTINUITY_RECOVERED):
            severity = Severity(notification.metadata.get("over", severity))
        return _RANK[severity] >= _RANK[self.least]

    def document(self) -> dict[str, Any]:
        """The wire form."""
        digest = self.digest
        return {
            "severity": self.least,
            "quiet_hours": None if self.quiet is None else str(self.quiet),
            "digest": None if digest is None else f"{digest // 60:02}:{digest % 60:02}",
            "urgent": self.urgent,
            "reminders": self.reminders,
            "timezone": self.timezone,
        }

    def is_quiet(self, now: datetime) -> bool:
        """Whether what is not urgent waits for the end of the quiet hours."""
        return self.quiet is not None and self.quiet.contain(now, timezone=self.timezone)

    def released(self, now: datetime) -> datetime | None:
        """What is not urgent is due if it was created up to then; None: nothing of it is."""
        if self.is_quiet(now):
            return None
        return now if self.digest is None else self._until(self.digest, now)

    def next_release(self, now: datetime) -> datetime | None:
        """When `released` says something else next; None where it never does."""
        times = [] if self.quiet is None else [self.quiet.end_minute % (24 * 60)]
        if self.digest is not None:
            times.append(self.digest)
        return min((self._after(minute, now) for minute in times), default=None)

    def _after(self, minute: int, now: datetime) -> datetime:
        return next(at for days in range(4) if (at := self._on_day(minute, now, days)) > now)

    def _until(self, minute: int, now: datetime) -> datetime:
        return next(at for days in range(3) if (at := self._on_day(minute, now, -days)) <= now)

    def _on_day(self, minute: int, now: datetime, days: int) -> datetime:
        midnight = shown_in(now, self.timezone).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0
        )
        return instant_at(midnight + timedelta(days=days, minutes=minute), self.timezone)


def minute_of_day(text: str, *, field: str) -> int:
    """The minute that "08:00" names. Raises InvalidInput."""
    hour, colon, minute = text.strip().partition(":")
    digits = hour.isascii() and minute.isascii() and hour.isdigit() and minute.isdigit()
    if not (colon and digits and len(hour) == len(minute) == 2) or hour > "23" or minute > "59":
        raise InvalidInput(
            f"{field}: expected a time such as 08:00, got {text[:20]!r}", field=field
        )
    return int(hour) * 60 + int(minute)
