from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from universal_agent.domain.job import OnMiss, Policy
from universal_agent.domain.judge import (
    ADMIT_LIMIT,
    LATENCY,
    RUN_ALL_LIMIT,
    MissedSpan,
    MissedStatus,
    Verdict,
    judge,
    undecided,
)
from universal_agent.domain.schedule import (
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
    make_cron,
    make_interval,
    make_once,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NONE = timedelta(0)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

EVERY_MINUTE = make_interval(MINUTE, NOON - MINUTE)


def judged(
    schedule: Schedule = EVERY_MINUTE,
    *,
    mark: datetime = NOON,
    late: float,
    jitter: timedelta = NONE,
    admitting: bool = True,
    on_miss: OnMiss = OnMiss.ASK,
    grace: int = 60,
) -> Verdict:
    """The verdict on a job whose high-water mark is `mark`, `late` seconds after that."""
    return judge(
        schedule,
        Policy(on_miss=on_miss, misfire_grace_seconds=grace),
        next_run_at=mark,
        jitter=jitter,
        now=mark + timedelta(seconds=late),
        admitting=admitting,
    )


def minutes(*numbers: int) -> tuple[datetime, ...]:
    return tuple(NOON + number * MINUTE for number in numbers)


class TestWhatIsDue:
    def test_before_its_time_nothing_is_decided(self) -> None:
        assert judged(late=-0.001) == Verdict((), (), (), NOON)

    def test_a_slot_is_admitted_at_its_very_time(self) -> None:
        assert judged(late=0) == Verdict((NOON,), (), (), NOON + MINUTE)

    def test_the_jitter_holds_a_slot_back_and_leaves_its_name_alone(self) -> None:
        jitter = timedelta(seconds=2.5)
        assert judged(late=2.4, jitter=jitter).admit == ()
        assert judged(late=2.5, jitter=jitter).admit == (NOON,)

    def test_lateness_counts_from_the_shifted_start(self) -> None:
        jitter = timedelta(seconds=30)
        assert judged(late=90, jitter=jitter, grace=60).admit == minutes(0, 1)
        assert judged(late=90.1, jitter=jitter, grace=60).admit == minutes(1)

    def test_all_slots_within_the_grace_are_admitted_oldest_first(self) -> None:
        verdict = judged(late=150, grace=300)
        assert verdict == Verdict(minutes(0, 1, 2), (), (), NOON + 3 * MINUTE)

    def test_a_slot_just_runs_within_the_latency_of_the_engine_whatever_its_grace(self) -> None:
        at_the_limit = judged(late=LATENCY.total_seconds(), grace=0)
        past_it = judged(late=LATENCY.total_seconds() + 0.001, grace=0)
        assert (at_the_limit.admit, at_the_limit.missed) == ((NOON,), ())
        assert (past_it.admit, [span.first_at for span in past_it.missed]) == ((), [NOON])

    def test_a_long_backlog_within_the_grace_takes_several_decisions(self) -> None:
        seconds = make_interval(SECOND, NOON)
        mark = NOON + SECOND
        first = judged(seconds, mark=mark, late=ADMIT_LIMIT + 49, grace=3600)
        assert len(first.admit) == ADMIT_LIMIT
        assert first.next_run_at == mark + ADMIT_LIMIT * SECOND
        second = judged(seconds, mark=first.next_run_at, late=49, grace=3600)
        assert second.admit == tuple(first.next_run_at + n * SECOND for n in range(50))
        assert second.next_run_at == first.next_run_at + 50 * SECOND

    def test_after_a_single_instant_there_is_no_next_one(self) -> None:
        once = make_once(NOON)
        assert judged(once, late=0) == Verdict((NOON,), (), (), None)
        assert judged(once, late=3600).next_run_at is None


class TestWhatIsMissed:
    def test_slots_late_by_more_than_the_grace_are_one_span(self) -> None:
        verdict = judged(late=599, grace=60)
        assert verdict.missed == (MissedSpan(NOON, NOON + 8 * MINUTE, MissedStatus.PENDING, 9),)
        assert (verdict.admit, verdict.catch_up) == (minutes(9), ())
        assert verdict.next_run_at == NOON + 10 * MINUTE

    def test_with_ask_they_wait_for_an_operator(self) -> None:
        (span,) = judged(late=3600, on_miss=OnMiss.ASK).missed
        assert span.status is MissedStatus.PENDING

    def test_with_skip_they_are_skipped(self) -> None:
        verdict = judged(late=3600, on_miss=OnMiss.SKIP)
        assert [span.status for span in verdict.missed] == [MissedStatus.SKIPPED]
        assert verdict.catch_up == ()

    def test_with_run_latest_the_latest_runs_and_the_others_are_superseded(self) -> None:
        verdict = judged(late=239, on_miss=OnMiss.RUN_LATEST, grace=60)
        assert verdict.missed == (
            MissedSpan(NOON, NOON + MINUTE, MissedStatus.SUPERSEDED, 2),
            MissedSpan(NOON + 2 * MINUTE, NOON + 2 * MINUTE, MissedStatus.APPROVED_AND_RUN, 1),
        )
        assert (verdict.catch_up, verdict.admit) == (minutes(2), minutes(3))

    def test_with_run_latest_a_single_miss_supersedes_nothing(self) -> None:
        verdict = judged(late=90, on_miss=OnMiss.RUN_LATEST, grace=60)
        assert verdict.missed == (MissedSpan(NOON, NOON, MissedStatus.APPROVED_AND_RUN, 1),)

    def test_with_run_all_they_run_oldest_first(self) -> None:
        verdict = judged(late=239, on_miss=OnMiss.RUN_ALL, grace=60)
        assert verdict.missed == (
            MissedSpan(NOON, NOON + 2 * MINUTE, MissedStatus.APPROVED_AND_RUN, 3),
        )
        assert verdict.catch_up == minutes(0, 1, 2)

    def test_with_run_all_the_latest_hundred_run_and_the_rest_are_superseded(self) -> None:
        verdict = judged(late=86_400, on_miss=OnMiss.RUN_ALL, grace=60)
        older, run = verdict.missed
        assert (older.status, run.status) == (
            MissedStatus.SUPERSEDED,
            MissedStatus.APPROVED_AND_RUN,
        )
        assert run.count == len(verdict.catch_up) == RUN_ALL_LIMIT
        assert older.count + run.count + len(verdict.admit) == 1441
        assert older.last_at + MINUTE == run.first_at == verdict.catch_up[0]

    def test_ninety_days_of_every_minute_are_one_span(self) -> None:
        verdict = judged(make_cron("* * * * *", "UTC"), late=90 * 86_400)
        (span,) = verdict.missed
        assert span.count == 90 * 1440 - 1
        assert verdict.admit == (span.last_at + MINUTE, span.last_at + 2 * MINUTE)

    def test_with_the_engine_off_misses_are_found_and_nothing_is_admitted(self) -> None:
        verdict = judged(late=599, grace=60, admitting=False)
        assert [span.count for span in verdict.missed] == [9]
        assert (verdict.admit, verdict.next_run_at) == ((), NOON + 9 * MINUTE)

    def test_with_the_engine_off_slots_within_the_grace_stay_undecided(self) -> None:
        assert judged(late=30, admitting=False) == Verdict((), (), (), NOON)


# -- every slot in one place, whatever the schedule, the policy and the length of the night

CRON = [
    ("* * * * *", "UTC"),
    ("*/7 1-5 * * *", "Europe/Berlin"),
    ("0 9 * * 1-5", "America/New_York"),
    ("*/20 * * * * *", "UTC"),
    ("30 2 * * *", "Europe/Berlin"),
    ("15,45 * 1 * 0", "Australia/Lord_Howe"),
]

#: Around a clock change too.
STARTS = [NOON, datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC)]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    start = draw(st.sampled_from(STARTS))
    kind = draw(st.sampled_from(["cron", "every", "once"]))
    if kind == "cron":
        return make_cron(*draw(st.sampled_from(CRON)))
    if kind == "every":
        return make_interval(SECOND * draw(st.integers(1, 7200)), start)
    return make_once(start + SECOND * draw(st.integers(0, 7200)))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        on_miss=draw(st.sampled_from(OnMiss)),
        misfire_grace_seconds=draw(st.sampled_from([0, 1, 5, 6, 60, 3600])),
    )


