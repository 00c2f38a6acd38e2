"""The catalogue of the event log. The wire names appear here and nowhere else.

`data` is what a reader needs to follow without asking the tables: the calendar's projection is
built from these events alone.

| type | when | data |
| --- | --- | --- |
| cron_job_created | a job was made | job |
| cron_job_updated | a job was edited, paused or resumed | job, changed, effective_until, void, |
| | | reason |
| cron_job_deleted | a job was deleted | job_id, version, effective_until |
| cron_run_queued | a slot was admitted and waits for a worker | run, next_run_at |
| cron_run_started | a run was handed to its runner | run, next_run_at |
| cron_run_completed | a run ended in success | run |
| cron_run_failed | a run ended otherwise | run, retry_at, consecutive_failures |
| cron_run_cancel_requested | a run in execution was asked to end | run_id, event_id, reason, by |
| cron_retry_dropped | a further attempt that was planned will not be made | run, reason |
| cron_run_missed | slots were missed, as one span | the span, next_run_at |
| cron_run_skipped | a slot was decided not to run | the slot, reason, next_run_at |
| calendar_missed_resolved | missed slots were decided | action, by, note, spans, run_id, job_id |
| calendar_change_applied | a slot was skipped, moved or run early; undone | event_id, change, by |
| calendar_replanned | judgements of a job's slots to come were withdrawn | spans, slots, |
| | | outage_ids, next_run_at |
| clock_set_back | the clock had run ahead, and jobs were planned again | before, after, jobs, |
| | | slots |
| zone_rules_changed | a start found other rules for a zone | timezone, before, after, jobs |
| resource_cooldown_opened | a run ended for an outage of a resource | resource, cause, since, |
| | | until, is_named, ends, slots, run_id, error |
| resource_cooldown_prolonged | the outage goes on | as of resource_cooldown_opened |
| resource_cooldown_closed | it is over: a probe, an operator, or no use | as before; why, by |
| flag_changed | a flag was overridden, or an override taken back | name, value, override, by |
| pool_changed | a pool was made, resized or removed | name, size, origin, by |
| feed_token_created, feed_token_revoked | a token for calendar programs | name, by |
| notification_changed | a notification is new, changed, over or marked | notification_id, kind, |
| | | severity, title, about, is_open, notification_status, by |
| channel_changed | a channel of notifications was marked down, or is back | error |
| event_unreadable | stands for an event that cannot be read or written | type, problem |
| heartbeat_scheduled | a session's beats were planned, or planned otherwise | as of a job |
| heartbeat_removed | a session has no beats any more | as of a job |
| heartbeat_queued .. heartbeat_skipped | a beat; it goes the way of a run | as of a run; beat |
| heartbeat_wake_requested | somebody asked for a beat | mode, reason, by, run_id |
| session_created, session_deleted | a session was made, or deleted | workspace_dir, origin, by |
| session_turn_queued .. session_turn_failed | a turn; it goes the way of a run | run |

A session's beats are a job with the session's id, and a beat is a slot of it: their events have
the source `heartbeat`, and the data of the cron events that they correspond to.

`effective_until` is where the expectation of the version before ends, or the job's. `void` lists
the slots after it whose skip or move no longer holds; of a deleted job, and in events without
`void` where the job then expects other slots or none, that is all of them.

`next_run_at` is there when the event moved the job's high-water mark: the next slot that is not
yet decided. `spans` of a resolution are the missed spans as they now are; a span that was split
keeps its id for one part. A calendar_replanned withdraws judgements of slots that are to come
again: what `spans` do not have any more, or as a whole (status `withdrawn`), and skips of `slots`.
A cron_run_missed without `next_run_at` is about a slot that had been claimed before: its run was
interrupted or never started, or it was to start at another time.
"""

from collections.abc import Mapping
from enum import StrEnum


class EventType(StrEnum):
    """Every event's wire name."""

    CRON_JOB_CREATED = "cron_job_created"
    CRON_JOB_UPDATED = "cron_job_updated"
    CRON_JOB_DELETED = "cron_job_deleted"
    CRON_RUN_QUEUED = "cron_run_queued"
    CRON_RUN_STARTED = "cron_run_started"
    CRON_RUN_COMPLETED = "cron_run_completed"
    CRON_RUN_FAILED = "cron_run_failed"
    CRON_RUN_CANCEL_REQUESTED = "cron_run_cancel_requested"
    CRON_RETRY_DROPPED = "cron_retry_dropped"
    CRON_RUN_MISSED = "cron_run_missed"
    CRON_RUN_SKIPPED = "cron_run_skipped"
    HEARTBEAT_SCHEDULED = "heartbeat_scheduled"
    HEARTBEAT_REMOVED = "heartbeat_removed"
    HEARTBEAT_QUEUED = "heartbeat_queued"
    HEARTBEAT_STARTED = "heartbeat_started"
    HEARTBEAT_COMPLETED = "heartbeat_completed"
    HEARTBEAT_FAILED = "heartbeat_failed"
    HEARTBEAT_CANCEL_REQUESTED = "heartbeat_cancel_requested"
    HEARTBEAT_RETRY_DROPPED = "heartbeat_retry_dropped"
    HEARTBEAT_MISSED = "heartbeat_missed"
    HEARTBEAT_SKIPPED = "heartbeat_skipped"
    HEARTBEAT_WAKE_REQUESTED = "heartbeat_wake_requested"
    SESSION_CREATED = "session_created"
    SESSION_DELETED = "session_deleted"
    SESSION_TURN_QUEUED = "session_turn_queued"
    SESSION_TURN_STARTED = "session_turn_started"
    SESSION_TURN_CANCEL_REQUESTED = "session_turn_cancel_requested"
    SESSION_TURN_COMPLETED = "session_turn_completed"
    SESSION_TURN_FAILED = "session_turn_failed"
    CALENDAR_MISSED_RESOLVED = "calendar_missed_resolved"
    CALENDAR_CHANGE_APPLIED = "calendar_change_applied"
    CALENDAR_REPLANNED = "calendar_replanned"
    CLOCK_SET_BACK = "clock_set_back"
    ZONE_RULES_CHANGED = "zone_rules_changed"
    RESOURCE_COOLDOWN_OPENED = "resource_cooldown_opened"
    RESOURCE_COOLDOWN_PROLONGED = "resource_cooldown_prolonged"
    RESOURCE_COOLDOWN_CLOSED = "resource_cooldown_closed"
    FLAG_CHANGED = "flag_changed"
    POOL_CHANGED = "pool_changed"
    FEED_TOKEN_CREATED = "feed_token_created"  # noqa: S105 - a name
    FEED_TOKEN_REVOKED = "feed_token_revoked"  # noqa: S105
    NOTIFICATION_CHANGED = "notification_changed"
    CHANNEL_CHANGED = "channel_changed"
    EVENT_UNREADABLE = "event_unreadable"


