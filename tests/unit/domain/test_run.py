from dataclasses import replace
from datetime import UTC, datetime, timedelta

from universal_agent.domain.run import JobId, Run, RunId, RunStatus, Trigger

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

RUN = Run(
    run_id=RunId("run_1"),
    source="cron",
    source_ref=JobId("job_1"),
    status=RunStatus.QUEUED,
    trigger=Trigger.SCHEDULE,
    attempt=1,
    scheduled_at=NOON,
    has_slot=True,
    job_version=1,
    queued_at=NOON,
)


def test_a_run_that_never_started_has_no_duration() -> None:
    assert replace(RUN, finished_at=NOON).duration is None
    assert replace(RUN, started_at=NOON).duration is None
    ended = replace(RUN, started_at=NOON, finished_at=NOON + timedelta(seconds=90))
    assert ended.duration == timedelta(seconds=90)


def test_a_run_goes_by_the_event_id_of_its_slot() -> None:
    assert RUN.event_id == f"cron|job_1|{int(NOON.timestamp())}"
    asked = replace(RUN, has_slot=False, scheduled_at=NOON + timedelta(milliseconds=700))
    assert asked.event_id == RUN.event_id
