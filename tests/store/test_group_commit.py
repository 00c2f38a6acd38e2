"""Writes that share a commit, and reads on one snapshot."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.store.databases import Gate, meta, set_meta
from tests.store.making import NOON, a_job, finish, fresh, register_again, running
from universal_agent.domain.job import Job
from universal_agent.domain.run import RunStatus
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.log_tail import LogTail
from universal_agent.store.store import Store
from universal_agent.store.tx import Lane, Tx


class TestGroupCommit:
    async def test_a_function_that_fails_takes_back_its_own_changes_alone(
        self, database: SqliteDatabase
    ) -> None:
        def fail(tx: Tx) -> None:
            set_meta(tx, "b")
            raise ValueError("no")

        gate = Gate()
        held = await gate.closed(database)
        together = asyncio.gather(
            database.write(lambda tx: set_meta(tx, "a")),
            database.write(fail),
            database.write(lambda tx: set_meta(tx, "c")),
            return_exceptions=True,
        )
        await asyncio.to_thread(int)
        gate.open()
        a, b, c = await together
        assert (a, repr(b), c) == ("a", "ValueError('no')", "c")
        assert [await database.read(partial(meta, name=n), Lane.SHORT) for n in "abc"] == [
            "x",
            None,
            "x",
        ]
        await held

    async def test_a_spec_whose_commit_failed_is_never_run(self, path: Path) -> None:
        """A command that was answered 503 ran: the cache had taken it from the transaction."""

        def fill_the_disk(tx: Tx) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        def edited(job: Job, command: str) -> Job:
            spec = replace(job.spec, command=command)
            return job.replaced_by(spec, now=NOON, next_run_at=job.next_run_at, continues=True)

        database = SqliteDatabase(path, synchronous="OFF")
        store = Store(database, LogTail())
        await store.open()
        await store.write(register_again)
        job = await a_job(store, retries=1)
        claimed = await running(store, job)
        job = await fresh(store)

        async def put(edited: Job) -> Job | None:
            return await store.write(
                verbs.jobs.update_job,
                edited,
                replaces=job,
                closed_at=NOON,
                changed=[],
                now=NOON,
            )

        gate = Gate()
        held = await gate.closed(database)
        together = asyncio.gather(
            put(edited(job, "refused")),
            finish(store, claimed, status=RunStatus.ERROR),  # looks at the job as it is now
            database.write(fill_the_disk),
            return_exceptions=True,
        )
        await asyncio.to_thread(int)
        gate.open()
        assert [type(outcome) for outcome in await together] == [StoreUnavailable] * 3
        await held
        assert await put(edited(job, "accepted")) is not None
        assert (await fresh(store)).spec.command == "accepted"
        await store.close()

    async def test_a_caller_who_gives_up_harms_nobody(self, database: SqliteDatabase) -> None:
        gate = Gate()
        held = await gate.closed(database)
        gone = asyncio.create_task(database.write(lambda tx: set_meta(tx, "a")))
        stays = asyncio.create_task(database.write(lambda tx: set_meta(tx, "b")))
        await asyncio.to_thread(int)
        gone.cancel()
        gate.open()
        assert await stays == "b"
        assert await database.read(lambda tx: meta(tx, "a"), Lane.SHORT) == "x", (
            "it was on its way already"
        )
        await held

    async def test_a_reader_sees_one_snapshot_however_long_it_takes(
        self, database: SqliteDatabase
    ) -> None:
        await database.write(lambda tx: set_meta(tx, "a", "old"))
        begun, go_on = threading.Event(), threading.Event()

        def read_twice(tx: Tx) -> tuple[str | None, str | None]:
            first = meta(tx, "a")
            begun.set()
            assert go_on.wait(timeout=60)
            return first, meta(tx, "a")

        reading = asyncio.create_task(database.read(read_twice, Lane.SHORT))
        assert await asyncio.to_thread(begun.wait, 60)
        await database.write(lambda tx: set_meta(tx, "a", "new"))
        go_on.set()
        assert await reading == ("old", "old")
        assert await database.read(lambda tx: meta(tx, "a"), Lane.SHORT) == "new"

    async def test_a_reader_cannot_write(self, database: SqliteDatabase) -> None:
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await database.read(lambda tx: set_meta(tx, "a"), Lane.SHORT)

    async def test_what_is_asked_for_while_it_closes_is_refused_and_not_left_waiting(
        self, database: SqliteDatabase
    ) -> None:
        gate = Gate()
        held = await gate.closed(database)
        asked = asyncio.create_task(database.write(lambda tx: set_meta(tx, "a")))
        await asyncio.to_thread(int)
        closing = asyncio.create_task(database.close())
        await asyncio.to_thread(int)
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.write(lambda tx: set_meta(tx, "b"))
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.read(lambda tx: meta(tx, "a"), Lane.SHORT)
        gate.open()
        assert await asked == "a"
        await asyncio.gather(closing, held)
