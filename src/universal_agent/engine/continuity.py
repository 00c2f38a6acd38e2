"""Continuity of sessions: counts whether clients keep them, and notifies people when not.

There is one notification when an alert begins and one when it ends. Open alerts are read from the
store at the start, so a restart, which resets the counters, ends those that no longer hold.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.continuity import Thresholds, continuity_document
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.ids import new_id
from universal_agent.engine.notify import Notifier
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store

_INCIDENT = "continuity:"


class Continuity:
    """The counters, and the alerts that they raise."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        notifier: Notifier,
        thresholds: Thresholds,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._notifier = notifier
        self.thresholds = thresholds
        self._counted = asyncio.Event()

    def count(self, *names: str) -> None:
        """Add to counters of continuity, together."""
        for name in names:
            self._metrics.count(name)
        self._counted.set()

    async def run(self) -> None:
        """Notify people of every alert that begins or ends, until cancelled."""
        known = await self._store.read(verbs.notifications.open_notifications, prefix=_INCIDENT)
        told = {notification.incident: notification for notification in known}
        while True:
            self._counted.clear()
            alerts = {f"{_INCIDENT}{alert['code']}": alert for alert in self._alerts()}
            for incident in alerts.keys() - told.keys():
                told[incident] = await self._tell_alert(incident, alerts[incident])
            for incident in told.keys() - alerts.keys():
                await self._tell_recovered(told[incident])
                del told[incident]
            await self._counted.wait()

    def _alerts(self) -> Sequence[dict[str, Any]]:
        alerts: Sequence[dict[str, Any]] = continuity_document(
            self._metrics.counters, self.thresholds
        )["alerts"]
        return alerts

    async def _tell_alert(self, incident: str, alert: dict[str, Any]) -> Notification:
        told = self._notification(
            Kind.CONTINUITY_ALERT,
            Severity.WARNING,
            "Clients lose their sessions",
            alert["message"],
            incident=incident,
            is_open=True,
            metadata=alert,
        )
        return await self._notifier.tell(told)

    async def _tell_recovered(self, alert: Notification) -> None:
        await self._notifier.close(alert.incident)
        await self._notifier.tell(
            self._notification(
                Kind.CONTINUITY_RECOVERED,
                Severity.INFO,
                "Clients keep their sessions again",
                f"They had not since {alert.created_at:%Y-%m-%d %H:%M} UTC: {alert.message}",
                incident=alert.incident,
                is_open=False,
                metadata=dict(alert.metadata),
            )
        )

    def _notification(
        self,
        kind: Kind,
        severity: Severity,
        title: str,
        message: str,
        *,
        incident: str,
        is_open: bool,
        metadata: dict[str, Any],
    ) -> Notification:
        now = self._clock.now()
        return Notification(
            notification_id=new_id("ntf", now),
            kind=kind,
            severity=severity,
            title=title,
            message=message,
            source_ref="sessions",
            session_id=None,
            incident=incident,
            is_open=is_open,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
            metadata=metadata,
        )
