"""Incidents: notifications folded from events.

An incident has one notification: further events of it update that notification, and its end is
notified once too.
"""

from dataclasses import replace

from universal_agent.domain.cooldown_words import back_words, down_words
from universal_agent.domain.ending import EndClass
from universal_agent.domain.event_types import COOLDOWNS, EventType
from universal_agent.domain.events import Event
from universal_agent.domain.failure_incidents import FailureIncidents
from universal_agent.domain.heartbeat import OVERRIDES_FILE
from universal_agent.domain.job import OffLabel
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.outage_digest import OutageDigest
from universal_agent.domain.slot import from_epoch

#: The incident of runs that planned stops have cut.
PLANNED_CUTS = "outages:planned"

#: Outages that one digest remembers.
_MOST_OUTAGES = 200

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
    *COOLDOWNS,
)


class IncidentFold(FailureIncidents):
    """Folds events into notifications, one batch at a time."""

    def fold(self, event: Event) -> None:
        """Fold one event."""
        match event.type:
            case EventType.CRON_RUN_MISSED | EventType.HEARTBEAT_MISSED:
                # Of a cooldown people know already.
                is_known = event.data["cause"] == Cause.COOLDOWN
                if event.status == MissedStatus.PENDING and not is_known:
                    self._missed(event)
            case EventType.CALENDAR_MISSED_RESOLVED:
                self._missed_resolved(event)
            case EventType.CRON_RUN_FAILED | EventType.HEARTBEAT_FAILED:
                if event.status in ("error", "timeout", "stalled"):
                    self._failed(event)
                elif event.data.get("is_poison"):
                    self._crash_loop(event)
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
            case EventType.RESOURCE_COOLDOWN_OPENED | EventType.RESOURCE_COOLDOWN_PROLONGED:
                self._resource_down(event)
            case EventType.RESOURCE_COOLDOWN_CLOSED:
                self._resource_back(event)
            case EventType.CLOCK_SET_BACK:
                self._clock_set_back(event)
            case EventType.ZONE_RULES_CHANGED:
                self._zone_rules_changed(event)

    def _missed(self, event: Event) -> None:
        """One digest for each outage, which grows while its misses come in.

        What planned stops cut is one line, also over several of them, and no warning.
        """
        data = event.data
        outage_id = data["outage_id"]
        is_cut = data["cause"] == Cause.INTERRUPTED and data.get("planned", False)
        incident = PLANNED_CUTS if is_cut else f"outage:{outage_id}"
        before = self._find(incident)
        if is_cut and before is None:
            before = self._reopened(self._recent_incident(incident))
        facts = OutageDigest.of(before.metadata if before else {}).with_miss(data, self._now)
        title, message = facts.words(self._titles(event.source_ref), is_planned=is_cut)
        metadata = facts.record()
        if is_cut:
            known = () if before is None else before.metadata["outages"]
            metadata["outages"] = list(dict.fromkeys([*known, outage_id]))[-_MOST_OUTAGES:]
        if before is None:
            self._tell(
                event,
                Kind.MISSED,
                Severity.INFO if is_cut else Severity.WARNING,
                title,
                message,
                incident=incident,
                metadata=metadata,
            )
        else:
            self._put(before, title=title, message=message, metadata=metadata)

    def _reopened(self, recent: Notification | None) -> Notification | None:
        """The line about the cuts of the last day, open again; nothing is delivered."""
        if recent is None:
            return None
        recent = self.changed.get(recent.notification_id, recent)
        return replace(recent, is_open=True, resolved_at=None)

    def _digest_of(self, outage_id: str) -> Notification | None:
        """The open digest that an outage is in."""
        digest = self._find(f"outage:{outage_id}")
        if digest is None:
            cuts = self._find(PLANNED_CUTS)
            if cuts is not None and outage_id in cuts.metadata["outages"]:
                digest = cuts
        return digest

    def _waits(self, digest: Notification, outage_id: str) -> bool:
        """Whether a slot of the digest waits for a decision."""
        return any(map(self._is_pending, digest.metadata.get("outages", [outage_id])))

    def _missed_resolved(self, event: Event) -> None:
        """A digest closes when none of its slots waits for a decision any more."""
        if event.data["action"] == "undo_delete":
            return
        spans = event.data["spans"]
        for outage_id in {span["outage_id"] for span in spans}:
            digest = self._digest_of(outage_id)
            if digest is None:
                continue
            expired = sum(
                span["count"]
                for span in spans
                if span["outage_id"] == outage_id and span["status"] == MissedStatus.EXPIRED
            )
            facts = {**digest.metadata, "expired": digest.metadata.get("expired", 0) + expired}
            if self._waits(digest, outage_id):
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
            digest = self._digest_of(outage_id)
            if digest is None:
                continue
            message = digest.message.removesuffix(_WITHDRAWN) + _WITHDRAWN
            if self._waits(digest, outage_id):
                self._put(digest, message=message)
            else:
                resolved = digest.resolved(now=self._now, message=message)
                self.changed[digest.notification_id] = resolved

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

    def _resource_down(self, event: Event) -> None:
        """One notification for each cooldown, which says how it stands."""
        incident = f"resource:{event.source_ref}"
        title, message = down_words(event.data)
        before = self._find(incident)
        if before is not None:
            self._put(before, title=title, message=message, metadata=event.data)
            return
        needs_person = event.data["cause"] == EndClass.REFUSED
        self._tell(
            event,
            Kind.RESOURCE_DOWN,
            Severity.ERROR if needs_person else Severity.WARNING,
            title,
            message,
            incident=incident,
            metadata=event.data,
        )

    def _resource_back(self, event: Event) -> None:
        incident = f"resource:{event.source_ref}"
        before = self._find(incident)
        if before is None:
            return
        self._close(before)
        title, message = back_words(event.data)
        self._tell(
            event,
            Kind.RECOVERED,
            Severity.INFO,
            title,
            message,
            incident=incident,
            is_open=False,
            metadata={**event.data, "over": before.severity},
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
