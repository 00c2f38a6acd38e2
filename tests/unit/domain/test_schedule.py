from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
    ScheduleKind,
    make_cron,
    make_interval,
    make_once,
    stable_jitter,
)
from universal_agent.errors import InvalidSchedule

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


NOON = utc(2026, 11, 24, 12)


def local_slots(expr: str, timezone: str, day: datetime) -> list[str]:
    """The slots of a date, as its wall clock shows them."""
    zone = ZoneInfo(timezone)
    start = day.replace(tzinfo=zone).astimezone(UTC)
    end = (day + DAY).replace(tzinfo=zone).astimezone(UTC)
    slots = make_cron(expr, timezone).slots(start - SECOND, end - SECOND)
    return [slot.astimezone(zone).strftime("%H:%M%z") for slot in slots]


def naive(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day)  # noqa: DTZ001 - a date on the wall


class TestClockChanges:
    def test_a_slot_inside_the_gap_runs_once_right_after_it(self) -> None:
        slots = local_slots("30 2 * * *", "Europe/Berlin", naive(2026, 3, 29))
        assert slots == ["03:00+0200"]

    def test_several_slots_inside_the_gap_and_one_at_its_end_are_one(self) -> None:
        slots = local_slots("0,20,40 2,3 * * *", "Europe/Berlin", naive(2026, 3, 29))
        assert slots == ["03:00+0200", "03:20+0200", "03:40+0200"]

    def test_a_slot_inside_the_repeated_hour_runs_once_the_first_time(self) -> None:
        slots = local_slots("30 2 * * *", "Europe/Berlin", naive(2026, 10, 25))
        assert slots == ["02:30+0200"]

    def test_a_wildcard_hour_follows_the_real_clock(self) -> None:
        spring = local_slots("0 * * * *", "Europe/Berlin", naive(2026, 3, 29))
        autumn = local_slots("0 * * * *", "Europe/Berlin", naive(2026, 10, 25))
        assert (len(spring), len(autumn)) == (23, 25)
        assert autumn[1:5] == ["01:00+0200", "02:00+0200", "02:00+0100", "03:00+0100"]

    def test_a_wildcard_minute_inside_the_gap_does_not_run(self) -> None:
        assert local_slots("*/30 2 * * *", "Europe/Berlin", naive(2026, 3, 29)) == []

    def test_a_range_of_hours_is_not_a_wildcard(self) -> None:
        slots = local_slots("0 0-23 * * *", "Europe/Berlin", naive(2026, 10, 25))
        assert len(slots) == 24

    def test_seconds_keep_to_the_same_rule(self) -> None:
        slots = make_cron("*/20 30 2 * * *", "Europe/Berlin").slots(
            utc(2026, 3, 29, 0), utc(2026, 3, 29, 12)
        )
        assert list(slots) == [utc(2026, 3, 29, 1)]

    def test_a_change_of_half_an_hour_loses_nothing(self) -> None:
        assert local_slots("45 1 * * *", "Australia/Lord_Howe", naive(2026, 4, 5)) == ["01:45+1100"]
        assert local_slots("15 2 * * *", "Australia/Lord_Howe", naive(2026, 10, 4)) == [
            "02:30+1100"
        ]
        hour = local_slots("*/10 3 * * *", "Australia/Lord_Howe", naive(2026, 10, 4))
        assert hour == [f"03:{minute}0+1100" for minute in range(6)]

    @pytest.mark.parametrize(
        ("timezone", "day"),
        [("America/Havana", naive(2026, 3, 8)), ("Africa/Cairo", naive(2026, 4, 24))],
    )
    def test_midnight_runs_at_one_where_the_clock_leaps_at_midnight(
        self, timezone: str, day: datetime
    ) -> None:
        assert [slot[:5] for slot in local_slots("@daily", timezone, day)] == ["01:00"]

    def test_midnight_runs_once_where_the_clock_is_set_back_at_midnight(self) -> None:
        zone = ZoneInfo("America/Sao_Paulo")
        start = datetime(2018, 2, 17, 12, tzinfo=zone)
        schedule = make_cron("0 0 * * *", "America/Sao_Paulo")
        found = schedule.slots(start.astimezone(UTC), start.astimezone(UTC) + DAY)
        assert [slot.astimezone(zone).isoformat() for slot in found] == [
            "2018-02-18T00:00:00-03:00"
        ]

    def test_ramadan_in_casablanca_runs_each_day_once(self) -> None:
        schedule = make_cron("30 2 * * *", "Africa/Casablanca")
        assert schedule.count(utc(2026, 1, 31, 12), utc(2026, 4, 30, 12)) == 28 + 31 + 30

    def test_a_day_that_the_calendar_left_out_has_no_slot(self) -> None:
        schedule = make_cron("0 9 * * *", "Pacific/Apia")
        zone = ZoneInfo("Pacific/Apia")
        found = schedule.slots(utc(2011, 12, 29), utc(2011, 12, 31, 12))
        assert [slot.astimezone(zone).day for slot in found] == [29, 31]