#: The reason of a slot whose next attempt was planned and dropped; what dropped it follows a colon.
RETRY_DROPPED = "retry_dropped"

#: What a person decided or changed: the events of the audit.
AUDITED = (
    EventType.CRON_JOB_CREATED,
    EventType.CRON_JOB_UPDATED,
    EventType.CRON_JOB_DELETED,
    EventType.HEARTBEAT_SCHEDULED,
    EventType.HEARTBEAT_REMOVED,
    EventType.HEARTBEAT_WAKE_REQUESTED,
    EventType.SESSION_CREATED,
    EventType.SESSION_DELETED,
    EventType.CALENDAR_MISSED_RESOLVED,
    EventType.CALENDAR_CHANGE_APPLIED,
    EventType.FLAG_CHANGED,
    EventType.POOL_CHANGED,
    EventType.FEED_TOKEN_CREATED,
    EventType.FEED_TOKEN_REVOKED,
)

#: A job was created or changed; `effective_until` is where a change ended the version before.
JOB_PUT = (
    EventType.CRON_JOB_CREATED,
    EventType.CRON_JOB_UPDATED,
    EventType.HEARTBEAT_SCHEDULED,
)
JOB_GONE = (EventType.CRON_JOB_DELETED, EventType.HEARTBEAT_REMOVED)
SLOTS_MISSED = (EventType.CRON_RUN_MISSED, EventType.HEARTBEAT_MISSED)
#: A run, or a slot without one, was decided not to run.
SLOT_SKIPPED = (EventType.CRON_RUN_SKIPPED, EventType.HEARTBEAT_SKIPPED)
#: The cooldowns of resources.
COOLDOWNS = (
    EventType.RESOURCE_COOLDOWN_OPENED,
    EventType.RESOURCE_COOLDOWN_PROLONGED,
    EventType.RESOURCE_COOLDOWN_CLOSED,
)
#: A run waits for a worker.
RUN_QUEUED = (
    EventType.CRON_RUN_QUEUED,
    EventType.HEARTBEAT_QUEUED,
    EventType.SESSION_TURN_QUEUED,
)
#: A run has ended, one way or another.
RUN_ENDED = (
    EventType.CRON_RUN_COMPLETED,
    EventType.CRON_RUN_FAILED,
    EventType.CRON_RUN_SKIPPED,
    EventType.HEARTBEAT_COMPLETED,
    EventType.HEARTBEAT_FAILED,
    EventType.HEARTBEAT_SKIPPED,
    EventType.SESSION_TURN_COMPLETED,
    EventType.SESSION_TURN_FAILED,
)
#: A run in execution was asked to end, by its source.
CANCEL_REQUESTED: Mapping[str, EventType] = {
    "cron": EventType.CRON_RUN_CANCEL_REQUESTED,
    "heartbeat": EventType.HEARTBEAT_CANCEL_REQUESTED,
    "session": EventType.SESSION_TURN_CANCEL_REQUESTED,
}
#: These change nothing in the calendar.
ASIDE = (
    EventType.POOL_CHANGED,
    EventType.FEED_TOKEN_CREATED,
    EventType.FEED_TOKEN_REVOKED,
    EventType.FLAG_CHANGED,
    EventType.NOTIFICATION_CHANGED,
    EventType.CHANNEL_CHANGED,
    EventType.EVENT_UNREADABLE,
    EventType.CLOCK_SET_BACK,
    EventType.ZONE_RULES_CHANGED,
    *COOLDOWNS,
    EventType.SESSION_CREATED,
    EventType.SESSION_DELETED,
    EventType.HEARTBEAT_WAKE_REQUESTED,
    *CANCEL_REQUESTED.values(),
    EventType.SESSION_TURN_QUEUED,
    EventType.SESSION_TURN_STARTED,
    EventType.SESSION_TURN_COMPLETED,
    EventType.SESSION_TURN_FAILED,
)