def span_slots(schedule: Schedule, span: MissedSpan) -> list[datetime]:
    return list(schedule.slots(span.first_at - SECOND, span.last_at))


def longest_wait(schedule: Schedule) -> timedelta:
    """A time that holds some slots but not too many to go through."""
    match schedule:
        case IntervalSchedule(every, _):
            return 600 * every
        case OneShotSchedule():
            return timedelta(days=1)
        case _:
            return timedelta(hours=30)


@given(data=st.data(), schedule=schedules(), policy=policies(), admitting=st.booleans())
def test_every_due_slot_ends_in_exactly_one_place(
    data: st.DataObject, schedule: Schedule, policy: Policy, admitting: bool
) -> None:
    start = data.draw(st.sampled_from(STARTS))
    mark = schedule.next_after(start)
    assume(mark is not None)
    assert mark is not None
    jitter = timedelta(milliseconds=data.draw(st.integers(0, 90_000)))
    wait = data.draw(st.integers(-10, int(longest_wait(schedule).total_seconds() * 1000)))
    now = mark + jitter + timedelta(milliseconds=wait)

    verdict = judge(schedule, policy, next_run_at=mark, jitter=jitter, now=now, admitting=admitting)

    due = list(schedule.slots(mark - SECOND, now - jitter))
    grace = max(LATENCY, timedelta(seconds=policy.misfire_grace_seconds))
    late = [slot for slot in due if now - (slot + jitter) > grace]
    missed = [slot for span in verdict.missed for slot in span_slots(schedule, span)]
    assert missed == late
    assert [span.count for span in verdict.missed] == [
        len(span_slots(schedule, span)) for span in verdict.missed
    ]
    assert all(span.first_at in late and span.last_at in late for span in verdict.missed)

    on_time = due[len(late) :]
    assert list(verdict.admit) == (on_time[:ADMIT_LIMIT] if admitting else [])

    decided = missed + list(verdict.admit)
    assert verdict.next_run_at == schedule.next_after(decided[-1] if decided else mark - SECOND)

    run_late = [
        slot
        for span in verdict.missed
        if span.status is MissedStatus.APPROVED_AND_RUN
        for slot in span_slots(schedule, span)
    ]
    assert list(verdict.catch_up) == run_late
    wanted = {OnMiss.RUN_LATEST: 1, OnMiss.RUN_ALL: RUN_ALL_LIMIT}.get(policy.on_miss, 0)
    assert run_late == (late[-wanted:] if wanted and admitting else [])
    if not admitting:
        assert {span.status for span in verdict.missed} <= {undecided(policy)}


