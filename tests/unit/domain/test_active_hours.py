"""When are heartbeats allowed? Against an oracle that walks through the day minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.errors import InvalidInput

ZONES = ("UTC", "Europe/Berlin", "America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu")

#: The clocks go forward and back: Berlin, Chicago, Lord Howe (by half an hour).
DAYS = (
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2026, 3, 7, 12, tzinfo=UTC),
    datetime(2026, 10, 31, 12, tzinfo=UTC),
    datetime(2026, 4, 4, 6, tzinfo=UTC),
    datetime(2026, 10, 3, 6, tzinfo=UTC),
    datetime(2026, 7, 1, tzinfo=UTC),
)

CLOCK_TIMES = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]


def readings(start: str, end: str) -> set[str]:
    """Every reading of a clock from `start` up to `end`, told minute by minute."""
    active = set()
    at = CLOCK_TIMES.index(start)
    while True:
        active.add(CLOCK_TIMES[at])
        at = (at + 1) % len(CLOCK_TIMES)
        if CLOCK_TIMES[at] == end.replace("24:00", "00:00"):
            return active


@given(
    start=st.sampled_from(CLOCK_TIMES),
    end=st.sampled_from([*CLOCK_TIMES, "24:00"]),
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(DAYS),
    second=st.integers(0, 59),
)
@example(start="02:30", end="03:30", zone="Europe/Berlin", day=DAYS[0], second=59)
@example(start="02:15", end="02:45", zone="Europe/Berlin", day=DAYS[1], second=0)
@example(start="00:00", end="24:00", zone="UTC", day=DAYS[6], second=0)
def test_active_hours_are_the_readings_that_an_oracle_walks_through(
    start: str, end: str, zone: str, day: datetime, second: int
) -> None:
    assume(start != end)
    hours = ActiveHours.parse(f"{start}-{end}")
    active = readings(start, end)
    for minute in range(0, 26 * 60, 7):
        instant = day + timedelta(minutes=minute, seconds=second)
        shown = f"{instant.astimezone(ZoneInfo(zone)):%H:%M}"
        assert hours.contain(instant, timezone=zone) is (shown in active), shown


def test_the_start_is_in_and_the_end_is_out_to_the_second() -> None:
    hours = ActiveHours.parse("08:00-22:00")
    day = datetime(2026, 7, 1, tzinfo=UTC)
    seconds = {at: day + timedelta(seconds=at) for at in (28_799, 28_800, 79_199, 79_200)}
    inside = [at for at, instant in seconds.items() if hours.contain(instant, timezone="UTC")]
    assert inside == [28_800, 79_199]


def test_hours_in_a_gap_of_the_clock_are_no_time_and_repeated_ones_count_twice() -> None:
    hours = ActiveHours.parse("02:00-03:00")

    def active_minutes(day: datetime) -> int:
        minutes = (day + timedelta(minutes=minute) for minute in range(24 * 60))
        return sum(hours.contain(minute, timezone="Europe/Berlin") for minute in minutes)

    assert active_minutes(datetime(2026, 3, 28, 12, tzinfo=UTC)) == 0
    assert active_minutes(datetime(2026, 10, 24, 12, tzinfo=UTC)) == 120


@pytest.mark.parametrize("text", ["08:00-08:00", "00:00-00:00", "24:00-24:00"])
def test_pitfall_22_equal_ends_of_active_hours_are_refused_and_never_mean_never(text: str) -> None:
    with pytest.raises(InvalidInput, match="active_hours: expected a start") as refused:
        ActiveHours.parse(text)
    assert refused.value.field == "active_hours"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8-22",
        "08:00",
        "08:00-25:00",
        "08:00-24:01",
        "24:00-08:00",
        "08:60-09:00",
        "٠8:00-09:00",
    ],
)
def test_hours_that_no_clock_shows_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^UA_X: expected") as refused:
        ActiveHours.parse(text, field="UA_X")
    assert refused.value.field == "UA_X"


@given(st.text(max_size=20))
def test_any_text_is_hours_or_refused(text: str) -> None:
    try:
        hours = ActiveHours.parse(text)
    except InvalidInput:
        return
    assert ActiveHours.parse(str(hours)) == hours