class TestExpressions:
    @pytest.mark.parametrize(
        ("expr", "after", "expected"),
        [
            ("0 0 29 2 *", utc(2026, 1, 1), utc(2028, 2, 29)),
            ("59 23 31 12 *", utc(2026, 12, 31, 23, 59), utc(2027, 12, 31, 23, 59)),
            ("0 0 L * *", utc(2026, 2, 1), utc(2026, 2, 28)),
            ("0 0 LW * *", utc(2026, 2, 1), utc(2026, 2, 27)),
            ("0 0 * * 5L", utc(2026, 11, 1), utc(2026, 11, 27)),
            ("0 0 * * MON#2", utc(2026, 11, 1), utc(2026, 11, 9)),
            ("0 0 * jan-mar sun", utc(2026, 11, 1), utc(2027, 1, 3)),
            ("0 0 * * 7", utc(2026, 11, 23), utc(2026, 11, 29)),
            ("30 0 9 * * *", NOON, utc(2026, 11, 25, 9, 0, 30)),
            ("*/7 * * * * *", NOON, utc(2026, 11, 24, 12, 0, 7)),
            ("@hourly", NOON, utc(2026, 11, 24, 13)),
            ("@daily", NOON, utc(2026, 11, 25)),
            ("@midnight", NOON, utc(2026, 11, 25)),
            ("@weekly", NOON, utc(2026, 11, 29)),
            ("@monthly", NOON, utc(2026, 12, 1)),
            ("@Yearly", NOON, utc(2027, 1, 1)),
            ("@annually", NOON, utc(2027, 1, 1)),
        ],
    )
    def test_an_expression_has_the_next_slot_that_its_fields_name(
        self, expr: str, after: datetime, expected: datetime
    ) -> None:
        assert make_cron(expr, "UTC").next_after(after) == expected

    def test_day_of_month_and_weekday_are_alternatives(self) -> None:
        found = make_cron("0 0 13 * FRI", "UTC").slots(utc(2026, 11, 1), utc(2026, 11, 30))
        assert [slot.day for slot in found] == [6, 13, 20, 27]

    def test_a_star_with_a_step_makes_day_and_weekday_both_necessary(self) -> None:
        found = make_cron("0 0 */2 * MON", "UTC").slots(utc(2026, 11, 1), utc(2026, 11, 30))
        assert [slot.day for slot in found] == [9, 23]

    def test_a_step_over_a_range_of_one_stays_in_it(self) -> None:
        found = make_cron("0 9-9/2 * * *", "UTC").slots(utc(2026, 11, 1), utc(2026, 11, 2))
        assert [slot.hour for slot in found] == [9]

    def test_spaces_are_made_single_and_the_rest_is_kept(self) -> None:
        assert make_cron("  0 \t 9  * * Mon-Fri ", "UTC").expr == "0 9 * * Mon-Fri"
        assert make_cron("@Daily", "UTC").expr == "@daily"

    @pytest.mark.parametrize("expr", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "* * */20 * 1L"])
    def test_a_date_that_never_comes_is_refused(self, expr: str) -> None:
        with pytest.raises(InvalidSchedule, match="never does") as caught:
            make_cron(expr, "UTC")
        assert caught.value.field == "cron_expr"

    def test_wildcard_minutes_of_an_hour_that_is_always_leapt_over_are_refused(self) -> None:
        with pytest.raises(InvalidSchedule, match="never does"):
            make_cron("*/5 2 * 3 SUN#2", "America/New_York")
        assert make_cron("*/5 2 * 3 SUN#2", "UTC").next_after(NOON) == utc(2027, 3, 14, 2)

    @pytest.mark.parametrize(
        ("expr", "sentence"),
        [
            ("", "expected a cron expression such as .* got ''"),
            ("* * * * " + "1," * 200 + "1", "at most 200 characters"),
            ("0 9 * *", "expected 5 fields .* got 4"),
            ("0 9 * * * * *", "expected 5 fields .* got 7"),
            ("60 9 * * *", "minute to be 0-59.* got '60'"),
            ("* 9 25 * * *", "hour to be 0-23.* got '25'"),
            ("0 9 * 13 *", "month to be 1-12.* got '13'"),
            ("0 9 * * 8", "day-of-week to be 0-7.* got '8'"),
            ("0 9 32 * *", "day-of-month to be 1-31.* got '32'"),
            ("*/0 * * * *", "minute .* got '\\*/0'"),
            ("0 9 * * mon-fun", "day-of-week .* got 'mon-fun'"),
            ("０ ９ * * *", "expected a cron expression"),
            ("@reboot", "@reboot has no time"),
            ("@often", "expected one of @yearly"),
            ("@every 5m", "a length of time after @every"),
            ("every day", "expected 5 fields"),
        ],
    )
    def test_a_refusal_says_what_was_expected_and_what_came(self, expr: str, sentence: str) -> None:
        with pytest.raises(InvalidSchedule, match=sentence) as caught:
            make_cron(expr, "UTC")
        assert caught.value.field == "cron_expr"

    @pytest.mark.parametrize(
        "timezone",
        ["", "Mars/Olympus", "America", "../etc/passwd", "/etc/localtime", "right/UTC", "a\0b"],
    )
    def test_an_unknown_zone_is_refused(self, timezone: str) -> None:
        with pytest.raises(InvalidSchedule, match="expected an IANA time zone") as caught:
            make_cron("0 9 * * *", timezone)
        assert caught.value.field == "timezone"

    @given(st.text(alphabet="0123456789*/,-#@LWlw monfriJAN\t\n", max_size=30))
    def test_any_text_is_a_schedule_or_refused(self, text: str) -> None:
        try:
            schedule = make_cron(text, "Europe/Berlin")
        except InvalidSchedule:
            return
        assert schedule.next_after(NOON) is not None
        assert schedule.describe().endswith(", Europe/Berlin")


