"""Incidents: notifications folded from events.

An incident has one notification: further events of it update that notification, and its end is
notified once too.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.heartbeat import OVERRIDES_FILE
from universal_agent.domain.job import OffLabel
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.outage_digest import OutageDigest
from universal_agent.domain.slot import from_epoch

#: Failures in a row after which a job's failure is notified.
FAILURES_TOLD = 2

_TITLE_CHARS = 200

_WITHDRAWN = "; the clock had run ahead: slots that are to come again were taken off"


#: Events that may open, change or close a notification.
NOTABLE = (
    EventType.CRON_RUN_MISSED,
    EventType.CRON_RUN_FAILED,
    EventType.CRON_RUN_COMPLETED,
    EventType.CRON_JOB_UPDATED,
    EventType.HEARTBEAT_MISSED,
    EventType.HEARTBEAT_FAILED,
    EventType.HEARTBEAT_COMPLETED,
    EventType.HEARTBEAT_SCHEDULED,
    EventType.CALENDAR_MISSED_RESOLVED,
    EventType.CALENDAR_REPLANNED,
    EventType.CLOCK_SET_BACK,
    EventType.ZONE_RULES_CHANGED,
)


class IncidentFold:
    """Folds events into notifications, one batch at a time."""

    def __init__(
        self,
        *,
        open_incident: Callable[[str], Notification | None],
        is_pending: Callable[[str], bool],
        new_id: Callable[[], str],
        titles: Callable[[str], str],
        now: datetime,
    ) -> None:
        self._open_incident = open_incident
        #: Whether missed slots of an outage still wait for a decision.
        self._is_pending = is_pending
        self._new_id = new_id
        self._titles = titles
        self._now = now
        #: Notifications to store, by id: new and changed ones.
        self.changed: dict[str, Notification] = {}

    def fold(self, event: Event) -> None:
        """Fold one event."""
        match event.type:
            case EventType.CRON_RUN_MISSED | EventType.HEARTBEAT_MISSED:
                if event.status == MissedStatus.PENDING:
                    self._missed(event)
            case EventType.CALENDAR_MISSED_RESOLVED:
                self._missed_resolved(event)
            case EventType.CRON_RUN_FAILED | EventType.HEARTBEAT_FAILED:
                if event.status in ("error", "timeout"):
                    self._failed(event)
                elif event.data.get("is_poison"):
                    self._crash_loop(event)
            case EventType.CRON_RUN_COMPLETED | EventType.HEARTBEAT_COMPLETED:
                self._completed(event)
                if "beat" in event.data:
                    self._beat(event)
            case EventType.CRON_JOB_UPDATED | EventType.HEARTBEAT_SCHEDULED:
                label = event.data["job"]["spec"]["off_label"]
                if label == OffLabel.AUTO_PAUSED and "off_label" in event.data.get("changed", ()):
                    self._auto_paused(event)
                if event.type is EventType.HEARTBEAT_SCHEDULED:
                    self._configured(event)
            case EventType.CALENDAR_REPLANNED:
                self._replanned(event)
            case EventType.CLOCK_SET_BACK:
                self._clock_set_back(event)
            case EventType.ZONE_RULES_CHANGED:
                self._zone_rules_changed(event)

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

    def _missed(self, event: Event) -> None:
        """One digest for each outage, which grows while its misses come in."""
        data = event.data
        incident = f"outage:{data['outage_id']}"
        before = self._find(incident)
        facts = OutageDigest.of(before.metadata if before else {}).with_miss(data, self._now)
        title, message = facts.words(self._titles(event.source_ref))
        if before is None:
            self._tell(
                event,
                Kind.MISSED,
                Severity.WARNING,
                title,
                message,
                incident=incident,
                metadata=facts.record(),
            )
        else:
            self._put(before, title=title, message=message, metadata=facts.record())

    def _missed_resolved(self, event: Event) -> None:
        """An outage's digest closes when none of its slots waits for a decision any more."""
        if event.data["action"] == "undo_delete":
            return
        expired = sum(
            span["count"] for span in event.data["spans"] if span["status"] == MissedStatus.EXPIRED
        )
        for outage_id in {span["outage_id"] for span in event.data["spans"]}:
            digest = self._find(f"outage:{outage_id}")
            if digest is None:
                continue
            facts = {**digest.metadata, "expired": digest.metadata.get("expired", 0) + expired}
            if self._is_pending(outage_id):
                self._put(digest, metadata=facts)
                continue
            end = "all are decided"
            if facts["expired"]:
                end = f"none waits any more; {facts['expired']} expired without a decision"
            self.changed[digest.notification_id] = digest.resolved(
                now=self._now, message=f"{digest.message}; {end}", metadata=facts
            )

    def _replanned(self, event: Event) -> None:
        """Misses that were withdrawn need no decision."""
        for outage_id in event.data["outage_ids"]:
            digest = self._find(f"outage:{outage_id}")
            if digest is None:
                continue
            message = digest.message.removesuffix(_WITHDRAWN) + _WITHDRAWN
            if self._is_pending(outage_id):
                self._put(digest, message=message)
            else:
                resolved = digest.resolved(now=self._now, message=message)
                self.changed[digest.notification_id] = resolved

    def _failed(self, event: Event) -> None:
        incident = f"failing:{event.source_ref}"
        in_a_row = event.data.get("consecutive_failures", 0)
        if in_a_row < FAILURES_TOLD or event.data.get("retry_at") is not None:
            return
        if self._find(incident) is None:
            run = event.data["run"]
            self._tell(
                event,
                Kind.FAILED,
                Severity.ERROR,
                f"{self._titles(event.source_ref)} fails",
                f"{in_a_row} times in a row; last: {run['error'] or run['status']}",
                incident=incident,
                metadata={"run_id": run["run_id"], "consecutive_failures": in_a_row},
            )

    def _completed(self, event: Event) -> None:
        incident = f"failing:{event.source_ref}"
        failing = self._find(incident)
        if failing is None:
            return
        self._close(failing)
        self._tell(
            event,
            Kind.RECOVERED,
            Severity.INFO,
            f"{self._titles(event.source_ref)} works again",
            f"It had failed since {failing.created_at:%Y-%m-%d %H:%M} UTC.",
            incident=incident,
            is_open=False,
            metadata={"run_id": event.data["run"]["run_id"]},
        )

    def _beat(self, event: Event) -> None:
        """What a session's beat found: one incident from its first alert to its next OK."""
        beat = event.data["beat"]
        incident = f"alert:{event.source_ref}"
        before = self._find(incident)
        # An invalid file has its own notification (`_configured`) and no result of checks.
        is_well = beat["ok_only"] or beat["about"] == [OVERRIDES_FILE]
        if beat["told"] and not is_well:
            self._alert(event, incident, before)
        elif is_well and before is not None:
            self._close(before)
            self._tell(
                event,
                Kind.RECOVERED,
                Severity.INFO,
                f"{self._titles(event.source_ref)}: all is well again",
                f"There had been something since {before.created_at:%Y-%m-%d %H:%M} UTC.",
                incident=incident,
                is_open=False,
                metadata={"run_id": event.data["run"]["run_id"]},
            )

    def _alert(self, event: Event, incident: str, before: Notification | None) -> None:
        beat = event.data["beat"]
        about = beat["about"]
        title = f"{self._titles(event.source_ref)}: {', '.join(about)}"[:_TITLE_CHARS]
        metadata = {"run_id": event.data["run"]["run_id"], "about": about}
        if before is None:
            self._tell(
                event,
                Kind.ALERT,
                Severity.WARNING,
                title,
                beat["text"],
                incident=incident,
                metadata=metadata,
            )
            return
        # The same failure is not news; a new one is, to a person who has dealt with the first.
        is_news = not set(about) <= set(before.metadata["about"])
        status = NotificationStatus.NEW if is_news else before.status
        self._put(before, title=title, message=beat["text"], status=status, metadata=metadata)

    def _auto_paused(self, event: Event) -> None:
        limit = event.data["job"]["spec"]["policy"]["auto_pause_after"]
        reason = event.data.get("reason") or f"{limit} slots in a row failed"
        self._tell(
            event,
            Kind.AUTO_PAUSED,
            Severity.ERROR,
            f"{self._titles(event.source_ref)} was paused",
            f"{reason}. Its slots are skipped, and from time to time one runs as a probe. It goes "
            "on when a probe runs well, or when you resume it.",
            incident=f"paused:{event.source_ref}",
            is_open=False,
        )

    def _crash_loop(self, event: Event) -> None:
        """A run outlived crashes of the gateway, and may be their cause."""
        run = event.data["run"]
        self._tell(
            event,
            Kind.CRASH_LOOP,
            Severity.ERROR,
            f"{self._titles(event.source_ref)} ran while the gateway crashed twice",
            f"Its run was ended and is not repeated without a decision: {run['error']}.",
            incident=f"crash:{run['run_id']}",
            is_open=False,
            metadata={"run_id": run["run_id"], "crashes": event.data["crashes"]},
        )

    def _clock_set_back(self, event: Event) -> None:
        data = event.data
        before, after = from_epoch(data["before"]), from_epoch(data["after"])
        jobs = "1 job was" if data["jobs"] == 1 else f"{data['jobs']} jobs were"
        slots = "1 slot is" if data["slots"] == 1 else f"{data['slots']} slots are"
        self._tell(
            event,
            Kind.CLOCK_SET_BACK,
            Severity.WARNING,
            "The clock ran ahead and was set back",
            f"It showed {before:%Y-%m-%d %H:%M:%S} UTC, and now {after:%Y-%m-%d %H:%M:%S} UTC. "
            f"{jobs} planned again: {slots} expected again that had been missed or skipped ahead "
            "of time. What ran stays as it is.",
            incident=f"clock:{event.seq}",
            is_open=False,
            metadata=data,
        )

    def _zone_rules_changed(self, event: Event) -> None:
        zone, count = event.data["timezone"], event.data["jobs"]
        jobs = "1 job has" if count == 1 else f"{count} jobs have"
        self._tell(
            event,
            Kind.ZONE_RULES_CHANGED,
            Severity.WARNING,
            f"The rules of the time zone {zone} have changed",
            f"{jobs} their next slots by the new rules. What was planned before is judged by the "
            "old ones.",
            incident=f"zone:{event.seq}",
            is_open=False,
            metadata=event.data,
        )

    def _configured(self, event: Event) -> None:
        """An invalid file stays notified until it is valid."""
        incident = f"config:{event.source_ref}"
        error = event.data["job"]["spec"]["metadata"].get("config_error")
        told = self._find(incident)
        if error is None:
            if told is not None:
                self._close(told)
        elif told is not None:
            self._put(told, message=error)
        else:
            self._tell(
                event,
                Kind.CONFIG_REFUSED,
                Severity.WARNING,
                f"The HEARTBEAT.json of {event.source_ref} is not in force",
                error,
                incident=incident,
            )
