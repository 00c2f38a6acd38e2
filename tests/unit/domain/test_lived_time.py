from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.lived_time import BELIEVED_AFTER, LivedTime

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def after(lived: LivedTime, ran: timedelta, leap: timedelta = timedelta()) -> LivedTime:
    return lived.moved_on(lived.seen_at + ran + leap, ran=ran.total_seconds())


def test_time_that_the_gateway_ran_is_trusted() -> None:
    assert after(LivedTime(NOON), 3 * DAY).trusted == NOON + 3 * DAY


def test_a_leap_is_not_trusted_before_the_gateway_has_run_for_long() -> None:
    lived = after(LivedTime(NOON), HOUR, leap=400 * DAY)
    assert lived.trusted == NOON + HOUR
    lived = after(lived, BELIEVED_AFTER - HOUR)
    assert lived.trusted == NOON + BELIEVED_AFTER
    lived = after(lived, HOUR)
    assert lived.trusted == lived.seen_at


def test_a_clock_that_is_put_right_takes_its_leap_back() -> None:
    lived = after(LivedTime(NOON), HOUR, leap=10 * DAY)
    lived = after(lived, HOUR, leap=-7 * DAY)
    assert lived.trusted == NOON + 2 * HOUR
    assert after(lived, HOUR, leap=-3 * DAY).leaps == ()


def test_each_leap_has_its_own_time_to_be_believed() -> None:
    """A machine that is off each night: its nights count later, and all of them do."""
    lived = LivedTime(NOON)
    for _ in range(100):
        lived = after(after(lived, timedelta(), leap=16 * HOUR), 8 * HOUR)
    lag = lived.seen_at - lived.trusted
    assert lag <= (BELIEVED_AFTER / (8 * HOUR) + 1) * 16 * HOUR
    assert len(lived.leaps) <= 22


def test_small_corrections_are_no_leaps() -> None:
    lived = after(LivedTime(NOON), HOUR, leap=timedelta(seconds=59))
    assert (lived.leaps, lived.trusted) == ((), lived.seen_at)


def test_starts_without_running_are_one_leap() -> None:
    lived = LivedTime(NOON)
    for _ in range(50):
        lived = after(lived, timedelta(), leap=HOUR)
    assert len(lived.leaps) == 1
    assert lived.trusted == NOON


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**7), 10**7)), max_size=30))
def test_it_never_runs_ahead_of_the_clock_and_is_kept_as_it_is(
    moves: list[tuple[int, int]],
) -> None:
    lived = LivedTime(NOON)
    for ran, leap in moves:
        lived = after(lived, timedelta(seconds=ran), timedelta(seconds=leap))
        assert lived.trusted <= lived.seen_at
        assert LivedTime.from_record(lived.record()) == lived