SAMPLES: list[Schedule] = [
    make_cron("*/5 * * * *", "Europe/Berlin"),
    make_cron("30 2 * * *", "America/New_York"),
    make_cron("*/13 */7 * * * *", "Australia/Lord_Howe"),
    make_interval(timedelta(hours=7), NOON),
    make_interval(timedelta(minutes=90), utc(2026, 3, 1)),
    make_once(NOON),
]


class TestRanges:
    @given(
        st.sampled_from(SAMPLES),
        st.datetimes(datetime(2026, 3, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.timedeltas(timedelta(0), timedelta(days=3)),
    )
    def test_every_way_of_asking_agrees(
        self, schedule: Schedule, after: datetime, length: timedelta
    ) -> None:
        until = after + length
        slots = list(schedule.slots(after, until))
        assert slots == sorted(set(slots))
        assert all(after < slot <= until and slot.microsecond == 0 for slot in slots)
        assert all(slot.tzinfo is UTC for slot in slots)
        assert schedule.count(after, until) == len(slots)
        assert schedule.latest_at(until, after) == (slots[-1] if slots else None)
        chain, at = [], schedule.next_after(after)
        while at is not None and at <= until:
            chain.append(at)
            at = schedule.next_after(at)
        assert chain == slots

    @pytest.mark.parametrize("schedule", SAMPLES)
    def test_an_empty_range_has_no_slot(self, schedule: Schedule) -> None:
        at = schedule.next_after(utc(2026, 1, 1))
        assert at is not None
        assert list(schedule.slots(at, at)) == []
        assert schedule.count(at, at - DAY) == 0
        assert schedule.latest_at(at - SECOND, at - SECOND) is None

    def test_a_slot_is_in_a_range_that_ends_with_it_and_not_in_one_that_begins_with_it(
        self,
    ) -> None:
        schedule = make_cron("0 12 * * *", "UTC")
        assert list(schedule.slots(NOON - SECOND, NOON)) == [NOON]
        assert schedule.next_after(NOON) == NOON + DAY
        assert schedule.next_after(NOON - timedelta(microseconds=1)) == NOON

    def test_ninety_days_of_every_second_are_counted_at_once(self) -> None:
        schedule = make_cron("* * * * * *", "America/New_York")
        assert schedule.count(NOON, NOON + 90 * DAY) == 90 * 86_400
        assert schedule.latest_at(NOON + 90 * DAY, NOON) == NOON + 90 * DAY

    def test_slots_are_made_as_they_are_asked_for(self) -> None:
        forever = make_cron("* * * * *", "UTC").slots(NOON, utc(9000, 1, 1))
        assert list(islice(forever, 2)) == [
            NOON + timedelta(minutes=1),
            NOON + timedelta(minutes=2),
        ]

    def test_beyond_the_calendar_there_is_no_next_slot(self) -> None:
        end = datetime.max.replace(tzinfo=UTC)
        assert make_cron("* * * * *", "Europe/Berlin").next_after(end) is None
        assert make_interval(DAY, NOON).next_after(end) is None

    def test_long_before_the_epoch_there_is_a_next_slot(self) -> None:
        begin = datetime.min.replace(tzinfo=UTC)
        assert make_cron("0 0 * * *", "UTC").next_after(begin) == utc(1970, 1, 1)
        assert make_interval(DAY, NOON).next_after(begin) == NOON + DAY


class TestIntervals:
    def test_the_first_slot_is_one_interval_after_the_anchor(self) -> None:
        schedule = make_interval(timedelta(minutes=30), NOON)
        assert schedule.next_after(NOON - DAY) == NOON + timedelta(minutes=30)
        assert schedule.next_after(NOON) == NOON + timedelta(minutes=30)
        assert schedule.latest_at(NOON, NOON - DAY) is None

    def test_the_grid_does_not_drift(self) -> None:
        schedule = make_interval(timedelta(seconds=7), NOON)
        late = schedule.next_after(NOON + timedelta(days=365, microseconds=1))
        assert late is not None
        assert (late - NOON) % timedelta(seconds=7) == timedelta(0)

    def test_the_anchor_is_rounded_up_to_the_whole_second(self) -> None:
        anchor = make_interval(SECOND, NOON + timedelta(microseconds=1)).anchor
        assert anchor == NOON + SECOND
        assert make_interval(SECOND, NOON).anchor == NOON

    @pytest.mark.parametrize(
        "every", [timedelta(0), -SECOND, timedelta(milliseconds=1500), timedelta(days=3651)]
    )
    def test_a_bad_length_is_refused(self, every: timedelta) -> None:
        with pytest.raises(InvalidSchedule, match="from 1 second to 3650 days") as caught:
            make_interval(every, NOON)
        assert caught.value.field == "every"


class TestOneShots:
    def test_it_has_its_one_slot(self) -> None:
        schedule = make_once(NOON)
        assert schedule.next_after(NOON - SECOND) == NOON
        assert schedule.next_after(NOON) is None
        assert list(schedule.slots(NOON - DAY, NOON + DAY)) == [NOON]

    def test_its_instant_is_utc_and_rounded_up(self) -> None:
        berlin = datetime(2026, 11, 24, 13, 0, 0, 1, tzinfo=ZoneInfo("Europe/Berlin"))
        run_at = make_once(berlin).run_at
        assert run_at == NOON + SECOND
        assert run_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("schedule", "kind", "words"),
    [
        (
            CronSchedule("0 9 * * 1-5", "Europe/Berlin"),
            "cron",
            "at 09:00 on weekdays, Europe/Berlin",
        ),
        (CronSchedule("0 9 * * 0,6", "UTC"), "cron", "at 09:00 on weekends, UTC"),
        (CronSchedule("@hourly", "UTC"), "cron", "every hour on the hour, UTC"),
        (
            CronSchedule("0 9 22 * 5", "UTC"),
            "cron",
            "at 09:00 on the 22nd of every month or on Fridays, UTC",
        ),
        (IntervalSchedule(timedelta(minutes=30), NOON), "every", "every 30 minutes"),
        (IntervalSchedule(timedelta(minutes=90), NOON), "every", "every 1 hour 30 minutes"),
        (IntervalSchedule(timedelta(hours=1), NOON), "every", "every hour"),
        (IntervalSchedule(timedelta(days=1), NOON), "every", "every 24 hours"),
        (OneShotSchedule(NOON), "once", "once, on 2026-11-24 at 12:00 UTC"),
        (OneShotSchedule(NOON + SECOND), "once", "once, on 2026-11-24 at 12:00:01 UTC"),
    ],
)
def test_a_schedule_says_what_it_is(schedule: Schedule, kind: str, words: str) -> None:
    assert schedule.kind is ScheduleKind(kind)
    assert schedule.describe() == words


class TestJitter:
    def test_it_is_the_same_in_every_process(self) -> None:
        assert stable_jitter("job_1", 60) == timedelta(milliseconds=45_323)

    def test_no_jitter_is_none(self) -> None:
        assert stable_jitter("job_1", 0) == timedelta(0)

    @given(st.text(max_size=64), st.integers(1, 86_400))
    def test_it_is_whole_milliseconds_below_its_bound(self, job_id: str, seconds: int) -> None:
        jitter = stable_jitter(job_id, seconds)
        assert timedelta(0) <= jitter < timedelta(seconds=seconds)
        assert jitter % timedelta(milliseconds=1) == timedelta(0)

    def test_different_jobs_are_spread_over_the_jitter(self) -> None:
        assert len({stable_jitter(f"job_{n}", 60) for n in range(100)}) > 90
