"""What stands in the calendar, made from facts by hand."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from universal_agent.domain.calendar import Feed, build_feed
from universal_agent.domain.calendar_facts import CalendarFacts, CalendarSlot, HourCount, Window
from universal_agent.domain.calendar_row import JobFact, job_part, row_document
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.job import JobSpec, OffLabel
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.schedule import Schedule, make_cron, make_interval, make_once
from universal_agent.domain.slot import Source, epoch
from universal_agent.domain.stasis import MissedRecord

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
HOURLY = make_interval(HOUR, NOON - 100 * DAY)
EACH_SECOND = make_interval(timedelta(seconds=1), NOON - 100 * DAY)


def a_job(
    schedule: Schedule = HOURLY, *, next_run_at: datetime | None = NOON + HOUR, **fields: Any
) -> JobFact:
    deleted = fields.pop("deleted", False)
    spec = JobSpec(command="true", runner="shell", schedule=schedule, **fields)
    return JobFact(job_id="job_a", version=1, spec=spec, next_run_at=next_run_at, deleted=deleted)


def a_slot(at: datetime, outcome: str = "success", **fields: Any) -> CalendarSlot:
    slot = CalendarSlot("cron", "job_a", epoch(at), outcome, None, "run_1", 2.5)
    return slot._replace(**fields)


def a_miss(
    first: datetime,
    last: datetime,
    status: MissedStatus = MissedStatus.PENDING,
    cause: Cause = Cause.PROCESS_DOWN,
    **fields: Any,
) -> MissedRecord:
    record = MissedRecord(
        missed_id="mis_1",
        source=Source.CRON,
        source_ref="job_a",
        job_version=1,
        span=MissedSpan(first, last, status, 1 + (last - first) // HOUR),
        cause=cause,
        outage_id="out_1",
        created_at=last,
        updated_at=last,
    )
    return replace(record, **fields)


def feed_of(
    job: JobFact,
    *,
    window: Window | None = None,
    slots: tuple[CalendarSlot, ...] = (),
    hours: tuple[HourCount, ...] = (),
    missed: tuple[MissedRecord, ...] = (),
    taken: tuple[CalendarSlot, ...] = (),
) -> Feed:
    facts = CalendarFacts(
        jobs={job.job_id: job},
        slots=slots,
        hours=hours,
        missed=missed,
        specs={(job.job_id, 1): job.spec},
        taken=taken,
        version=7,
        last_event_at=None,
    )
    return build_feed(facts, window or a_window())


def a_window(start: datetime = NOON - 3 * HOUR, end: datetime = NOON + 3 * HOUR) -> Window:
    return Window(start=start, end=end, zone=UTC_ZONE)


def shown(feed: Feed) -> list[tuple[int, str]]:
    """(hours from noon, status) of each row."""
    return [((row.at - epoch(NOON)) // 3600, row.status) for row in feed.rows]


def counts(feed: Feed) -> Counter[str]:
    """What the hours of the one frequent job add up to."""
    (row,) = feed.always_running
    total: Counter[str] = Counter()
    for _, of_hour in row.hours:
        total.update(of_hour)
    return total


# -- which slots, with which status


def test_slots_at_the_start_of_the_window_are_in_it_and_those_at_its_end_are_not() -> None:
    feed = feed_of(a_job(next_run_at=NOON), window=a_window(NOON, NOON + 2 * HOUR))
    assert shown(feed) == [(0, "scheduled"), (1, "scheduled")]


def test_the_past_is_what_was_recorded_and_the_future_what_is_expected() -> None:
    feed = feed_of(a_job(), slots=(a_slot(NOON - HOUR), a_slot(NOON, "running")))
    assert shown(feed) == [(-1, "success"), (0, "running"), (1, "scheduled"), (2, "scheduled")]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("queued", "scheduled"),
        ("running", "running"),
        ("success", "success"),
        ("error", "failed"),
        ("timeout", "failed"),
        ("cancelled", "failed"),
        ("interrupted", "missed"),
        ("missed", "missed"),
        ("skipped", "disabled"),
        ("moved", "scheduled"),
    ],
)
def test_each_outcome_has_one_status_and_keeps_its_own_word(outcome: str, status: str) -> None:
    (row,) = feed_of(a_job(next_run_at=None), slots=(a_slot(NOON, outcome),)).rows
    assert (row.status, row.run_status) == (status, outcome)


def test_a_slot_decided_ahead_of_its_time_is_listed_once() -> None:
    skipped = a_slot(NOON + 2 * HOUR, "skipped", run_id=None, duration_seconds=None)
    feed = feed_of(a_job(), slots=(skipped,))
    assert shown(feed) == [(1, "scheduled"), (2, "disabled")]


def test_each_slot_of_a_missed_span_is_listed_but_for_those_with_a_record() -> None:
    feed = feed_of(
        a_job(next_run_at=None),
        slots=(a_slot(NOON - HOUR, "skipped"),),
        missed=(a_miss(NOON - 2 * HOUR, NOON),),
    )
    assert shown(feed) == [(-2, "missed"), (-1, "disabled"), (0, "missed")]


@pytest.mark.parametrize(
    "status",
    [
        MissedStatus.RESCHEDULED,
        MissedStatus.DELETED,
        MissedStatus.SUPERSEDED,
        MissedStatus.EXPIRED,
    ],
)
def test_what_was_resolved_without_a_run_is_left_out_unless_asked_for(
    status: MissedStatus,
) -> None:
    missed = (a_miss(NOON - HOUR, NOON, status),)
    job = a_job(next_run_at=None)
    assert feed_of(job, missed=missed).rows == []
    window = replace(a_window(), include_resolved=True)
    rows = feed_of(job, missed=missed, window=window).rows
    assert [row.resolution for row in rows] == [status, status]


def test_a_slot_that_was_approved_shows_its_run() -> None:
    feed = feed_of(
        a_job(next_run_at=None),
        slots=(a_slot(NOON),),
        missed=(a_miss(NOON, NOON, MissedStatus.APPROVED_AND_RUN),),
    )
    assert shown(feed) == [(0, "success")]


def test_of_a_slot_that_was_missed_twice_the_open_miss_counts() -> None:
    approved = a_miss(NOON, NOON, MissedStatus.APPROVED_AND_RUN)
    again = a_miss(NOON, NOON, cause=Cause.INTERRUPTED, missed_id="mis_2")
    for missed in ((approved, again), (again, approved)):
        feed = feed_of(a_job(next_run_at=None), slots=(a_slot(NOON, "interrupted"),), missed=missed)
        assert shown(feed) == [(0, "missed")]
        assert len(feed.stasis) == 1


def test_slots_closed_by_policy_are_shown_as_skipped() -> None:
    missed = (a_miss(NOON, NOON, MissedStatus.SKIPPED),)
    (row,) = feed_of(a_job(next_run_at=None), missed=missed).rows
    assert (row.status, row.run_status, row.reason) == ("disabled", "skipped", "on_miss")


def test_nothing_is_capped_in_62_days_of_a_slot_every_five_minutes() -> None:
    schedule = make_interval(timedelta(minutes=5), NOON)
    job = a_job(schedule, next_run_at=NOON + timedelta(minutes=5))
    feed = feed_of(job, window=a_window(NOON, NOON + 62 * DAY))
    assert len(feed.rows) == 62 * 288 - 1
    assert feed.always_running == []


def test_only_the_owner_that_is_asked_for_is_shown() -> None:
    window = replace(a_window(), owner_id="somebody")
    assert feed_of(a_job(user_id="somebody"), window=window).rows
    missed = (a_miss(NOON, NOON),)
    other = feed_of(a_job(user_id="another"), window=window, missed=missed)
    assert (other.rows, other.stasis) == ([], [])


# -- frequent jobs


@pytest.mark.parametrize(
    ("schedule", "frequent"),
    [
        (make_interval(timedelta(minutes=5), NOON), False),
        (make_interval(timedelta(minutes=4), NOON), True),
        (make_interval(timedelta(minutes=4), NOON + 5000 * DAY), True),
        (make_cron("* * * * *", "Europe/Berlin"), True),
        (make_cron("*/5 * * * *", "Europe/Berlin"), False),
        (make_cron("* 9-17 * * sat", "UTC"), True),
        (make_cron("* * 1 3 *", "UTC"), True),
        (make_cron("0 9 * * *", "UTC"), False),
        (make_once(NOON + DAY), False),
    ],
)
def test_more_than_288_slots_on_some_day_are_frequent(schedule: Schedule, frequent: bool) -> None:
    assert is_frequent(schedule) is frequent


def test_a_frequent_job_is_one_row_that_counts_what_was_recorded_missed_and_comes() -> None:
    feed = feed_of(
        a_job(EACH_SECOND, next_run_at=NOON),
        hours=(
            HourCount(source_ref="job_a", hour=epoch(NOON - HOUR), outcome="success", count=3500),
            HourCount(source_ref="job_a", hour=epoch(NOON - HOUR), outcome="error", count=50),
        ),
        missed=(a_miss(NOON - timedelta(seconds=50), NOON - timedelta(seconds=1)),),
    )
    assert feed.rows == []
    (row,) = feed.always_running
    assert row.document(UTC_ZONE)["hourly"][0] == {
        "start_utc": "2026-01-14T11:00:00+00:00",
        "counts": {"failed": 50, "missed": 50, "success": 3500},
    }
    assert counts(feed)["scheduled"] == 3 * 3600


def test_no_slot_of_a_frequent_job_is_counted_twice() -> None:
    early = a_slot(NOON + HOUR, "success", summed=True)
    feed = feed_of(
        a_job(EACH_SECOND, next_run_at=NOON),
        hours=(HourCount(source_ref="job_a", hour=epoch(NOON + HOUR), outcome="success", count=1),),
        taken=(early,),
    )
    assert counts(feed) == {"success": 1, "scheduled": 3 * 3600 - 1}


def test_the_next_slot_of_a_frequent_job_is_one_that_nobody_has_decided() -> None:
    taken = tuple(a_slot(NOON + timedelta(seconds=n), "skipped", summed=True) for n in (0, 1))
    (row,) = feed_of(a_job(EACH_SECOND, next_run_at=NOON), taken=taken).always_running
    assert row.document(UTC_ZONE)["next_run_at_utc"] == "2026-01-14T12:00:02+00:00"


def test_a_slot_that_a_frequent_version_ran_early_is_not_listed_for_the_next_version() -> None:
    early = a_slot(NOON + HOUR, "success", summed=True)
    count = HourCount(source_ref="job_a", hour=epoch(NOON + HOUR), outcome="success", count=1)
    feed = feed_of(a_job(), hours=(count,), taken=(early,))
    assert shown(feed) == [(2, "scheduled")]
    assert counts(feed) == {"success": 1}


def test_a_frequent_job_that_is_asked_for_by_name_is_listed_slot_by_slot() -> None:
    window = replace(a_window(NOON, NOON + HOUR), source_ref="job_a")
    feed = feed_of(a_job(EACH_SECOND, next_run_at=NOON + timedelta(seconds=5)), window=window)
    assert len(feed.rows) == 3595
    assert feed.always_running == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "scheduled"),
        ({"enabled": False, "off_label": OffLabel.PAUSED}, "paused"),
        ({"enabled": False, "off_label": OffLabel.AUTO_PAUSED}, "paused"),
        ({"enabled": False, "off_label": OffLabel.DISABLED}, "disabled"),
    ],
)
def test_a_frequent_job_says_whether_it_is_on(fields: dict[str, Any], status: str) -> None:
    job = a_job(EACH_SECOND, next_run_at=None, **fields)
    (row,) = feed_of(job).always_running
    document = row.document(UTC_ZONE)
    assert (document["status"], document["hourly"]) == (status, [])


def test_a_deleted_frequent_job_has_a_row_only_for_what_was_recorded_of_it() -> None:
    job = a_job(EACH_SECOND, next_run_at=None, deleted=True)
    assert feed_of(job).always_running == []
    count = HourCount(source_ref="job_a", hour=epoch(NOON), outcome="success", count=9)
    (row,) = feed_of(job, hours=(count,)).always_running
    assert row.document(UTC_ZONE)["actions"] == []


# -- days with a clock change


@pytest.mark.parametrize(
    ("zone", "start", "end", "slots"),
    [
        # Berlin leaps over 02:30; it runs right after the leap.
        ("Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z", ["2026-03-29T01:00"]),
        # Berlin has 02:30 twice; it runs the first time.
        ("Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z", ["2026-10-25T00:30"]),
        # Havana leaps from midnight to 01:00.
        ("America/Havana", "2026-03-08T05:00Z", "2026-03-09T04:00Z", ["2026-03-08T06:30"]),
        # Lord Howe turns its clock by half an hour, from 02:00 to 02:30.
        ("Australia/Lord_Howe", "2026-10-03T13:30Z", "2026-10-04T13:00Z", ["2026-10-03T15:30"]),
        # Apia had no 30 December 2011: the day after the 29th is the 31st.
        (
            "Pacific/Apia",
            "2011-12-29T10:00Z",
            "2011-12-31T10:00Z",
            ["2011-12-29T12:30", "2011-12-30T12:30"],
        ),
    ],
)
def test_a_daily_slot_comes_once_on_a_day_with_a_clock_change(
    zone: str, start: str, end: str, slots: list[str]
) -> None:
    begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
    job = a_job(make_cron("30 2 * * *", zone), next_run_at=begins - 30 * DAY)
    job = replace(job, next_run_at=job.spec.schedule.next_after(begins - DAY))
    feed = feed_of(job, window=a_window(begins, ends))
    found = [datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M") for row in feed.rows]
    assert found == slots


def test_hours_are_counted_in_utc_on_a_day_of_25_hours() -> None:
    start, end = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    job = a_job(make_cron("* * * * *", "Europe/Berlin"), next_run_at=start)
    (row,) = feed_of(job, window=a_window(start, end)).always_running
    assert [of_hour for _, of_hour in row.hours] == [{"scheduled": 60}] * 25


# -- stasis


def test_spans_of_one_outage_are_one_item_and_stand_outside_any_window() -> None:
    early = a_miss(NOON - 50 * HOUR, NOON - 45 * HOUR)
    late = a_miss(NOON - 40 * HOUR, NOON - 30 * HOUR, missed_id="mis_2", job_version=1)
    ((row, item),) = feed_of(a_job(), missed=(early, late)).stasis
    assert item["group"] == {
        "count": 6 + 11,
        "first_scheduled_at_utc": (NOON - 50 * HOUR).isoformat(),
        "last_scheduled_at_utc": (NOON - 30 * HOUR).isoformat(),
    }
    assert item["event_id"] == row.event_id == late.event_id


# -- the wire form


def test_a_row_without_a_zone_has_no_local_fields() -> None:
    job = a_job()
    (row, *_) = feed_of(job).rows
    utc = row_document(row, job.spec, None, job_part(job.spec))
    local = row_document(row, job.spec, ZoneInfo("Europe/Berlin"), job_part(job.spec))
    assert local.keys() - utc.keys() == {"scheduled_at_local", "timezone_display"}
    assert local["scheduled_at_local"] == "2026-01-14T14:00:00+01:00"


@pytest.mark.parametrize(
    ("slot", "fields", "actions"),
    [
        (a_slot(NOON), {}, ["run_now", "pause", "disable", "open_logs"]),
        (a_slot(NOON), {"enabled": False}, ["run_now", "resume", "disable", "open_logs"]),
        (
            a_slot(NOON, "interrupted"),
            {"metadata": {"session_id": "s1"}},
            [
                "approve_backfill_run",
                "reschedule",
                "delete_missed",
                "open_logs",
                "open_session",
            ],
        ),
        (a_slot(NOON), {"deleted": True}, ["open_logs"]),
    ],
)
def test_actions_are_those_that_can_be_done(
    slot: CalendarSlot, fields: dict[str, Any], actions: list[str]
) -> None:
    job = a_job(next_run_at=None, **fields)
    (row,) = feed_of(job, slots=(slot,)).rows
    assert row_document(row, job.spec, None, job_part(job.spec))["actions"] == actions
