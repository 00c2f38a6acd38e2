"""Descriptions of schedules are made from their slots, and are read back to the same schedule."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.oracle.cron_examples import ZONES, random_expr
from universal_agent.domain.cron_fields import CronFields
from universal_agent.domain.cron_text import parse_cron
from universal_agent.domain.phrases import parse_schedule
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    Schedule,
    make_cron,
    make_interval,
    make_once,
)
from universal_agent.errors import InvalidSchedule

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def read_back(schedule: Schedule) -> Schedule:
    """What the description of a schedule means, in a zone that it does not name."""
    return parse_schedule(schedule.describe(), now=NOW, timezone="Pacific/Chatham").schedule


def slots(schedule: Schedule) -> list[datetime]:
    """Slots from several times of the coming years."""
    starts = (NOW, NOW + timedelta(days=115), NOW + timedelta(days=327), NOW + timedelta(days=900))
    return [slot for start in starts for slot in islice(_coming(schedule, start), 25)]


def _coming(schedule: Schedule, after: datetime) -> "list[datetime]":
    found: list[datetime] = []
    slot = schedule.next_after(after)
    while slot is not None and len(found) < 25:
        found.append(slot)
        slot = schedule.next_after(slot)
    return found


def fields_of(schedule: Schedule) -> CronFields:
    assert isinstance(schedule, CronSchedule)
    return parse_cron(schedule.expr).fields


def assert_read_back(expr: str, timezone: str) -> None:
    schedule = make_cron(expr, timezone)
    again = read_back(schedule)
    assert isinstance(again, CronSchedule), schedule.describe()
    assert again.timezone == timezone
    one, other = fields_of(schedule), fields_of(again)
    assert (one.times, one.fixed) == (other.times, other.fixed), (expr, schedule.describe(), again)
    assert slots(schedule) == slots(again), (expr, schedule.describe(), again.expr)


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.sampled_from(ZONES))
def test_the_description_of_any_expression_is_read_back_to_the_same_slots(
    rng: object, timezone: str
) -> None:
    try:
        expr = random_expr(rng)  # type: ignore[arg-type]
        make_cron(expr, timezone)
    except InvalidSchedule:
        return
    assert_read_back(expr, timezone)


@pytest.mark.parametrize(
    "expr",
    [
        "0 9 25 12 *",
        "0 8 29 2 *",
        "0 0 1,15 jan,jul *",
        "0 9 22 * 5",
        "0 9 1,L * 1#1,5L,3",
        "0 0 */32,1-7 * MON",
        "0 0 1-7 * */8,1",
        "0 0 L-3,15W,LW * *",
        "0 0 L-1 * *",
        "0 9 * 3 1#2,3#2,1#3,3#3",
        "*/10 22-6 * * *",
        "*/7 * * * *",
        "*/13 */7 * * * *",
        "0 */24 * * *",
        "0 0-23 * * *",
        "0-59 0-23 * * *",
        "0 */5 * * *",
        "* 9 * * *",
        "0 * * * * mon",
        "* * * * * *",
        "30 */5 * * * *",
        "09:30,17:00 * * 1-5",
        "09:00-17:00/30m * * *",
        "22:00-06:00/90m * * *",
        "0 9 * * 1 every 2 weeks from 2026-11-30",
        "0 9 * * * every 3 days from 2026-12-01",
        "0 9 * * 1-5 from 2026-12-24T10:00",
        "0 9 * * * from 2026-12-24",
        "@yearly",
        "@weekdays",
        "0 9 * 1-3 *",
        "0 9 * 1-3,12 6,0",
    ],
)
@pytest.mark.parametrize("timezone", ["UTC", "America/Argentina/Buenos_Aires", "CET"])
def test_descriptions_of_unusual_expressions_are_read_back(expr: str, timezone: str) -> None:
    assert_read_back(expr.replace("0 * * * * mon", "0 0 * * * mon"), timezone)


@given(st.integers(1, 315_360_000))
@example(1)
@example(86_400)
def test_the_description_of_an_interval_is_read_back(seconds: int) -> None:
    schedule = make_interval(timedelta(seconds=seconds), NOW)
    again = read_back(schedule)
    assert isinstance(again, IntervalSchedule)
    assert again == schedule


@given(st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_description_of_a_one_shot_is_read_back(at: datetime) -> None:
    schedule = make_once(at)
    assert read_back(schedule) == schedule
