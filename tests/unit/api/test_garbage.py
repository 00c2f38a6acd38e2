"""Nobody waits for a look through all objects but at long intervals."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from universal_agent.api.garbage import collect_at_times, look_at_the_young
from universal_agent.testing.clock import ManualClock


@pytest.fixture
def full_looks() -> Iterator[list[int]]:
    """Grows by one at each look through all objects."""
    looks: list[int] = []

    def note(phase: str, details: dict[str, int]) -> None:
        if phase == "stop" and details["generation"] == 2:
            looks.append(details["collected"])

    thresholds = gc.get_threshold()
    gc.callbacks.append(note)
    yield looks
    gc.callbacks.remove(note)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_no_number_of_new_objects_brings_about_a_look_at_all(full_looks: list[int]) -> None:
    look_at_the_young()
    kept = [[number] for number in range(500_000)]
    assert (len(kept), full_looks) == (500_000, [])


async def test_all_objects_are_looked_at_again_after_ten_minutes(full_looks: list[int]) -> None:
    clock = ManualClock()
    task = asyncio.create_task(collect_at_times(clock))
    await clock.advance(599)
    assert full_looks == []
    await clock.advance(1)
    assert len(full_looks) == 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
