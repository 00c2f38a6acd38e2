"""A disk that is full, broken or slow."""

import asyncio
import os
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from tests.store.databases import Gate, filled, largest_file, meta, opened, set_meta
from tests.store.making import a_job, events, fresh
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.log_tail import LogTail
from universal_agent.store.store import Store
from universal_agent.store.tx import Lane

#: A command that needs more room than a small database has.
BIG = "x" * 1_000_000


def is_failing(store: Store) -> bool:
    return store.last_error is not None


def size_of(path: Path) -> int:
    return path.stat().st_size


def largest_of(path: Path) -> int:
    """The size of the largest file of a database: none can grow beyond it, all can be used."""
    return max(size_of(file) for file in path.parent.glob(path.name + "*"))


class CrampedDatabase(SqliteDatabase):
    """A database with a limit on its pages."""

    most_pages = 0

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = super()._connect(path)
        if self.most_pages:
            connection.execute(f"PRAGMA max_page_count = {self.most_pages}")
        return connection


class TestFailingDisk:
    async def test_a_write_that_cannot_be_kept_is_refused_and_the_store_recovers_by_itself(
        self, path: Path
    ) -> None:
        store = await opened(path)
        await a_job(store, "job_a")
        with largest_file(largest_of(path)):
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="nothing was changed"):
                    await a_job(store, "job_b", command=BIG)
            assert is_failing(store)
            assert [
                job.job_id for job in (await store.read(verbs.jobs.list_jobs, limit=9)).jobs
            ] == ["job_a"]
        await a_job(store, "job_b", command=BIG)
        assert not is_failing(store)
        assert [event.seq for event in await events(store)] == [1, 2]
        await store.close()
        again = await opened(path)
        assert [event.seq for event in await events(again)] == [1, 2]
        assert await again.read(verbs.jobs.count_jobs) == 2
        await again.close()

    async def test_it_is_found_out_without_a_request_that_the_disk_is_well_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("universal_agent.store.databases.group_writer._PROBE_SECONDS", 0.01)
        await filled(path, 0)
        database = CrampedDatabase(path, synchronous="OFF")
        database.most_pages = size_of(path) // 4096
        store = Store(database, LogTail())
        await store.open()
        with pytest.raises(StoreUnavailable):
            await a_job(store, command=BIG)
        while is_failing(store):
            await store.read(verbs.jobs.count_jobs)
        await a_job(store)
        await store.close()

    async def test_a_full_database_refuses_writes_until_there_is_room(self, path: Path) -> None:
        await filled(path, 1)
        database = CrampedDatabase(path, synchronous="OFF")
        database.most_pages = size_of(path) // 4096
        store = Store(database, LogTail())
        await store.open()
        with pytest.raises(StoreUnavailable, match="full"):
            await a_job(store, "job_b", command=BIG)
        assert "full" in str(store.last_error)
        assert (await fresh(store, "job_0")).spec.command == "true"
        database.most_pages = 100_000
        await a_job(store, "job_b", command=BIG)
        assert not is_failing(store)
        assert [event.seq for event in await events(store)] == [1, 2]
        await store.close()

    async def test_all_who_shared_the_commit_are_refused(self, path: Path) -> None:
        database = SqliteDatabase(path, synchronous="OFF")
        await database.open()
        gate = Gate()
        held = await gate.closed(database)
        together = asyncio.gather(
            *(database.write(partial(set_meta, name=f"a{n}", value=BIG)) for n in range(5)),
            return_exceptions=True,
        )
        await asyncio.to_thread(int)
        with largest_file(largest_of(path)):
            gate.open()
            refused = await together
        assert [type(one) for one in refused] == [StoreUnavailable] * 5
        assert await database.read(lambda tx: meta(tx, "a0"), Lane.SHORT) is None
        assert await database.write(lambda tx: set_meta(tx, "a0")) == "a0"
        await held
        await database.close()

    async def test_pages_that_go_bad_while_it_runs_are_the_disks_fault(self, path: Path) -> None:
        store = await opened(path)
        for n in range(200):
            await a_job(store, f"job_{n}", command="x" * 2000)
        await store.close()
        store = await opened(path)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size_of(path) - 4096))
        with pytest.raises(StoreUnavailable):
            await store.read(verbs.jobs.list_jobs, limit=500)
        with pytest.raises(StoreUnavailable):
            await a_job(store, "job_new")
        assert is_failing(store)
        await store.close()
