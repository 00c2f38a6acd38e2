"""Cooldowns of resources are facts of the database: opened once, probed by one, closed once."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    SECOND,
    a_job,
    admit,
    claim,
    decide,
    ended,
    events,
    fold,
    fresh,
    interrupt,
    running,
    waiting,
)
from tests.store.making import PROCESS as HERE
from universal_agent.domain.cooldown import Closed, Cooldown
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.store import verbs
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.memory import Memory
from universal_agent.store.steps.cooldowns import close_cooldown
from universal_agent.store.store import Store
from universal_agent.store.values import Claimed, Finished, Settled

Together: TypeAlias = Callable[..., Any]

LIMITED = Ending(kind=EndClass.RATE_LIMITED, until=FIRST + HOUR)


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Together]:
    """Run verbs at the same time, each in a transaction on a connection of its own."""

    def run(verb: Callable[..., Any], arguments: tuple[Any, ...], given: dict[str, Any]) -> Any:
        with closing(sqlite3.connect(tmp_path / "ua.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            tx = SqliteTx(connection, Memory())
            result = verb(tx, *arguments, **given)
            tx.write_out()
            tx.log_events()
            connection.execute("COMMIT")
            return result

    with ThreadPoolExecutor(4) as threads:

        def together(verb: Callable[..., Any], *arguments: tuple[Any, ...], **given: Any) -> Any:
            calls = [threads.submit(run, verb, one, given) for one in arguments]
            return [call.result() for call in calls]

        yield together


def failed(claimed: Claimed, ending: Ending | None, *, now: datetime) -> Finished:
    """The end of a run: an outage, or success without one."""
    status = RunStatus.SUCCESS if ending is None else RunStatus.ERROR
    return replace(ended(claimed, status, now=now, error="no"), ending=ending)


def logged(folder: Path) -> list[str]:
    """The types of all events, whatever connection wrote them."""
    with closing(sqlite3.connect(folder / "ua.db")) as connection:
        return [kind for (kind,) in connection.execute("SELECT type FROM events ORDER BY seq")]


async def settle(
    store: Store, claimed: Claimed, ending: Ending | None, *, now: datetime, workers: int = 0
) -> Settled:
    end = failed(claimed, ending, now=now)
    return await store.write(
        verbs.execution.settle, [end], free_workers=workers, process=HERE, now=now
    )


async def cooldowns(store: Store) -> list[Cooldown]:
    return await store.read(verbs.cooldowns.open_cooldowns)


async def limited(store: Store, *job_ids: str) -> None:
    """The jobs' runs have opened a cooldown for an hour."""
    runs = [
        await running(store, await a_job(store, job_id, on_miss="run_latest")) for job_id in job_ids
    ]
    for claimed in runs:
        await settle(store, claimed, LIMITED, now=FIRST)


class TestTwoConnections:
    async def test_of_two_ends_one_opens_it(
        self, store: Store, together: Together, tmp_path: Path
    ) -> None:
        one = await running(store, await a_job(store, "job_a"))
        two = await running(store, await a_job(store, "job_b"))
        together(
            verbs.execution.settle,
            ([failed(one, LIMITED, now=FIRST)],),
            ([failed(two, LIMITED, now=FIRST)],),
            free_workers=0,
            process=HERE,
            now=FIRST,
        )
        assert len(await cooldowns(store)) == 1
        assert logged(tmp_path).count("resource_cooldown_opened") == 1

    async def test_of_two_claims_one_gets_the_probe(self, store: Store, together: Together) -> None:
        await limited(store, "job_a", "job_b")
        for job_id in ("job_a", "job_b"):
            await waiting(store, await fresh(store, job_id), now=FIRST + MINUTE)
        both = together(
            verbs.execution.claim, (), (), free_workers=4, process=HERE, now=FIRST + HOUR
        )
        assert sorted(len(settled.claimed) for settled in both) == [0, 1]
        (cooldown,) = await cooldowns(store)
        assert cooldown.is_probing

    async def test_of_two_people_one_closes_it(
        self, store: Store, together: Together, tmp_path: Path
    ) -> None:
        await limited(store, "job_a")
        both = together(
            verbs.cooldowns.clear_cooldown, ("true",), ("true",), by="ann", now=FIRST + MINUTE
        )
        assert sorted(cleared is None for cleared in both) == [False, True]
        assert logged(tmp_path).count("resource_cooldown_closed") == 1

    async def test_of_a_person_and_a_probe_one_closes_it(
        self, store: Store, together: Together, tmp_path: Path
    ) -> None:
        await limited(store, "job_a")
        probe = await running(store, await fresh(store), now=FIRST + HOUR)
        (cooldown,) = await cooldowns(store)
        both = together(
            close_cooldown, (cooldown, Closed.PROBE), (cooldown, Closed.OPERATOR), now=FIRST
        )
        assert sorted(both) == [False, True]
        assert logged(tmp_path).count("resource_cooldown_closed") == 1
        assert probe.run.status is RunStatus.RUNNING

    async def test_an_end_of_the_cooldown_before_does_not_change_the_next_one(
        self, store: Store
    ) -> None:
        """A run that was the probe of a cooldown that a person closed since."""
        await limited(store, "job_a")
        probe = await running(store, await fresh(store), now=FIRST + HOUR)
        await store.write(verbs.cooldowns.clear_cooldown, "true", by="a", now=FIRST + HOUR)
        await limited(store, "job_b")
        (before,) = await cooldowns(store)
        await settle(store, probe, None, now=FIRST + HOUR)
        assert await cooldowns(store) == [before]


