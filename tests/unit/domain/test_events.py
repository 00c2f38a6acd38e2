"""The wire bytes of every event, compared with a golden file."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from universal_agent.domain import events
from universal_agent.domain.cooldown import Closed, Cooldown
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event, NewEvent
from universal_agent.domain.job import Job, JobSpec, OffLabel, Policy
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.domain.pools import Origin, Pool
from universal_agent.domain.run import JobId, Run, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import CronSchedule, IntervalSchedule
from universal_agent.domain.session import Session
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import MissedRecord
from universal_agent.domain.system_event import WakeMode

GOLDEN = Path(__file__).with_name("golden_events.jsonl")

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
SLOT = datetime(2026, 11, 24, 12, tzinfo=UTC)
MARK = events.high_water(SLOT + timedelta(hours=1))
OUTAGE = "out_1"


def spec(source: Source) -> JobSpec:
    if source is Source.HEARTBEAT:
        return JobSpec(
            command="beat",
            runner="heartbeat",
            source=source,
            schedule=IntervalSchedule(timedelta(minutes=25), anchor=SLOT),
            metadata={"session_id": "s1"},
        )
    return JobSpec(
        command="df -h",
        runner="shell",
        source=source,
        schedule=CronSchedule("0 * * * *", "Europe/Berlin"),
        timezone="Europe/Berlin",
        title="Disks",
        user_id="ann",
        metadata={"session_id": "s1", "priority": "high"},
        policy=Policy(retries=2),
    )


def job(source: Source) -> Job:
    return Job(
        job_id=JobId("s1" if source is Source.HEARTBEAT else "job_1"),
        version=3,
        spec=spec(source),
        created_at=NOW - timedelta(days=1),
        effective_from=NOW - timedelta(hours=1),
        next_run_at=SLOT + timedelta(hours=1),
    )


def run(source: str, status: RunStatus) -> Run:
    return Run(
        run_id=RunId("run_1"),
        source=source,
        source_ref=JobId("job_1" if source == "cron" else "s1"),
        status=status,
        trigger=Trigger.SCHEDULE,
        attempt=2,
        scheduled_at=SLOT,
        has_slot=source != "session",
        job_version=3,
        queued_at=NOW,
        started_at=None if status is RunStatus.QUEUED else NOW,
        finished_at=NOW + timedelta(seconds=9) if status.is_final else None,
        error="exit code 1" if status is RunStatus.ERROR else None,
        reason="overlap" if status is RunStatus.SKIPPED else None,
        exit_code=1 if status is RunStatus.ERROR else None,
    )


def missed(source: Source) -> MissedRecord:
    return MissedRecord(
        missed_id="mis_1",
        source=source,
        source_ref=job(source).job_id,
        job_version=3,
        span=MissedSpan(SLOT - timedelta(hours=3), SLOT, MissedStatus.PENDING, 4),
        cause=Cause.PROCESS_DOWN,
        outage_id=OUTAGE,
        created_at=NOW,
        updated_at=NOW,
        useful_until=NOW + timedelta(hours=2),
        note="späť",
        decided_by="ann",
        run_id="run_1",
    )


def of_job(source: Source) -> list[NewEvent]:
    a_job, a_slot = job(source), SlotKey(source, job(source).job_id, SLOT)
    held = replace(a_job, spec=replace(a_job.spec, enabled=False, off_label=OffLabel.PAUSED))
    return [
        events.job_created(a_job, now=NOW),
        events.job_updated(
            held, now=NOW, changed=["enabled"], effective_until=NOW, void=[1], reason="why"
        ),
        events.job_deleted(a_job, now=NOW, effective_until=NOW),
        events.slot_skipped(a_slot, a_job.spec, "overlap", job_version=3, now=NOW, mark=dict(MARK)),
        events.slots_missed(missed(source), a_job.spec, now=NOW, mark=dict(MARK)),
        events.retry_dropped(run(source, RunStatus.ERROR), a_job.spec, "next_slot", now=NOW),
    ]


def made() -> list[NewEvent]:
    """One event of each kind that is made by a function of the module."""
    a_job = job(Source.CRON)
    a_slot = SlotKey(Source.CRON, a_job.job_id, SLOT)
    session = Session(
        session_id="s1", user_id="ann", workspace_dir="s1", created_at=NOW, last_active_at=NOW
    )
    runs = [
        events.run_changed(run(source, status), a_job.spec, now=NOW)
        for source in ("cron", "heartbeat", "session")
        for status in (
            RunStatus.QUEUED,
            RunStatus.RUNNING,
            RunStatus.SUCCESS,
            RunStatus.ERROR,
            RunStatus.SKIPPED,
        )
        if (source, status) != ("session", RunStatus.SKIPPED)
    ]
    told = Notification(
        notification_id="ntf_1",
        kind=Kind.FAILED,
        severity=Severity.ERROR,
        title="Disks fails",
        message="2 times in a row",
        source_ref="job_1",
        session_id=None,
        incident="failing:job_1",
        is_open=True,
        status=NotificationStatus.ACKNOWLEDGED,
        created_at=NOW,
        updated_at=NOW,
    )
    a_cooldown = Cooldown.opened(
        "https://api.example.com",
        run(Source.CRON, RunStatus.ERROR),
        Ending(kind=EndClass.RATE_LIMITED, until=NOW + timedelta(minutes=2)),
        now=NOW,
    )
    return [
        *of_job(Source.CRON),
        *of_job(Source.HEARTBEAT),
        *runs,
        events.run_changed(
            run("cron", RunStatus.ERROR),
            a_job.spec,
            now=NOW,
            retry_at=NOW + timedelta(seconds=30),
            mark=dict(MARK),
            consecutive_failures=2,
        ),
        events.missed_resolved(
            a_job.job_id,
            a_job.spec,
            now=NOW,
            action="approve",
            by="ann",
            note=None,
            spans=[missed(Source.CRON)],
            event_id=a_slot.event_id,
            run_id="run_2",
            new_job_id="job_2",
        ),
        events.slot_overridden(
            a_job, a_slot, "move", now=NOW, by="ann", move_to=NOW, next_run_at=None
        ),
        events.job_replanned(
            a_job, now=NOW, spans=[missed(Source.CRON)], slots=[1, 2], outage_ids=[OUTAGE]
        ),
        events.clock_set_back(before=NOW, now=NOW, jobs=1, slots=2),
        events.zone_rules_changed("Europe/Berlin", before="a", after="b", jobs=1, now=NOW),
        events.cooldown_opened(a_cooldown, now=NOW),
        events.cooldown_prolonged(a_cooldown, now=NOW),
        events.cooldown_closed(a_cooldown, Closed.OPERATOR, by="ann", now=NOW),
        events.flag_changed("sched_push", value=True, override=False, by="ann", now=NOW),
        events.pool_changed(
            Pool(name="browser", size=2, origin=Origin.OPERATOR), size=2, by="ann", now=NOW
        ),
        events.feed_token_created("phone", by="ann", now=NOW),
        events.feed_token_revoked("phone", by="ann", now=NOW),
        events.notification_changed(told, change="acknowledged", by="ann", now=NOW),
        events.channel_changed("mail", status="down", error="HTTP 403", now=NOW),
        events.session_created(session, now=NOW),
        events.session_deleted(session, by="ann", now=NOW),
        events.wake_requested(
            a_job, now=NOW, mode=WakeMode.NOW, reason=None, by="ann", run_id="run_1"
        ),
        *(
            events.cancel_requested(
                run(source, RunStatus.RUNNING), a_job.spec, reason="user", by="ann", now=NOW
            )
            for source in ("cron", "heartbeat", "session")
        ),
    ]


def envelope(seq: int, event: NewEvent) -> Mapping[str, Any]:
    return Event(seq=seq, **asdict(event)).envelope()


def test_the_bytes_of_every_event_are_those_of_the_golden_file() -> None:
    lines = [orjson.dumps(envelope(seq, event)) for seq, event in enumerate(made(), start=1)]
    assert lines == GOLDEN.read_bytes().splitlines()


def test_the_golden_file_has_an_event_of_every_type() -> None:
    types = {orjson.loads(line)["type"] for line in GOLDEN.read_bytes().splitlines()}
    assert set(EventType) - types == {EventType.EVENT_UNREADABLE}  # a stub, made elsewhere
