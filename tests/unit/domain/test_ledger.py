from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.ledger_oracle import reconcile_one_by_one
from universal_agent.domain.job import JobSpec, JobVersion, Policy
from universal_agent.domain.judge import LATENCY, Cause, MissedStatus
from universal_agent.domain.ledger import (
    LISTED,
    Ledger,
    LedgerFacts,
    MissedFact,
    SlotFact,
    reconcile,
)
from universal_agent.domain.run import JobId, RunStatus
from universal_agent.domain.schedule import (
    Schedule,
    make_cron,
    make_interval,
    make_once,
    stable_jitter,
)
from universal_agent.domain.slot import epoch

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
#: A time at which nothing of the noon's hour can be in flight any more.
EVENING = NOON + 8 * HOUR
EACH_MINUTE = make_interval(MINUTE, NOON)


def a_version(
    number: int = 1,
    *,
    schedule: Schedule = EACH_MINUTE,
    job_id: str = "job_1",
    begin: datetime = NOON,
    end: datetime | None = None,
    enabled: bool = True,
    **policy: Any,
) -> JobVersion:
    """A version that expects a slot each minute after noon."""
    spec = JobSpec(
        command="true",
        runner="shell",
        schedule=schedule,
        enabled=enabled,
        policy=Policy(**policy),
    )
    return JobVersion(
        job_id=JobId(job_id), version=number, spec=spec, effective_from=begin, effective_until=end
    )


def a_slot(minute: int, outcome: str = RunStatus.SUCCESS, **fields: Any) -> SlotFact:
    fact = SlotFact(
        source_ref="job_1",
        scheduled_at=epoch(NOON + minute * MINUTE),
        outcome=outcome,
        reason=None,
        missed=False,
    )
    return replace(fact, **fields)


def a_span(first: int, last: int, status: str = MissedStatus.PENDING, **fields: Any) -> MissedFact:
    fact = MissedFact(
        source_ref="job_1",
        first_at=epoch(NOON + first * MINUTE),
        last_at=epoch(NOON + last * MINUTE),
        job_version=1,
        cause=Cause.PROCESS_DOWN,
        status=status,
    )
    return replace(fact, **fields)


def account(
    slots: Sequence[SlotFact] = (),
    missed: Sequence[MissedFact] = (),
    versions: Sequence[JobVersion] | None = None,
    *,
    start: datetime = NOON,
    end: datetime = NOON + HOUR,
    now: datetime = EVENING,
) -> Ledger:
    facts = LedgerFacts(
        versions=[a_version()] if versions is None else versions, slots=slots, missed=missed
    )
    return reconcile(facts, start=start, end=end, now=now)


def total(ledger: Ledger) -> int:
    return (
        sum(ledger.ran.values())
        + sum(ledger.skipped.values())
        + sum(ledger.missed.values())
        + ledger.interrupted
        + ledger.in_flight
        + ledger.unaccounted_count
    )


def test_a_slot_without_any_record_is_unaccounted_and_named() -> None:
    ledger = account([a_slot(minute) for minute in range(1, 61) if minute != 30])
    assert ledger.expected == 60
    assert ledger.unaccounted == [f"cron|job_1|{epoch(NOON + 30 * MINUTE)}"]


@pytest.mark.parametrize(
    "outcome",
    [RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT, RunStatus.CANCELLED],
)
def test_a_slot_that_ran_is_counted_by_how_it_ended(outcome: RunStatus) -> None:
    ledger = account([a_slot(1, outcome)], end=NOON + MINUTE)
    assert (ledger.ran, total(ledger)) == (Counter({outcome: 1}), 1)


def test_a_skipped_slot_is_counted_by_its_reason() -> None:
    slots = [a_slot(1, "skipped", reason="overlap"), a_slot(2, "skipped", reason="operator")]
    ledger = account(slots, end=NOON + 2 * MINUTE)
    assert ledger.skipped == Counter({"overlap": 1, "operator": 1})


