"""The clock watch tells jumps apart, and the manual clock behaves as real ones do."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from universal_agent.clock import (
    LONGEST_SLEEP,
    ClockGap,
    ClockJump,
    ClockWatch,
    Stopwatch,
    SystemClock,
)
from universal_agent.testing import ManualClock

HOUR = 3600.0


@asynccontextmanager
async def background(coroutine: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs as a task for as long as the block does."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class TestClockWatch:
    async def test_clocks_that_move_alike_are_no_jump(self, clock: ManualClock) -> None:
        watch = ClockWatch(clock)
        for _ in range(5):
            await clock.advance(LONGEST_SLEEP.total_seconds())
            assert watch.look() is None

    def test_a_wall_clock_set_forward_is_a_step_between_both_readings(
        self, clock: ManualClock
    ) -> None:
        watch, before = ClockWatch(clock), clock.now()
        clock.step(HOUR)
        assert watch.look() == ClockGap(ClockJump.FORWARD, before, before + timedelta(hours=1))

    def test_a_wall_clock_set_back_is_a_step_back(self, clock: ManualClock) -> None:
        watch, before = ClockWatch(clock), clock.now()
        clock.step(-HOUR)
        assert watch.look() == ClockGap(ClockJump.BACKWARD, before, before - timedelta(hours=1))

    def test_a_wall_clock_that_ran_on_while_the_host_slept_is_a_suspend(
        self, clock: ManualClock
    ) -> None:
        watch, before = ClockWatch(clock), clock.now()
        clock.suspend(HOUR)
        assert watch.look() == ClockGap(ClockJump.SUSPENDED, before, before + timedelta(hours=1))

    def test_a_look_that_comes_far_too_late_means_the_process_was_stopped(
        self, clock: ManualClock
    ) -> None:
        watch, before = ClockWatch(clock), clock.now()
        clock.freeze(HOUR)
        assert watch.look() == ClockGap(ClockJump.SUSPENDED, before, before + timedelta(hours=1))

    def test_a_process_that_was_busy_all_the_time_was_not_stopped(self, clock: ManualClock) -> None:
        watch = ClockWatch(clock)
        clock.work(HOUR)
        assert watch.look() is None

    def test_a_process_that_was_stopped_after_some_work_was_stopped(
        self, clock: ManualClock
    ) -> None:
        watch, before = ClockWatch(clock), clock.now()
        clock.work(10)
        clock.freeze(10)
        assert watch.look() == ClockGap(ClockJump.SUSPENDED, before, clock.now())

    @pytest.mark.parametrize("jump", ["step", "suspend", "freeze"])
    def test_each_jump_is_told_only_once(self, clock: ManualClock, jump: str) -> None:
        watch = ClockWatch(clock)
        getattr(clock, jump)(HOUR)
        assert watch.look() is not None
        assert watch.look() is None

    @pytest.mark.parametrize("seconds", [-2, 2])
    def test_a_step_within_the_tolerance_is_no_jump(
        self, clock: ManualClock, seconds: float
    ) -> None:
        watch = ClockWatch(clock, tolerance=timedelta(seconds=2))
        clock.step(seconds)
        assert watch.look() is None

    def test_an_earlier_sleep_of_the_host_does_not_make_a_step_a_suspend(
        self, clock: ManualClock
    ) -> None:
        clock.suspend(HOUR)
        watch = ClockWatch(clock)
        clock.step(HOUR)
        gap = watch.look()
        assert gap is not None and gap.jump is ClockJump.FORWARD


class TestSystemClock:
    def test_the_wall_clock_is_aware_and_in_utc(self) -> None:
        assert SystemClock().now().tzinfo is UTC

    def test_computing_counts_as_work(self) -> None:
        clock = SystemClock()
        began = clock.worked()
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        assert clock.worked() - began >= 0.05

    def test_time_asleep_is_never_negative(self) -> None:
        assert SystemClock().asleep() >= 0

    async def test_a_sleep_until_a_past_instant_returns_at_once(self) -> None:
        clock = SystemClock()
        await clock.sleep_until(clock.now() - timedelta(days=1))

    async def test_a_call_made_later_can_be_cancelled_before_it_is_made(self) -> None:
        clock, made = SystemClock(), asyncio.Event()
        clock.call_later(0, lambda: pytest.fail("was cancelled")).cancel()
        clock.call_later(0, made.set)
        await made.wait()


class TestAdvance:
    async def test_both_clocks_move_by_the_same_amount(self, clock: ManualClock) -> None:
        wall, monotonic = clock.now(), clock.monotonic()
        await clock.advance(0.1)
        await clock.advance(0.2)
        assert clock.now() - wall == timedelta(seconds=0.3)
        assert clock.monotonic() - monotonic == pytest.approx(0.3)

    async def test_calls_are_made_in_the_order_they_fall_due(self, clock: ManualClock) -> None:
        calls: list[str] = []
        clock.call_later(2, lambda: calls.append("second"))
        clock.call_later(1, lambda: calls.append("first"))
        clock.call_later(2, lambda: calls.append("third, asked for after the second"))
        await clock.advance(2)
        assert calls == ["first", "second", "third, asked for after the second"]

    async def test_a_call_that_is_not_due_waits_for_its_time(self, clock: ManualClock) -> None:
        calls: list[float] = []
        clock.call_later(10, lambda: calls.append(clock.monotonic()))
        await clock.advance(9.999999)
        assert calls == []
        await clock.advance(0.000001)
        assert calls == [10]

    async def test_a_cancelled_call_is_never_made(self, clock: ManualClock) -> None:
        clock.call_later(1, lambda: pytest.fail("was cancelled")).cancel()
        await clock.advance(2)

    async def test_a_sleeper_meets_every_instant_it_sleeps_towards(
        self, clock: ManualClock
    ) -> None:
        woken: list[float] = []

        async def beat() -> None:
            while True:
                await clock.sleep(0.1)
                woken.append(clock.monotonic())

        async with background(beat()):
            await clock.advance(1)
        assert woken == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]

    async def test_woken_tasks_run_through_many_turns_before_time_moves_on(
        self, clock: ManualClock
    ) -> None:
        seen: list[float] = []

        async def take_many_turns() -> None:
            await clock.sleep(1)
            for _ in range(200):
                await clock.sleep(0)
            seen.append(clock.monotonic())

        async with background(take_many_turns()):
            await clock.advance(HOUR)
        assert seen == [1]

    async def test_what_a_call_raises_comes_out_of_advance(self, clock: ManualClock) -> None:
        def fail() -> None:
            raise LookupError("lost")

        clock.call_later(1, fail)
        with pytest.raises(LookupError, match="lost"):
            await clock.advance(1)

    async def test_a_task_that_never_blocks_is_an_error_and_not_a_hang(
        self, clock: ManualClock
    ) -> None:
        async def spin() -> None:
            while True:
                await clock.sleep(0)

        async with background(spin()):
            with pytest.raises(RuntimeError, match="still ready"):
                await clock.advance(1)

    async def test_time_does_not_move_backwards(self, clock: ManualClock) -> None:
        with pytest.raises(ValueError, match="step"):
            await clock.advance(-1)

    async def test_advance_to_stops_when_the_wall_clock_reads_the_instant(
        self, clock: ManualClock
    ) -> None:
        instant = datetime(2026, 3, 29, 1, tzinfo=UTC)
        await clock.advance_to(instant)
        assert clock.now() == instant

    async def test_work_in_a_thread_is_waited_for_before_time_moves_on(
        self, clock: ManualClock
    ) -> None:
        pending, released, seen = 0, threading.Event(), list[float]()
        clock.wait_while(lambda: pending > 0)

        async def write_in_a_thread() -> None:
            nonlocal pending
            await clock.sleep(1)
            pending += 1
            asyncio.get_running_loop().call_soon(released.set)
            await asyncio.to_thread(released.wait)
            pending -= 1
            seen.append(clock.monotonic())

        async with background(write_in_a_thread()):
            await clock.advance(HOUR)
        assert seen == [1]


class TestMisbehavingClocks:
    async def test_a_sleep_until_an_instant_never_outlives_the_longest_sleep(
        self, clock: ManualClock
    ) -> None:
        async with background(clock.sleep_until(clock.now() + timedelta(days=1))) as sleeper:
            await clock.advance(LONGEST_SLEEP.total_seconds() - 0.001)
            assert not sleeper.done()
            await clock.advance(0.001)
            assert sleeper.done()

    async def test_a_step_moves_neither_monotonic_time_nor_a_sleeper(
        self, clock: ManualClock
    ) -> None:
        async with background(clock.sleep(60)) as sleeper:
            await clock.settle()
            clock.step(HOUR)
            await clock.advance(59)
            assert clock.monotonic() == 59
            assert not sleeper.done()

    async def test_a_suspend_is_counted_as_time_asleep(self, clock: ManualClock) -> None:
        wall = clock.now()
        clock.suspend(HOUR)
        assert (clock.now() - wall, clock.monotonic(), clock.asleep()) == (
            timedelta(hours=1),
            0,
            HOUR,
        )

    async def test_calls_that_fell_due_in_a_freeze_are_made_afterwards_and_late(
        self, clock: ManualClock
    ) -> None:
        calls: list[float] = []
        clock.call_later(1, lambda: calls.append(clock.monotonic()))
        clock.freeze(HOUR)
        assert calls == []
        await clock.advance(0)
        assert calls == [HOUR]


async def test_a_stopwatch_reads_monotonic_seconds_since_it_was_made(clock: ManualClock) -> None:
    await clock.advance(5)
    stopwatch = Stopwatch(clock)
    await clock.advance(1.5)
    clock.step(HOUR)
    assert stopwatch.seconds() == 1.5
