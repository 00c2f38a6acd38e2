"""Processes claim runs under their id, and what a lost one leaves is closed once."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.store.conftest import OpenAgain
from tests.store.making import (
    FIRST,
    NOON,
    PROCESS,
    SECOND,
    a_job,
    admit,
    claim,
    decide,
    finish,
    kinds,
    missed_ids,
    running,
    waiting,
)
from universal_agent.domain.process import Process
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.store import verbs
from universal_agent.store.store import Store

OTHER = Process(process_id="proc_2", host="there", started_at=NOON + SECOND)
SILENT = timedelta(seconds=30)


async def the_run(store: Store, run_id: RunId) -> Run:
    run = await store.read(verbs.runs.get_run, run_id)
    assert run is not None
    return run


async def silent(
    store: Store, *, now: datetime, silent_for: timedelta | None = SILENT
) -> list[str]:
    return await store.read(
        verbs.processes.silent_processes, but=OTHER.process_id, silent_for=silent_for, now=now
    )


async def close(
    store: Store,
    process_id: str = PROCESS.process_id,
    *,
    now: datetime,
    silent_for: timedelta | None = SILENT,
    number: int = 9,
) -> tuple[RunId, ...] | None:
    return await store.write(
        verbs.processes.close_process,
        process_id,
        silent_for=silent_for,
        now=now,
        outage_id="out_1",
        missed_ids=missed_ids(number),
    )


async def beat(store: Store, *, now: datetime) -> bool:
    return await store.write(verbs.processes.beat, PROCESS.process_id, now=now)


class TestClaims:
    async def test_a_claim_names_its_process(self, store: Store) -> None:
        started = await running(store, await a_job(store))
        queued = await waiting(store, await a_job(store, "job_b"))
        assert (await the_run(store, started.run.run_id)).process_id == PROCESS.process_id
        assert (await the_run(store, queued)).process_id is None
        await claim(store)
        assert (await the_run(store, queued)).process_id == PROCESS.process_id

    async def test_a_process_that_was_given_up_claims_nothing(self, store: Store) -> None:
        await close(store, now=NOON, silent_for=None)
        run_id = await waiting(store, await a_job(store))
        admission = await admit(store, decide(await a_job(store, "job_b")))
        assert (admission.started, admission.queued_count) == ((), 1)
        assert (await claim(store)).claimed == ()
        assert (await the_run(store, run_id)).status is RunStatus.QUEUED

    async def test_an_end_counts_only_under_the_claim_it_belongs_to(self, store: Store) -> None:
        """The claim went back to the queue, and another process has the same run now."""
        stale = await running(store, await a_job(store))
        await store.write(verbs.execution.requeue, [stale.run], now=FIRST)
        await store.write(verbs.processes.register, OTHER, now=NOON)
        taken = await store.write(
            verbs.execution.claim, free_workers=1, process=OTHER, now=FIRST + SECOND
        )
        before = await kinds(store)
        await finish(store, stale, status=RunStatus.ERROR)
        await store.write(verbs.execution.requeue, [stale.run], now=FIRST)
        assert await kinds(store) == before
        run = await the_run(store, stale.run.run_id)
        assert (run.status, run.process_id) == (RunStatus.RUNNING, OTHER.process_id)
        await finish(store, *taken.claimed)
        assert (await the_run(store, stale.run.run_id)).status is RunStatus.SUCCESS


class TestSilence:
    async def test_a_process_is_lost_after_thirty_seconds_without_a_beat(
        self, store: Store
    ) -> None:
        assert await beat(store, now=NOON + 5 * SECOND)
        assert await silent(store, now=NOON + 34 * SECOND) == []
        assert await silent(store, now=NOON + 35 * SECOND) == [PROCESS.process_id]

    async def test_where_the_lock_proves_it_every_other_process_is_lost(self, store: Store) -> None:
        await store.write(verbs.processes.register, OTHER, now=NOON)
        assert await beat(store, now=NOON + 5 * SECOND)
        back = NOON - timedelta(days=1)  # the clock may have been set back since
        assert await silent(store, now=back, silent_for=None) == [PROCESS.process_id]

    async def test_one_that_beats_again_before_it_is_closed_is_left_alone(
        self, store: Store
    ) -> None:
        claimed = await running(store, await a_job(store))
        late = FIRST + timedelta(minutes=1)
        assert await silent(store, now=late) == [PROCESS.process_id]
        assert await beat(store, now=late)
        assert await close(store, now=late) is None
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.RUNNING

    async def test_its_row_goes_with_the_last_of_its_runs(self, store: Store) -> None:
        runs = [await running(store, await a_job(store, f"job_{n}")) for n in range(3)]
        late = FIRST + timedelta(minutes=1)
        assert len(await close(store, now=late, number=2) or ()) == 2
        assert await silent(store, now=late) == [PROCESS.process_id]
        assert len(await close(store, now=late, number=2) or ()) == 1
        assert await silent(store, now=late) == []
        assert await close(store, now=late) is None
        assert not await beat(store, now=late)
        statuses = {(await the_run(store, one.run.run_id)).status for one in runs}
        assert statuses == {RunStatus.INTERRUPTED}

    async def test_the_runs_of_another_process_go_on(self, store: Store) -> None:
        await store.write(verbs.processes.register, OTHER, now=FIRST)
        admission = await store.write(
            verbs.admission.admit,
            [decide(await a_job(store))],
            free_workers=1,
            process=OTHER,
            now=FIRST,
        )
        assert await close(store, now=FIRST, silent_for=None) == ()
        (claimed,) = admission.started
        await finish(store, claimed)
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.SUCCESS


@pytest.mark.parametrize("process_id", [None, "proc_that_is_nowhere"])
async def test_a_claim_without_a_process_is_closed_like_any_other(
    store_again: OpenAgain, tmp_path: Path, process_id: str | None
) -> None:
    """As an earlier version has left it, which knew no processes."""
    store = store_again()
    await store.open()
    await store.write(verbs.processes.register, PROCESS, now=NOON)
    claimed = await running(store, await a_job(store))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "ua.db")) as connection, connection:
        connection.execute("UPDATE runs SET process_id = ?", (process_id,))
    store = store_again()
    await store.open()
    await store.write(verbs.processes.register, OTHER, now=FIRST)
    for lost in await silent(store, now=FIRST, silent_for=None):
        await close(store, lost, now=FIRST, silent_for=None)
    assert (await the_run(store, claimed.run.run_id)).status is RunStatus.INTERRUPTED
    assert await silent(store, now=FIRST, silent_for=None) == []
    await store.close()
