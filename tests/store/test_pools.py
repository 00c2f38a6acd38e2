"""Claims over random queues: bounds of pools and lanes hold, and everything that waits starts."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.making import FIRST, MINUTE, NOON, PROCESS, a_job, finish, register_again, run_id
from universal_agent.domain.job import Job, is_light
from universal_agent.domain.run import Trigger
from universal_agent.store import verbs
from universal_agent.store.store import Store, sqlite_store
from universal_agent.store.values import Claimed, ClaimRules

SIZES = {"browser": 1, "gpu": 2}
ORDINARY, RESERVE = 2, 1

arrivals = st.lists(
    st.tuples(
        st.sampled_from([None, *SIZES]),
        st.booleans(),
        st.sampled_from(["critical", "normal", "low"]),
    ),
    min_size=1,
    max_size=12,
)


def places(running: list[Claimed]) -> tuple[int, ClaimRules]:
    """The free workers, with the rules for them, while these runs are in execution."""
    light = sum(is_light(claimed.spec) for claimed in running)
    ordinary = ORDINARY - (len(running) - light) - max(0, light - RESERVE)
    return ORDINARY + RESERVE - len(running), ClaimRules(ordinary_workers=max(0, ordinary))


async def queue(store: Store, job: Job) -> None:
    await store.write(verbs.admission.add_run, job, run_id(), now=FIRST)


@settings(max_examples=40, deadline=None)
@given(arrivals=arrivals, ends=st.lists(st.integers(0, 100), min_size=40, max_size=40))
def test_bounds_hold_and_everything_starts(
    arrivals: list[tuple[str | None, bool, str]], ends: list[int]
) -> None:
    asyncio.run(live(arrivals, iter(ends)))


async def live(arrivals: list[tuple[str | None, bool, str]], ends: Iterator[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite_store(Path(folder) / "ua.db", synchronous="OFF")
        await store.open()
        try:
            await live_in(store, arrivals, ends)
        finally:
            await store.close()


async def live_in(
    store: Store, arrivals: list[tuple[str | None, bool, str]], ends: Iterator[int]
) -> None:
    await store.write(register_again)
    for name, size in SIZES.items():
        await store.write(verbs.pools.put_pool, name, size, by="ada", now=NOON)
    for number, (pool, light, priority) in enumerate(arrivals):
        job = await a_job(
            store,
            f"job_{number}",
            pool=pool,
            light=light,
            metadata={"priority": priority},
            overlap="allow",
        )
        await queue(store, job)
    running: list[Claimed] = []
    started = 0
    for _ in range(3 * len(arrivals)):
        free, rules = places(running)
        settled = await store.write(
            verbs.execution.claim, free_workers=free, process=PROCESS, now=FIRST, rules=rules
        )
        running += settled.claimed
        started += len(settled.claimed)
        held = Counter(claimed.spec.pool for claimed in running)
        assert all(held[name] <= size for name, size in SIZES.items())
        assert sum(not is_light(claimed.spec) for claimed in running) <= ORDINARY
        assert len(running) <= ORDINARY + RESERVE
        if not running:
            break
        over = running.pop(next(ends) % len(running))
        await finish(store, over, now=FIRST + MINUTE)
    assert started == len(arrivals)
    assert all(claimed.run.trigger is Trigger.MANUAL for claimed in running)
