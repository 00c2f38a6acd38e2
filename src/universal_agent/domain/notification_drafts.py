"""Notifications that a batch of events opens, changes and closes, before they are stored."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from universal_agent.domain.events import Event
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity

if TYPE_CHECKING:
    from universal_agent.domain.deliveries import Occasion


class NotificationDrafts:
    """The notifications of a batch, and what is read to make them."""

    def __init__(
        self,
        *,
        open_incident: Callable[[str], Notification | None],
        incident_of_job: Callable[[str], Notification | None],
        recent_incident: Callable[[str], Notification | None],
        is_pending: Callable[[str], bool],
        new_id: Callable[[], str],
        titles: Callable[[str], str],
        resources: Callable[[str], str],
        now: datetime,
    ) -> None:
        self._open_incident = open_incident
        #: The incident of a job that fails, also one that was over a short time ago.
        self._incident_of_job = incident_of_job
        #: The latest notification of an incident that was open within the last day.
        self._recent_incident = recent_incident
        #: Whether missed slots of an outage still wait for a decision.
        self._is_pending = is_pending
        self._new_id = new_id
        self._titles = titles
        self._resources = resources
        self._now = now
        #: Notifications to store, by id: new and changed ones.
        self.changed: dict[str, Notification] = {}
        #: Those of them that are delivered again.
        self.again: dict[str, Occasion] = {}

    def _find(self, incident: str) -> Notification | None:
        for notification in self.changed.values():
            if notification.incident == incident and notification.is_open:
                return notification
        found = self._open_incident(incident)
        # The store still has what this batch closed as open.
        return None if found is not None and found.notification_id in self.changed else found

    def _tell(
        self,
        event: Event,
        kind: Kind,
        severity: Severity,
        title: str,
        message: str,
        *,
        incident: str,
        is_open: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        notification = Notification(
            notification_id=self._new_id(),
            kind=kind,
            severity=severity,
            title=title,
            message=message,
            source_ref=event.source_ref,
            session_id=event.session_id,
            incident=incident,
            is_open=is_open,
            status=NotificationStatus.NEW,
            created_at=self._now,
            updated_at=self._now,
            metadata=metadata or {},
        )
        self.changed[notification.notification_id] = notification

    def _put(self, notification: Notification, **changes: Any) -> None:
        changed = replace(notification, updated_at=self._now, **changes)
        self.changed[changed.notification_id] = changed

    def _close(self, notification: Notification) -> None:
        self._put(notification, is_open=False, resolved_at=self._now)
