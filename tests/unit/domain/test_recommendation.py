"""What is recommended about a missed slot never does harm, and is never too late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.job import JobSpec, OffLabel
from universal_agent.domain.judge import Cause
from universal_agent.domain.recommendation import Advice, Waiting, order, recommend
from universal_agent.domain.schedule import CronSchedule, IntervalSchedule, OneShotSchedule
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import DEFAULT_DELAY

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

schedules = st.one_of(
    st.builds(
        IntervalSchedule, st.timedeltas(timedelta(seconds=1), 30 * DAY), st.just(NOW - 90 * DAY)
    ),
    st.sampled_from([CronSchedule("0 9 * * 1", "UTC"), CronSchedule("*/5 * * * *", "UTC")]),
    st.just(OneShotSchedule(NOW - HOUR)),
)
specs = st.builds(
    JobSpec,
    command=st.just("work"),
    runner=st.just("shell"),
    schedule=schedules,
    source=st.sampled_from(Source),
    enabled=st.booleans(),
    off_label=st.sampled_from([None, OffLabel.AUTO_PAUSED]),
    side_effects=st.booleans(),
    metadata=st.sampled_from([{}, {"priority": "low"}, {"priority": "critical"}]),
)
ahead = st.timedeltas(timedelta(seconds=1), 40 * DAY)
around = st.timedeltas(-DAY, 40 * DAY)


def moments(lengths: st.SearchStrategy[timedelta]) -> st.SearchStrategy[datetime | None]:
    return st.none() | lengths.map(lambda length: NOW + length)


waitings = st.builds(
    Waiting,
    event_id=st.sampled_from(["cron|a|1", "cron|b|2", "heartbeat|c|3"]),
    spec=specs,
    count=st.integers(1, 500),
    last_at=ahead.map(lambda length: NOW - length),
    created_at=ahead.map(lambda length: NOW - length),
    useful_until=moments(around),
    cause=st.sampled_from(Cause),
    next_run_at=moments(ahead),
    cooling_until=moments(ahead),
    is_engine_off=st.booleans(),
)


@given(waitings)
def test_what_cannot_be_of_use_or_may_do_harm_is_never_run(waiting: Waiting) -> None:
    found = recommend(waiting, now=NOW)
    assert found.reason
    if found.decision is Advice.DELETE:
        return
    assert not waiting.is_lost(NOW)
    assert waiting.spec.enabled
    assert not waiting.spec.is_held
    assert not (waiting.spec.side_effects and waiting.cause is Cause.INTERRUPTED)


@given(waitings)
def test_what_is_to_wait_for_a_service_is_still_of_use_then(waiting: Waiting) -> None:
    found = recommend(waiting, now=NOW)
    if found.decision is not Advice.DELETE and waiting.cooling_until is not None:
        assert waiting.useful_until is None or waiting.cooling_until < waiting.useful_until
        assert waiting.is_engine_off or "it waits until the service" in found.reason


@given(waitings)
def test_what_is_put_off_is_of_use_when_it_runs(waiting: Waiting) -> None:
    if recommend(waiting, now=NOW).decision is Advice.RESCHEDULE:
        assert waiting.useful_until is None or waiting.useful_until > NOW + DEFAULT_DELAY
        assert waiting.next_run_at is None or waiting.next_run_at > NOW + DEFAULT_DELAY


@given(waitings, ahead)
def test_what_is_not_to_run_is_not_to_run_later(waiting: Waiting, later: timedelta) -> None:
    # Its next slot stays ahead: what comes after that is another question.
    if waiting.cooling_until is not None or (waiting.next_run_at or NOW + DAY) <= NOW + later:
        return
    if recommend(waiting, now=NOW).decision is Advice.DELETE:
        assert recommend(waiting, now=NOW + later).decision is Advice.DELETE


@given(waitings, waitings)
def test_what_can_be_saved_for_the_shortest_time_comes_first(one: Waiting, other: Waiting) -> None:
    first, second = sorted([one, other], key=lambda waiting: order(waiting, now=NOW))
    assert first.is_lost(NOW) <= second.is_lost(NOW)
    if first.is_lost(NOW) == second.is_lost(NOW):
        ends = [
            waiting.useful_until or datetime.max.replace(tzinfo=UTC) for waiting in (first, second)
        ]
        assert ends[0] <= ends[1]


WEEKLY = Waiting(
    event_id="cron|a|1",
    spec=JobSpec(command="work", runner="shell", schedule=CronSchedule("0 9 * * 1", "UTC")),
    count=1,
    last_at=NOW - DAY,
    created_at=NOW - DAY,
    useful_until=NOW + 40 * MINUTE,
    cause=Cause.PROCESS_DOWN,
    next_run_at=NOW + 6 * DAY,
)


@pytest.mark.parametrize(
    ("change", "decision", "reason"),
    [
        ({}, "approve", "its result is useful for 40 minutes more"),
        ({"count": 3}, "approve", "(the latest of 3 runs)"),
        ({"useful_until": None}, "approve", "its next slot is 6 days away"),
        ({"useful_until": NOW - HOUR}, "delete", "of no use any more, since 1 hour"),
        ({"next_run_at": NOW + HOUR}, "delete", "its next slot, in 1 hour, does the same work"),
        (
            {
                "spec": replace(WEEKLY.spec, schedule=IntervalSchedule(5 * MINUTE, NOW - 90 * DAY)),
                "next_run_at": NOW + 4 * MINUTE,
            },
            "delete",
            "its next slot, in 4 minutes, does the same work",
        ),
        (
            {"cooling_until": NOW + 10 * MINUTE},
            "approve",
            "it waits until the service it uses may be asked again, in 10 minutes",
        ),
        (
            {"cooling_until": NOW + HOUR},
            "delete",
            "the service it uses is away for 1 hour, and then it is of no use",
        ),
        ({"is_engine_off": True}, "approve", "it can run when its engine is on again"),
        (
            {"cause": Cause.CAPACITY, "useful_until": NOW + 5 * HOUR},
            "reschedule",
            "no worker was free",
        ),
    ],
)
def test_the_reason_says_what_decides(
    change: dict[str, object], decision: str, reason: str
) -> None:
    found = recommend(replace(WEEKLY, **change), now=NOW)  # type: ignore[arg-type]
    assert found.decision == decision
    assert reason in found.reason


@pytest.mark.parametrize(
    ("late", "decision"), [(HOUR, "approve"), (3 * DAY, "approve"), (4 * DAY, "delete")]
)
def test_with_side_effects_it_runs_only_while_the_next_slot_is_further_away(
    late: timedelta, decision: str
) -> None:
    waiting = replace(
        WEEKLY,
        spec=replace(WEEKLY.spec, side_effects=True),
        last_at=NOW - late,
        next_run_at=NOW - late + 7 * DAY,
        useful_until=NOW - late + 7 * DAY,
    )
    assert recommend(waiting, now=NOW).decision == decision
