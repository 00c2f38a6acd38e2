"""The schedule against a crond that walks through every minute (tests/oracle).

`python bench/schedule_oracle.py --triples 1000000` is the long form.
"""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.cron_examples import ZONES, random_centre, random_expr
from tests.oracle.cron_oracle import slots
from tests.oracle.schedule_comparison import compare, differences
from universal_agent.domain import local_time
from universal_agent.domain.schedule import CronSchedule


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_the_schedule_agrees_with_a_walking_crond() -> None:
    _, found = compare(1_000, seed=1, zones=ZONES)
    assert found == []


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.sampled_from(ZONES))
def test_the_schedule_agrees_with_a_walking_crond_on_any_example(
    rng: random.Random, timezone: str
) -> None:
    expr, centre = random_expr(rng), random_centre(rng, timezone)
    assert list(differences(expr, timezone, centre, rng)) == []


@pytest.mark.parametrize(
    ("expr", "timezone", "centre"),
    [
        ("0 0 29 2 *", "UTC", utc(2028, 2, 29)),
        ("59 23 31 12 *", "Pacific/Chatham", utc(2027, 1, 1)),
        ("0 0 1 1 *", "Pacific/Apia", utc(2012, 1, 1)),
        ("*/20 * * * *", "Pacific/Apia", utc(2011, 12, 30, 10)),
        ("30 9 * * *", "Pacific/Apia", utc(2011, 12, 30, 10)),
        ("0 * * * *", "Asia/Kathmandu", utc(1985, 12, 31, 18)),
        ("15 0 * * *", "Africa/Cairo", utc(2026, 4, 23, 22)),
        ("30 23 * * *", "Africa/Cairo", utc(2026, 10, 29, 21)),
    ],
)
def test_the_schedule_agrees_at_the_edges_of_the_calendar(
    expr: str, timezone: str, centre: datetime
) -> None:
    assert list(differences(expr, timezone, centre, random.Random(0))) == []


def test_the_oracle_notices_a_schedule_without_rules_for_clock_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def naive(timezone: str, second: int) -> object:
        for stretch in local_time.stretches_from(timezone, second):
            opening = stretch.start + stretch.offset
            yield local_time.Stretch(stretch.start, stretch.end, stretch.offset, opening)

    monkeypatch.setattr("universal_agent.domain.schedule.stretches_from", naive)
    _, found = compare(600, seed=1, zones=["Europe/Berlin"])
    assert found


def test_the_oracle_runs_a_line_in_the_gap_right_after_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = utc(2026, 3, 29)
    assert slots("30 2 * * *", berlin, day, day + timedelta(hours=12)) == [utc(2026, 3, 29, 1)]


def test_the_oracle_runs_a_line_in_the_repeated_hour_the_first_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    day = utc(2026, 10, 25)
    assert slots("30 2 * * *", berlin, day, day + timedelta(hours=12)) == [utc(2026, 10, 25, 0, 30)]


def test_the_next_slot_of_a_seldom_date_is_found_after_forty_years() -> None:
    schedule = CronSchedule("0 0 * 2 MON#5", "UTC")
    assert schedule.next_after(utc(2073, 1, 1)) == utc(2112, 2, 29)
    assert schedule.latest_at(utc(2111, 1, 1), utc(2000, 1, 1)) == utc(2072, 2, 29)
