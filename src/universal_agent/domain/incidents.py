"""Incidents: notifications folded from events.

An incident has one notification: further events of it update that notification, and its end is
notified once too.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from universal_agent.domain.causes import cause_key
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.failure_digest import MOST_JOBS, FailureDigest
from universal_agent.domain.heartbeat import OVERRIDES_FILE
from universal_agent.domain.job import OffLabel
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.outage_digest import OutageDigest
from universal_agent.domain.reminders import RELAPSE_WITHIN, UPDATE_AFTER, UPDATE_EVERY
from universal_agent.domain.slot import from_epoch

#: Failures in a row after which a job's failure is notified.
FAILURES_TOLD = 2

#: What incidents of failing jobs begin with; their cause follows.
FAILING = "failing:"

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
    EventType.CRON_JOB_DELETED,
    EventType.HEARTBEAT_REMOVED,
    EventType.CALENDAR_MISSED_RESOLVED,
    EventType.CALENDAR_REPLANNED,
    EventType.CLOCK_SET_BACK,
    EventType.ZONE_RULES_CHANGED,
)


_PAUSED = (
    "Its slots are skipped, and from time to time one runs as a probe. It goes on when a probe "
    "runs well, or when you resume it."
)


def paused_with(failing: Notification) -> str:
    """The incident of jobs that are paused while they share the incident of a failure."""
    return f"paused:{failing.notification_id}"


class IncidentFold:
    """Folds events into notifications, one batch at a time."""

    def __init__(
        self,
        *,
        open_incident: Callable[[str], Notification | None],
        incident_of_job: Callable[[str], Notification | None],
        is_pending: Callable[[str], bool],
        new_id: Callable[[], str],
        titles: Callable[[str], str],
        resources: Callable[[str], str],
        now: datetime,
    ) -> None:
        self._open_incident = open_incident
        #: The incident of a job that fails, also one that was over a short time ago.
        self._incident_of_job = incident_of_job
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
            case EventType.CRON_RUN_COMPLETED | EventType.HEARTBEAT_COMPLETED:
                self._completed(event)
                if "beat" in event.data:
                    self._beat(event)
            case EventType.CRON_JOB_DELETED | EventType.HEARTBEAT_REMOVED:
                self._gone(event)
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

    def _incident_of(self, ref: str) -> Notification | None:
        """The incident of a job that fails, or failed a short time ago."""
        for notification in reversed(self.changed.values()):
            if notification.kind is Kind.FAILED and ref in FailureDigest.of(notification).since:
                return notification
        found = self._incident_of_job(ref)
        return None if found is None else self.changed.get(found.notification_id, found)

    def _failed(self, event: Event) -> None:
        """Failures of one cause are one incident, whatever their number of jobs."""
        ref = event.source_ref
        in_a_row = event.data.get("consecutive_failures", 0)
        if in_a_row < FAILURES_TOLD or event.data.get("retry_at") is not None:
            return
        before = self._incident_of(ref)
        if before is not None and self._goes_on(before, ref):
            return
        run = event.data["run"]
        error = run["error"] or run["status"]
        incident = f"{FAILING}{cause_key(error, self._resources(ref))}"
        shared = self._find(incident)
        if shared is not None and len(FailureDigest.of(shared).since) < MOST_JOBS:
            self._join(shared, ref)
            return
        digest = FailureDigest(error, {ref: self._now.timestamp()}, {})
        self._tell(
            event,
            Kind.FAILED,
            Severity.ERROR,
            f"{self._titles(ref)} fails",
            f"{in_a_row} times in a row; last: {error}",
            incident=incident,
            metadata={
                "run_id": run["run_id"],
                "consecutive_failures": in_a_row,
                **digest.record(),
            },
        )

    def _goes_on(self, incident: Notification, ref: str) -> bool:
        """Whether a failure belongs to the incident that its job has or had; it is put there."""
        digest = FailureDigest.of(incident)
        after = digest.with_failure(ref, self._now)
        if incident.is_open:
            if ref not in digest.recovered:
                return True
            if not digest.recovered_within(ref, RELAPSE_WITHIN, self._now):
                # Another failure of the same job: by its cause it may come back here.
                return False
            self._put_failing(incident, after, settles_at=None)
            return True
        resolved_at = incident.resolved_at
        is_recent = resolved_at is not None and self._now - resolved_at <= RELAPSE_WITHIN
        if not is_recent or incident.status is NotificationStatus.DISMISSED:
            return False
        if not incident.is_quiet:
            self.again[incident.notification_id] = Occasion.RELAPSE
        after = replace(after, relapses=after.relapses + 1, is_relapse_told=not incident.is_quiet)
        status = incident.status
        if status is NotificationStatus.READ:
            status = NotificationStatus.NEW
        self._put_failing(incident, after, is_open=True, resolved_at=None, status=status)
        return True

    def _join(self, shared: Notification, ref: str) -> None:
        """Put a job into the incident of its cause; those that join are told together."""
        after = FailureDigest.of(shared).with_failure(ref, self._now)
        self._put_failing(shared, after, settles_at=None, update_at=self._update_at(shared))

    def _update_at(self, shared: Notification) -> datetime | None:
        """When a notification that several jobs share is delivered again, with one more job."""
        if shared.update_at is not None or shared.is_quiet:
            return shared.update_at
        at = self._now + UPDATE_AFTER
        told_at = shared.metadata.get("updated_at")
        return at if told_at is None else max(at, from_epoch(told_at) + UPDATE_EVERY)

    def _put_failing(self, incident: Notification, digest: FailureDigest, **changes: Any) -> None:
        words = digest.words(self._titles)
        if words is not None:
            changes |= {"title": words[0], "message": words[1]}
        metadata = {**incident.metadata, **digest.record()}
        self._put(incident, metadata=metadata, **changes)
        if changes.get("is_open") is False:
            self._close_paused(incident)

    def _close_paused(self, failing: Notification) -> None:
        paused = self._find(paused_with(failing))
        if paused is not None:
            self.changed[paused.notification_id] = paused.resolved(now=self._now)

    def _completed(self, event: Event) -> None:
        ref = event.source_ref
        failing = self._incident_of(ref)
        if failing is None or not failing.is_open:
            return
        digest = FailureDigest.of(failing)
        if ref in digest.recovered or ref not in digest.since:
            return
        after = digest.with_success(ref, self._now)
        if after.failing:
            self._put_failing(failing, after)
        elif after.relapses:
            # It has come back before: its end is told once it has held.
            self._put_failing(failing, after, settles_at=self._now + RELAPSE_WITHIN)
        else:
            self._put_failing(failing, after, is_open=False, resolved_at=self._now)
            title, message = after.words_of_end(failing.created_at, self._titles)
            self._tell(
                event,
                Kind.RECOVERED,
                Severity.INFO,
                title,
                message,
                incident=failing.incident,
                is_open=False,
                metadata={
                    "run_id": event.data["run"]["run_id"],
                    "jobs": list(after.since),
                    "over": failing.severity,
                },
            )

    def _gone(self, event: Event) -> None:
        """A job that no longer exists fails no longer; that is no news."""
        failing = self._incident_of(event.source_ref)
        if failing is None or not failing.is_open:
            return
        after = FailureDigest.of(failing).without(event.source_ref)
        if after.failing:
            self._put_failing(failing, after)
        else:
            metadata = {**failing.metadata, **after.record()}
            self.changed[failing.notification_id] = failing.resolved(
                now=self._now, metadata=metadata
            )
            self._close_paused(failing)

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
                metadata={"run_id": event.data["run"]["run_id"], "over": before.severity},
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
        ref = event.source_ref
        failing = self._incident_of(ref)
        if failing is not None and failing.is_open and len(FailureDigest.of(failing).since) > 1:
            self._auto_paused_with_others(event, failing)
            return
        limit = event.data["job"]["spec"]["policy"]["auto_pause_after"]
        reason = event.data.get("reason") or f"{limit} slots in a row failed"
        self._tell(
            event,
            Kind.AUTO_PAUSED,
            Severity.ERROR,
            f"{self._titles(ref)} was paused",
            f"{reason}. {_PAUSED}",
            incident=f"paused:{ref}",
            is_open=False,
        )

    def _auto_paused_with_others(self, event: Event, failing: Notification) -> None:
        """Jobs that are paused for one cause share a notification, open while the cause is."""
        incident = paused_with(failing)
        before = self._find(incident)
        jobs = [*(() if before is None else before.metadata["jobs"]), event.source_ref]
        count = "1 job was" if len(jobs) == 1 else f"{len(jobs)} jobs were"
        title = f"{count} paused: {failing.title}"[:_TITLE_CHARS]
        metadata = {"jobs": list(dict.fromkeys(jobs))[:MOST_JOBS]}
        if before is None:
            self._tell(
                event,
                Kind.AUTO_PAUSED,
                Severity.ERROR,
                title,
                _PAUSED,
                incident=incident,
                metadata=metadata,
            )
        else:
            self._put(before, title=title, metadata=metadata, update_at=self._update_at(before))

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