class TestHolding:
    async def test_until_its_time_no_run_is_claimed_and_then_one(self, store: Store) -> None:
        await limited(store, "job_a", "job_b")
        jobs = [await fresh(store, job_id) for job_id in ("job_a", "job_b")]
        admission = await admit(store, *map(decide, jobs), now=FIRST + MINUTE)
        assert (admission.started, admission.queued_count) == ((), 2)
        assert (await claim(store, now=FIRST + HOUR - SECOND)).claimed == ()
        (probe,) = (await claim(store, now=FIRST + HOUR)).claimed
        assert (await claim(store, now=FIRST + HOUR)).claimed == ()
        settled = await settle(store, probe, None, now=FIRST + HOUR + SECOND, workers=8)
        assert len(settled.claimed) == 1
        assert await cooldowns(store) == []

    async def test_one_worker_is_enough_for_a_probe_among_many_that_wait(
        self, store: Store
    ) -> None:
        names = [f"job_{number}" for number in range(5)]
        await limited(store, *names)
        free = await a_job(store, "other", command="free")
        for name in names:
            await waiting(store, await fresh(store, name), now=FIRST + MINUTE)
        await waiting(store, free, now=FIRST + MINUTE)
        claimed = (await claim(store, 2, now=FIRST + HOUR)).claimed
        assert len(claimed) == 2
        assert [c.run.source_ref for c in claimed].count("other") == 1

    async def test_slots_in_one_batch_have_one_probe(self, store: Store) -> None:
        await limited(store, "job_a", "job_b")
        jobs = [await fresh(store, job_id) for job_id in ("job_a", "job_b")]
        admission = await admit(store, *map(decide, jobs), now=FIRST + HOUR)
        assert (len(admission.started), admission.queued_count) == (1, 1)

    async def test_a_probe_that_a_crash_cut_off_leaves_the_next_run_free(
        self, store: Store
    ) -> None:
        await limited(store, "job_a")
        await running(store, await fresh(store), now=FIRST + HOUR)
        assert (await cooldowns(store))[0].is_probing
        await interrupt(store, now=FIRST + HOUR)
        assert not (await cooldowns(store))[0].is_probing

    async def test_it_is_never_shorter_than_what_was_said(self, store: Store) -> None:
        await limited(store, "job_a")
        job = await a_job(store, "job_b", command="true again")
        assert (await admit(store, decide(job), now=FIRST)).started == ()
        # One that was under way says less, and then more.
        shorter = Ending(kind=EndClass.RATE_LIMITED, until=FIRST + MINUTE)
        longer = Ending(kind=EndClass.QUOTA, until=FIRST + 2 * HOUR)
        (before,) = await cooldowns(store)
        for ending, until in ((shorter, before.until), (longer, longer.until)):
            (now,) = await cooldowns(store)
            after = now.prolonged((await running_elsewhere(store)).run, ending, now=FIRST + SECOND)
            assert after.until == until


async def running_elsewhere(store: Store) -> Claimed:
    """A run of a job that uses something else."""
    number = len(await events(store))
    job = await a_job(store, f"job_x{number}", command=f"x{number}")
    return await running(store, job)


async def test_it_is_told_once_and_its_end_once(store: Store) -> None:
    await limited(store, "job_a", "job_b")
    assert [(n.kind, n.is_open) for n in await fold(store)] == [("resource_down", True)]
    probe = await running(store, await fresh(store), now=FIRST + HOUR)
    await settle(store, probe, LIMITED, now=FIRST + HOUR)
    assert len(await fold(store)) == 1
    probe = await running(store, await fresh(store), now=FIRST + 2 * HOUR)
    await settle(store, probe, None, now=FIRST + 2 * HOUR)
    down, back = await fold(store)
    assert (down.is_open, back.kind) == (False, "recovered")


async def test_one_that_nobody_uses_is_closed_after_a_week(store: Store) -> None:
    await limited(store, "job_a")
    week = 7 * 24 * HOUR
    assert await store.write(verbs.cooldowns.close_unused, now=FIRST + week) == 0
    assert await store.write(verbs.cooldowns.close_unused, now=FIRST + week + 2 * HOUR) == 1
    assert await cooldowns(store) == []