@given(data=st.data(), schedule=schedules(), policy=policies())
def test_judging_often_and_judging_once_decide_the_same_slots(
    data: st.DataObject, schedule: Schedule, policy: Policy
) -> None:
    """Each turn goes on where the one before ended: none is decided twice, none left out."""
    mark = first = schedule.next_after(data.draw(st.sampled_from(STARTS)))
    assume(first is not None)
    assert first is not None
    now, decided = first, []
    for step in data.draw(st.lists(st.integers(0, 9_000), min_size=1, max_size=8)):
        now += SECOND * step
        while mark is not None:
            verdict = judge(schedule, policy, next_run_at=mark, jitter=NONE, now=now)
            for span in verdict.missed:
                decided += span_slots(schedule, span)
            decided += verdict.admit
            if verdict.next_run_at == mark:
                break
            mark = verdict.next_run_at
    assert decided == list(schedule.slots(first - SECOND, now))


@pytest.mark.parametrize("on_miss", OnMiss)
def test_a_night_off_costs_no_more_than_a_bounded_number_of_runs(on_miss: OnMiss) -> None:
    schedule = make_interval(SECOND, NOON - SECOND)
    verdict = judged(schedule, late=10 * 365 * 86_400, on_miss=on_miss, grace=0)
    assert len(verdict.admit) + len(verdict.catch_up) <= ADMIT_LIMIT + RUN_ALL_LIMIT
    assert sum(span.count for span in verdict.missed) + len(verdict.admit) == 10 * 365 * 86_400 + 1
