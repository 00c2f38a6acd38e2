"""Deliveries: one for each notification, occasion and channel beyond the dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from universal_agent.domain.notifications import Notification

#: Waits after failed attempts; the last one repeats.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600))

#: How long a delivery is tried.
TRIED_FOR = timedelta(hours=24)

#: Refusals of one message in a row after which it is given up: the first may be transient.
MOST_REFUSALS = 3

#: Notifications that a combined message lists.
_MOST_LISTED = 50


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    #: Refused for good, or tried for as long as deliveries are.
    GIVEN_UP = "given_up"
    #: No longer needed when its time came: its incident was over or acknowledged.
    DROPPED = "dropped"


class Occasion(StrEnum):
    """Why a notification is delivered."""

    NEW = "new"
    #: It says more than before: further jobs have the same cause.
    UPDATE = "update"
    #: It was over, and has come back.
    RELAPSE = "relapse"
    #: Nobody has acknowledged it.
    REMINDER = "reminder"


_PREFIXES = {Occasion.RELAPSE: "Again: ", Occasion.REMINDER: "Still open: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification on its way to a channel."""

    notification: Notification
    target: str
    #: How often the notification was delivered before, for other occasions.
    number: int
    occasion: Occasion
    attempts: int
    #: Refusals in a row.
    refusals: int
    created_at: datetime
    next_at: datetime

    @property
    def message_id(self) -> str:
        """The same for each attempt at this delivery, and on every channel."""
        found = self.notification.notification_id
        return found if self.number == 0 else f"{found}-{self.number}"

    @property
    def title(self) -> str:
        """What it is called where it is delivered."""
        return _PREFIXES.get(self.occasion, "") + self.notification.title

    def next_try(self, *, now: datetime, refused: bool) -> datetime | None:
        """When to try again after one more failure; None: it is given up."""
        if refused and self.refusals + 1 >= MOST_REFUSALS:
            return None
        at = now + WAITS[min(self.attempts, len(WAITS) - 1)]
        return at if at <= self.created_at + TRIED_FOR else None

    def document(self, *, now: datetime) -> dict[str, Any]:
        """The wire form of the notification, as it is delivered."""
        return {
            **self.notification.document(now=now),
            "title": self.title,
            "occasion": self.occasion,
            "message_id": self.message_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel sends: one notification, or several as one."""

    #: The same for each attempt, also after a restart: a receiver can drop duplicates.
    message_id: str
    title: str
    text: str
    #: The notifications in it, in the wire form; empty for a test or a probe.
    notifications: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Deliveries that one attempt is made at; none for a probe of its own."""

    target: str
    #: The id of a message of several deliveries; None for a single one.
    batch: str | None = None
    deliveries: tuple[Delivery, ...] = ()

    def message(self, *, now: datetime) -> Message:
        """What is sent."""
        notifications = [one.document(now=now) for one in self.deliveries]
        if len(self.deliveries) == 1:
            [one] = self.deliveries
            return Message(
                message_id=one.message_id,
                title=one.title,
                text=one.notification.message,
                notifications=notifications,
            )
        lines = [
            f"{one.created_at:%b %d %H:%M} UTC  {one.title}: {one.notification.message}"
            for one in self.deliveries[:_MOST_LISTED]
        ]
        if further := len(self.deliveries) - len(lines):
            lines.append(f"and {further} more, which the dashboard lists")
        return Message(
            message_id=self.batch or self.deliveries[0].message_id,
            title=f"{len(self.deliveries)} notifications",
            text="\n".join(lines),
            notifications=notifications,
        )
