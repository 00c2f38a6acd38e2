"""What time alone does to an open notification: reminders, updates, ends.

Acknowledged means quiet until it is over, for 30 days at most. What nobody acknowledged is
delivered again on the same day and on the third day, and then no more.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity

#: When an unacknowledged notification is delivered again, from its beginning.
REMIND_AFTER = (timedelta(hours=6), timedelta(hours=48))

#: How long an acknowledgement holds.
ACKNOWLEDGED_FOR = timedelta(days=30)

#: What joins an incident is told together, this long after the first of it, and then no more often
#: than `UPDATE_EVERY`.
UPDATE_AFTER = timedelta(minutes=1)
UPDATE_EVERY = timedelta(hours=1)

#: A failure that comes back within this time belongs to the incident that was over.
RELAPSE_WITHIN = timedelta(minutes=30)


def first_reminder(notification: Notification) -> datetime | None:
    """When a new notification is delivered again; None for news and what is not severe."""
    is_severe = notification.severity is not Severity.INFO
    # What is paused with others is reminded of by its failure.
    if not (notification.is_open and is_severe) or notification.kind is Kind.AUTO_PAUSED:
        return None
    return notification.created_at + REMIND_AFTER[0]


def next_turn(notification: Notification) -> datetime | None:
    """When time changes an open notification next; None when it does not."""
    times = [notification.settles_at]
    if notification.status is NotificationStatus.ACKNOWLEDGED:
        if notification.acknowledged_at is not None:
            times.append(notification.acknowledged_at + ACKNOWLEDGED_FOR)
    elif not notification.is_quiet:
        times += [notification.update_at, _reminder(notification)]
    return min((at for at in times if at is not None), default=None)


def _reminder(notification: Notification) -> datetime | None:
    """The next reminder; a snooze puts it off to its end."""
    at, until = notification.remind_at, notification.snoozed_until
    if at is None or notification.status is not NotificationStatus.SNOOZED or until is None:
        return at
    return max(at, until)


def take_turn(notification: Notification, *, now: datetime) -> tuple[Notification, Occasion]:
    """An open notification after a turn that is due, and the occasion to deliver it."""
    if notification.status is NotificationStatus.ACKNOWLEDGED:
        again = replace(
            notification,
            status=NotificationStatus.NEW,
            acknowledged_at=None,
            remind_at=None,
            updated_at=now,
        )
        return again, Occasion.REMINDER
    occasion = Occasion.UPDATE
    remind_at = notification.remind_at
    reminder = _reminder(notification)
    if reminder is not None and reminder <= now:
        occasion = Occasion.REMINDER
        later = [notification.created_at + after for after in REMIND_AFTER]
        remind_at = next((at for at in later if at > now), None)
    return replace(notification, update_at=None, remind_at=remind_at), occasion