@pytest.mark.parametrize("outcome", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_an_admitted_slot_without_an_end_is_in_flight(outcome: RunStatus) -> None:
    ledger = account([a_slot(1, outcome)], end=NOON + MINUTE)
    assert (ledger.in_flight, total(ledger)) == (1, 1)


def test_a_span_accounts_for_each_slot_in_it() -> None:
    ledger = account(
        missed=[
            a_span(1, 10),
            a_span(11, 11, MissedStatus.APPROVED_AND_RUN),
            a_span(12, 60, MissedStatus.EXPIRED),
        ]
    )
    assert ledger.missed == Counter(pending=10, approved_and_run=1, expired=49)
    assert ledger.unaccounted == []


def test_a_span_that_reaches_out_of_the_window_counts_only_inside() -> None:
    ledger = account(missed=[a_span(1, 60)], start=NOON + 20 * MINUTE, end=NOON + 30 * MINUTE)
    assert (ledger.expected, ledger.missed["pending"]) == (10, 10)


def test_slots_skipped_by_policy_count_as_skipped_and_not_as_missed() -> None:
    ledger = account(missed=[a_span(1, 60, MissedStatus.SKIPPED)])
    assert (ledger.skipped, ledger.missed) == (Counter(on_miss=60), Counter())


def test_a_slot_in_a_span_is_counted_once_though_it_ran_too() -> None:
    slots = [a_slot(1, RunStatus.SUCCESS, missed=True)]
    ledger = account(slots, [a_span(1, 1, MissedStatus.APPROVED_AND_RUN)], end=NOON + MINUTE)
    assert (ledger.missed["approved_and_run"], total(ledger)) == (1, 1)


def test_an_interrupted_slot_counts_as_interrupted_until_it_is_decided() -> None:
    slots = [a_slot(1, RunStatus.INTERRUPTED, missed=True)]
    waits = account(slots, [a_span(1, 1, cause=Cause.INTERRUPTED)], end=NOON + MINUTE)
    decided = account(
        slots,
        [a_span(1, 1, MissedStatus.DELETED, cause=Cause.INTERRUPTED)],
        end=NOON + MINUTE,
    )
    assert (waits.interrupted, total(waits)) == (1, 1)
    assert (decided.missed["deleted"], decided.interrupted, total(decided)) == (1, 0, 1)


def test_a_span_of_another_version_does_not_account_for_this_ones_slots() -> None:
    ledger = account(missed=[a_span(1, 60, job_version=2)])
    assert len(ledger.unaccounted) == 60


def test_another_jobs_records_do_not_account_for_this_ones_slots() -> None:
    ledger = account([a_slot(1, source_ref="job_2")], end=NOON + MINUTE)
    assert len(ledger.unaccounted) == 1


def test_a_version_expects_slots_after_it_began_up_to_and_with_its_end() -> None:
    versions = [
        a_version(1, end=NOON + 10 * MINUTE),
        a_version(2, begin=NOON + 10 * MINUTE, end=NOON + 20 * MINUTE, enabled=False),
        a_version(3, begin=NOON + 20 * MINUTE),
    ]
    assert account(versions=versions).expected == 10 + 40


def test_a_version_that_ended_as_it_began_expects_nothing() -> None:
    assert account(versions=[a_version(begin=NOON, end=NOON)]).expected == 0


def test_nothing_is_expected_of_the_future() -> None:
    now = NOON + 90 * SECOND
    ledger = account(now=now, end=NOON + HOUR)
    assert ledger.expected == 1


class TestPatience:
    """A slot that the engine may still be about to decide is in flight, not lost."""

    @pytest.mark.parametrize("grace", [0, 3, 60])
    def test_it_lasts_for_the_grace_and_the_engines_latency(self, grace: int) -> None:
        versions = [a_version(misfire_grace_seconds=grace)]
        last = NOON + MINUTE + max(LATENCY, grace * SECOND) + LATENCY
        just = account(versions=versions, end=NOON + MINUTE, now=last - SECOND / 1000)
        late = account(versions=versions, end=NOON + MINUTE, now=last)
        assert (just.in_flight, just.unaccounted) == (1, [])
        assert (late.in_flight, len(late.unaccounted)) == (0, 1)

    def test_it_counts_from_the_shifted_start(self) -> None:
        versions = [a_version(jitter_seconds=600)]
        jitter = stable_jitter("job_1", 600)
        last = NOON + MINUTE + jitter + 60 * SECOND + LATENCY
        assert account(versions=versions, end=NOON + MINUTE, now=last - SECOND).in_flight == 1
        assert len(account(versions=versions, end=NOON + MINUTE, now=last).unaccounted) == 1


OUTCOMES = [
    *RunStatus,
    "missed",
    "moved",
]

SCHEDULES = [
    make_interval(MINUTE, NOON),
    make_interval(90 * SECOND, NOON + 7 * SECOND),
    make_cron("*/3 * * * *", "UTC"),
    make_cron("30 5,20 12 * * *", "UTC"),
    make_once(NOON + 17 * MINUTE),
]


@given(
    schedule=st.sampled_from(SCHEDULES),
    slots=st.dictionaries(st.integers(-60, 3700), st.sampled_from(OUTCOMES), max_size=80),
    runs=st.sets(st.integers(0, 60)),
    spans=st.lists(
        st.tuples(
            st.integers(-60, 3700),
            st.integers(0, 1200),
            st.sampled_from(MissedStatus),
            st.sampled_from(Cause),
            st.integers(1, 2),
        ),
        max_size=5,
    ),
    now=st.integers(0, 4000),
)
def test_each_slot_is_counted_once_as_by_going_through_all_of_them(
    schedule: Schedule,
    slots: dict[int, str],
    runs: set[int],
    spans: list[tuple[int, int, MissedStatus, Cause, int]],
    now: int,
) -> None:
    outcomes = {minute * 60: "success" for minute in runs} | slots
    half = NOON + 31 * MINUTE
    facts = LedgerFacts(
        versions=[
            a_version(1, schedule=schedule, end=half),
            a_version(2, schedule=schedule, begin=half),
        ],
        slots=[
            a_slot(0, outcome, scheduled_at=epoch(NOON) + second, reason="overlap")
            for second, outcome in outcomes.items()
        ],
        missed=[
            a_span(
                0,
                0,
                status,
                first_at=epoch(NOON) + first,
                last_at=epoch(NOON) + first + more,
                cause=cause,
                job_version=version,
            )
            for first, more, status, cause, version in spans
        ],
    )
    at = NOON + now * SECOND
    ledger = reconcile(facts, start=NOON, end=NOON + HOUR, now=at)
    assert ledger == reconcile_one_by_one(facts, start=NOON, end=NOON + HOUR, now=at)
    assert total(ledger) == ledger.expected
    if schedule is SCHEDULES[0]:
        assert ledger.expected == min(now, 3600) // 60


def test_while_no_engine_runs_what_it_has_not_decided_is_not_lost() -> None:
    slots = [a_slot(minute) for minute in range(1, 31) if minute != 12]
    facts = LedgerFacts(versions=[a_version()], slots=slots, missed=[])
    mark = {"job_1": epoch(NOON + 31 * MINUTE)}
    ledger = reconcile(facts, start=NOON, end=NOON + HOUR, now=EVENING, undecided=mark)
    assert (ledger.ran["success"], ledger.in_flight) == (29, 30)
    assert ledger.unaccounted == [f"cron|job_1|{epoch(NOON + 12 * MINUTE)}"]


def test_of_many_unaccounted_slots_the_first_are_named_and_all_counted() -> None:
    ledger = account(end=NOON + 62 * DAY, now=NOON + 62 * DAY)
    assert (ledger.unaccounted_count, ledger.in_flight) == (62 * 1440 - 2, 2)
    assert len(ledger.unaccounted) == LISTED
    assert ledger.unaccounted[0] == f"cron|job_1|{epoch(NOON + MINUTE)}"


def test_accounts_of_neighbouring_windows_add_up_to_that_of_both() -> None:
    def part(start: int, end: int) -> Ledger:
        slots = [a_slot(minute) for minute in range(1, 40) if minute % 7]
        spans = [a_span(38, 50), a_span(51, 53, MissedStatus.SKIPPED)]
        begin, until = NOON + start * MINUTE, NOON + end * MINUTE
        return account(slots, spans, start=begin, end=until, now=NOON + HOUR)

    sums = part(0, 17)
    sums.add(part(17, 45))
    sums.add(part(45, 60))
    assert sums == part(0, 60)
    assert (sums.unaccounted_count, sums.in_flight) == (len(sums.unaccounted), 2)


def test_accounts_that_are_added_up_name_no_more_than_one_does() -> None:
    sums = account(end=NOON + 600 * MINUTE, now=NOON + 62 * DAY)
    sums.add(account(start=NOON + 600 * MINUTE, end=NOON + DAY, now=NOON + 62 * DAY))
    assert (sums.unaccounted_count, len(sums.unaccounted)) == (1440, LISTED)
