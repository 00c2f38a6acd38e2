"""The wall clock is set, the host sleeps, the process is stopped: nothing is lost or run twice."""

from collections.abc import Callable

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.testing import FAILURE, ManualClock, RecordingRunner

Jump = Callable[[ManualClock, float], None]

#: Seconds within which a jump is noticed.
NOTICED = 2

FORWARD: list[tuple[Jump, Cause]] = [
    (ManualClock.step, Cause.CLOCK_STEP),
    (ManualClock.suspend, Cause.HOST_SUSPENDED),
    (ManualClock.freeze, Cause.HOST_SUSPENDED),
]


@pytest.mark.parametrize(("jump", "cause"), FORWARD, ids=["step", "suspend", "freeze"])
class TestForward:
    async def test_what_was_jumped_over_is_missed_with_the_jump_as_its_cause(
        self,
        jump: Jump,
        cause: Cause,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        await gateway.create(every="1m")
        await clock.advance(150)
        jump(clock, 3600)
        await clock.advance(NOTICED)
        (missed,) = await gateway.pending()
        assert (missed.cause, missed.span.first_at) == (cause, gateway.began + 3 * MINUTE)
        ledger = await gateway.ledger()
        assert ledger.unaccounted == []
        assert ledger.expected == 62
        assert ledger.missed["pending"] == missed.span.count == 59
        await clock.advance(120)
        assert len(runner.slots) == len(set(runner.slots)) == 5

    async def test_what_is_within_its_grace_just_runs(
        self,
        jump: Jump,
        cause: Cause,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        await gateway.create(every="1h", misfire_grace_seconds=600)
        await clock.advance(60)
        jump(clock, 3600)
        await clock.advance(NOTICED)
        assert runner.slots == [gateway.began + HOUR]
        assert await gateway.pending() == []

    async def test_each_job_does_what_it_says_about_misses(
        self,
        jump: Jump,
        cause: Cause,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        jobs = {
            on_miss: await gateway.create(every="10m", on_miss=on_miss)
            for on_miss in ("ask", "run_latest", "run_all", "skip")
        }
        await clock.advance(20)
        jump(clock, 3600)
        await clock.advance(NOTICED)
        ran = {
            on_miss: sorted(r.scheduled_at - gateway.began for r in await gateway.runs(job))
            for on_miss, job in jobs.items()
        }
        assert ran == {
            "ask": [60 * MINUTE],
            "run_latest": [50 * MINUTE, 60 * MINUTE],
            "run_all": [n * MINUTE for n in (10, 20, 30, 40, 50, 60)],
            "skip": [60 * MINUTE],
        }
        late = [request for request in runner.requests if request.trigger == Trigger.CATCH_UP]
        assert sorted({int(request.late_seconds or 0) // 60 for request in late}) == [
            10,
            20,
            30,
            40,
            50,
        ]
        ledgers = {on_miss: await gateway.ledger(job) for on_miss, job in jobs.items()}
        assert ledgers["ask"].missed == {"pending": 5}
        assert ledgers["run_latest"].missed == {"superseded": 4, "approved_and_run": 1}
        assert ledgers["run_all"].missed == {"approved_and_run": 5}
        assert ledgers["skip"].skipped == {"on_miss": 5}
        assert all(ledger.unaccounted == [] for ledger in ledgers.values())

    async def test_it_is_noticed_within_a_second_while_nothing_is_due(
        self,
        jump: Jump,
        cause: Cause,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        await gateway.create(cron_expr="0 * * * *")
        await clock.advance(10)
        jump(clock, 86_400 + 600)
        await clock.advance(NOTICED)
        (missed,) = await gateway.pending()
        assert missed.span.count == 24

    async def test_all_that_was_missed_in_it_is_one_outage(
        self,
        jump: Jump,
        cause: Cause,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        for n in range(150):
            await gateway.create(every=f"{n + 60}s")
        jump(clock, 3600)
        await clock.advance(NOTICED)
        missed = await gateway.pending()
        assert len(missed) == 150
        assert len({one.outage_id for one in missed}) == 1


class TestBackward:
    async def test_nothing_runs_twice_and_the_grid_goes_on_where_it_was(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        await clock.advance(600)
        clock.step(-3600)
        await clock.advance(3600 + 120)
        assert runner.slots == slots_after(gateway.began, 12)
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_job_made_meanwhile_follows_the_new_time(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        clock.step(-3600)
        await clock.advance(NOTICED)
        await gateway.create(run_at="1m")
        await clock.advance(60)
        assert runner.slots == [gateway.began - HOUR + (NOTICED + 60) * SECOND]

    async def test_an_edit_meanwhile_does_not_replay_what_was_decided(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        await clock.advance(600)
        clock.step(-3600)
        await clock.advance(NOTICED)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(enabled=False))
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(enabled=True))
        await clock.advance(3600 + 119)
        assert runner.slots == slots_after(gateway.began, 12)
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_run_does_not_end_before_it_began(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.seconds = 10
        await clock.advance(61)
        clock.step(-3600)
        await clock.advance(10)
        (run,) = await gateway.runs()
        assert run.duration is not None
        assert (run.status, run.duration >= 0 * SECOND) == (RunStatus.SUCCESS, True)

    async def test_a_retry_comes_when_the_clock_is_there_again(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retries=1, retry_backoff=[30])
        runner.answer(FAILURE)
        await clock.advance(61)
        clock.step(-600)
        await clock.advance(600 + 29)
        assert [request.attempt for request in runner.requests] == [1, 2]


async def test_many_jumps_to_and_fro_leave_every_slot_in_one_place(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    for every in ("1m", "7m", "1h"):
        await gateway.create(every=every)
    await gateway.create(every="5m", on_miss="run_latest", jitter_seconds=120)
    jumps: list[tuple[Jump, float]] = [
        (ManualClock.step, 3600),
        (ManualClock.step, -1800),
        (ManualClock.suspend, 7200),
        (ManualClock.step, -86_400),
        (ManualClock.freeze, 90),
        (ManualClock.step, 2 * 86_400),
        (ManualClock.step, -600),
    ]
    for jump, seconds in jumps:
        jump(clock, seconds)
        await clock.advance(200)
    await clock.advance(900)
    starts = [(request.job_id, request.scheduled_at) for request in runner.requests]
    assert len(starts) == len(set(starts))
    assert (await gateway.ledger()).unaccounted == []


async def test_a_clock_that_is_put_right_by_little_is_no_jump(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(every="10s")
    for _ in range(30):
        await clock.advance(1)
        clock.step(0.4)
    assert await gateway.pending() == []
    assert runner.slots == slots_after(gateway.began, 4, 10 * SECOND)
