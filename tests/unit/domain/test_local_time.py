from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.local_time import (
    instant_at,
    instant_of,
    rounded_up,
    second_of,
    stretches_back_from,
    stretches_from,
)

ZONES = st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"}))
INSTANTS = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2120, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(ZONES, INSTANTS)
def test_a_stretch_has_the_zones_offset_from_its_first_to_its_last_second(
    timezone: str, instant: datetime
) -> None:
    zone, second = ZoneInfo(timezone), second_of(instant)
    stretch = next(stretches_from(timezone, second))
    assert stretch.start <= second < stretch.end
    for within in (stretch.start, second, stretch.end - 1):
        offset = instant_of(within).astimezone(zone).utcoffset()
        assert offset == timedelta(seconds=stretch.offset)


@given(ZONES, INSTANTS)
def test_stretches_follow_one_another_and_read_the_same_backwards(
    timezone: str, instant: datetime
) -> None:
    stretches = list(islice(stretches_from(timezone, second_of(instant)), 6))
    assert all(one.end == another.start for one, another in pairwise(stretches))
    back = list(islice(stretches_back_from(timezone, stretches[-1].start), 6))
    assert back == stretches[::-1]


@given(ZONES, INSTANTS)
def test_the_instant_of_a_reading_is_the_first_at_which_the_clock_shows_it_or_more(
    timezone: str, instant: datetime
) -> None:
    zone = ZoneInfo(timezone)
    wall = instant.astimezone(zone).replace(tzinfo=None, microsecond=0)
    found = instant_at(wall, timezone)
    assert found <= instant
    assert found.astimezone(zone).replace(tzinfo=None) == wall
    assert (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < wall


@given(INSTANTS)
def test_rounding_up_gives_the_first_whole_second_that_is_not_earlier(instant: datetime) -> None:
    second = rounded_up(instant)
    assert second.microsecond == 0
    assert timedelta(0) <= second - instant < timedelta(seconds=1)
