"""Where days, weeks and months begin, also where the clock changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from universal_agent.domain.calendar_days import View, day_start, days_of, view_bounds

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "around", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", 23.0),
        ("Europe/Berlin", "2026-10-25T12:00", 25.0),
        ("America/Havana", "2026-03-08T12:00", 23.0),
        ("America/Havana", "2026-11-01T12:00", 25.0),
        ("Australia/Lord_Howe", "2026-10-04T00:00", 23.5),
        ("Australia/Lord_Howe", "2026-04-05T00:00", 24.5),
        ("Pacific/Apia", "2011-12-29T20:00", 24.0),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, around: str, hours: float) -> None:
    start, end = view_bounds(View.DAY, at(around), ZoneInfo(zone))
    assert (end - start) / HOUR == hours


def test_a_day_whose_midnight_is_leapt_over_begins_right_after_the_leap() -> None:
    start = day_start(date(2026, 3, 8), ZoneInfo("America/Havana"))
    assert start == at("2026-03-08T05:00")
    assert start.astimezone(ZoneInfo("America/Havana")).hour == 1


def test_weeks_begin_on_sunday() -> None:
    zone = ZoneInfo("America/Chicago")
    for day in range(8, 15):
        start, end = view_bounds(View.WEEK, at(f"2026-02-{day:02}T18:00"), zone)
        assert (start, end) == (at("2026-02-08T06:00"), at("2026-02-15T06:00"))


def test_a_month_reaches_from_its_first_day_to_the_next_one() -> None:
    start, end = view_bounds(View.MONTH, at("2026-12-31T23:30"), ZoneInfo("UTC"))
    assert (start, end) == (at("2026-12-01T00:00"), at("2027-01-01T00:00"))


def test_a_date_that_a_zone_left_out_is_no_day() -> None:
    zone = ZoneInfo("Pacific/Apia")
    start, end = day_start(date(2011, 12, 29), zone), day_start(date(2012, 1, 1), zone)
    dates = [day["date"] for day in days_of(start, end, zone)]
    assert dates == ["2011-12-29", "2011-12-31"]


def test_a_day_tells_when_its_clock_changes_and_how() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    start, end = view_bounds(View.DAY, at("2026-10-04T00:00"), zone)
    (day,) = days_of(start, end, zone)
    (change,) = day["transitions"]
    assert change["at_utc"] == "2026-10-03T15:30:00+00:00"
    assert (change["offset_before_seconds"], change["offset_after_seconds"]) == (37800, 39600)


def test_days_touch_a_window_that_begins_and_ends_within_them() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    days = days_of(at("2026-02-10T12:00"), at("2026-02-11T18:20"), zone)
    assert [day["date"] for day in days] == ["2026-02-10", "2026-02-11", "2026-02-12"]
