"""Incidents of jobs that fail: one for each cause, whatever the number of jobs."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from universal_agent.domain.causes import cause_key
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.ending import EndClass
from universal_agent.domain.events import Event
from universal_agent.domain.failure_digest import MOST_JOBS, FailureDigest
from universal_agent.domain.notification_drafts import NotificationDrafts
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.reminders import RELAPSE_WITHIN, UPDATE_AFTER, UPDATE_EVERY
from universal_agent.domain.slot import from_epoch

#: Failures in a row after which a job's failure is notified.
FAILURES_TOLD = 2

#: What incidents of failing jobs begin with; their cause follows.
FAILING = "failing:"

_TITLE_CHARS = 200

_PAUSED = (
    "Its slots are skipped, and from time to time one runs as a probe. It goes on when a probe "
    "runs well, or when you resume it."
)


def paused_with(failing: Notification) -> str:
    """The incident of jobs that are paused while they share the incident of a failure."""
    return f"paused:{failing.notification_id}"


class FailureIncidents(NotificationDrafts):
    """Folds what becomes of jobs' runs."""

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
        is_outage = event.data["run"].get("end_class") not in (None, EndClass.FAILED)
        if in_a_row < FAILURES_TOLD or event.data.get("retry_at") is not None or is_outage:
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
