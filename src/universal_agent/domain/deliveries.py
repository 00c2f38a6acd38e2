"""Deliveries: one for each notification and each target beyond the dashboard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from universal_agent.domain.notifications import Notification

#: Waits after failed attempts; the last one repeats.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600))

#: How long a delivery is tried.
TRIED_FOR = timedelta(hours=24)

#: Refusals in a row after which a delivery is given up: the first may be transient.
MOST_REFUSALS = 3


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    #: Refused for good, or tried for as long as deliveries are.
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification on its way to a target."""

    notification: Notification
    target: str
    attempts: int
    #: Refusals in a row.
    refusals: int
    created_at: datetime
    next_at: datetime

    def next_try(self, *, now: datetime, refused: bool) -> datetime | None:
        """When to try again after one more failure; None: it is given up."""
        if refused and self.refusals + 1 >= MOST_REFUSALS:
            return None
        at = now + WAITS[min(self.attempts, len(WAITS) - 1)]
        return at if at <= self.created_at + TRIED_FOR else None
