"""A clock that tests move by hand.

    clock = ManualClock()
    gateway = ...                # sleeps on the clock it was given
    await clock.advance(90)      # every call that fell due was made, in order, and has taken effect

`advance` is the only thing that makes time pass. Between two instants at which something is due it
lets the event loop run until all tasks are blocked again, so code under test meets each instant
exactly and a test needs no real sleep. The three ways in which real clocks misbehave are methods
too: `step` (somebody sets the clock), `suspend` (the host sleeps) and `freeze` (the process is
stopped). They change what the clocks read and return immediately; the code under test reacts in
the next `advance`.

What the clock cannot see is work outside the event loop. A writer thread is declared once with
`wait_while(busy)`; for child processes and sockets a test waits for their events.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from universal_agent.clock import LONGEST_SLEEP

#: Where time starts: a Wednesday noon in UTC, away from every change to or from summer time.
START = datetime(2026, 1, 14, 12, tzinfo=UTC)

#: Turns of the event loop after which code that never blocks is given up on.
_TURNS = 100_000

#: Real seconds between two looks at a thread that is at work.
_THREAD_POLL = 0.0002


@dataclass(order=True, slots=True)
class _Call:
    """A call to be made when `due` has elapsed; equal ones in the order they were asked for."""

    due: timedelta
    number: int
    call: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """A `Clock` that moves only when it is told to."""

    def __init__(self, start: datetime = START) -> None:
        # Whole microseconds throughout, so that a sleeper wakes exactly at its instant.
        self._wall = start.astimezone(UTC)
        self._elapsed = timedelta()
        self._asleep = timedelta()
        self._worked = timedelta()
        self._calls: list[_Call] = []
        self._count = 0
        self._busy: list[Callable[[], bool]] = []

    # -- the Clock that the code under test sees

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    def asleep(self) -> float:
        return self._asleep.total_seconds()

    def worked(self) -> float:
        return self._worked.total_seconds()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await _one_turn()
            return
        woken = asyncio.Event()
        call = self.call_later(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            call.cancel()

    async def sleep_until(self, instant: datetime) -> None:
        await self.sleep(min(instant - self._wall, LONGEST_SLEEP).total_seconds())

    def call_later(self, seconds: float, call: Callable[[], object]) -> _Call:
        self._count += 1
        later = _Call(self._elapsed + timedelta(seconds=max(0.0, seconds)), self._count, call)
        heapq.heappush(self._calls, later)
        return later

    # -- what a test does with it

    async def advance(self, seconds: float) -> None:
        """Move both clocks on, stopping at each instant at which something is due.

        What is due is called in order, and what it wakes runs until it blocks, before time moves
        on; calls that become due on the way are made too. Raises what a call raises.
        """
        end = self._elapsed + timedelta(seconds=seconds)
        await self.settle()
        while self._calls and self._calls[0].due <= end:
            self._move(max(self._elapsed, self._calls[0].due))
            while self._calls and self._calls[0].due <= self._elapsed:
                later = heapq.heappop(self._calls)
                if not later.cancelled:
                    later.call()
            await self.settle()
        self._move(end)

    async def advance_to(self, instant: datetime) -> None:
        """Advance until the wall clock, as it stands now, reads `instant`."""
        await self.advance((instant - self._wall).total_seconds())

    async def settle(self) -> None:
        """Let the event loop run, with time standing still, until every task is blocked.

        Raises RuntimeError when that does not happen: something goes round without a real wait.
        """
        loop = asyncio.get_running_loop()
        # The loop's queue of calls to make in this turn and the next. It has no public name; the
        # alternative, a fixed number of turns, is too few on some days and too slow on all others.
        ready = loop._ready  # type: ignore[attr-defined]
        quiet = 0
        for _ in range(_TURNS):
            if any(busy() for busy in self._busy):
                quiet = 0
                await asyncio.sleep(_THREAD_POLL)
            else:
                # Two turns, as what a socket or a thread brought in is queued between turns.
                quiet = 0 if ready else quiet + 1
                if quiet == 2:
                    return
                await _one_turn()
        raise RuntimeError(f"expected every task to block, but {len(ready)} calls are still ready")

    def wait_while(self, busy: Callable[[], bool]) -> None:
        """Have `advance` and `settle` wait in real time for as long as `busy()` is true.

        For work that leaves the event loop, such as a writer thread's. It must stay true until the
        result is back in the loop: count what was submitted, and count down where it is awaited.
        """
        self._busy.append(busy)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back when negative; nothing else moves."""
        self._wall += timedelta(seconds=seconds)

    def suspend(self, seconds: float) -> None:
        """Put the host to sleep: the wall clock moves on, monotonic time stands still."""
        self._wall += timedelta(seconds=seconds)
        self._asleep += timedelta(seconds=seconds)

    def freeze(self, seconds: float) -> None:
        """Stop the process: both clocks move on and nothing is called until the next `advance`."""
        self._move(self._elapsed + timedelta(seconds=seconds))

    def work(self, seconds: float) -> None:
        """Keep the process busy: as `freeze`, but it computes all the time."""
        self.freeze(seconds)
        self._worked += timedelta(seconds=seconds)

    def _move(self, elapsed: timedelta) -> None:
        if elapsed < self._elapsed:
            raise ValueError("expected time to move on; use step() to set the wall clock back")
        self._wall += elapsed - self._elapsed
        self._elapsed = elapsed


async def _one_turn() -> None:
    await asyncio.sleep(0)
