"""What SQLite adds to the promises: one file, one writer thread, one process."""

import asyncio
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.store.making import NOON, a_job, events, finish, fresh, new_job, running
from universal_agent.domain.job import Job
from universal_agent.domain.run import RunStatus
from universal_agent.errors import DataDirLocked, StartupError, StoreCorrupt, StoreUnavailable
from universal_agent.store.log_tail import LogTail
from universal_agent.store.migrate import migrate, migrations, newest_schema, schema_of
from universal_agent.store.sql import SqlStore, sqlite_store
from universal_agent.store.sqlite import SqliteDatabase
from universal_agent.store.tx import Tx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ua.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(path, synchronous="OFF")
    await database.open()
    yield database
    await database.close()


async def opened(path: Path) -> SqlStore:
    store = sqlite_store(path, synchronous="OFF")
    await store.open()
    return store


async def filled(path: Path, jobs: int = 3) -> None:
    """A database with some jobs in it, closed again."""
    store = await opened(path)
    for n in range(jobs):
        await a_job(store, f"job_{n}")
    await store.close()


def set_meta(tx: Tx, name: str, value: str = "x") -> str:
    tx.run("set_meta", name=name, value=value)
    return name


def meta(tx: Tx, name: str) -> str | None:
    row = tx.one("get_meta", name=name)
    return None if row is None else str(row[0])


class Gate:
    """Holds the writer thread, so that what is asked for meanwhile shares one commit."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()

    def hold(self, tx: Tx) -> None:
        self._entered.set()
        assert self._open.wait(timeout=60)

    async def closed(self, database: SqliteDatabase) -> asyncio.Task[None]:
        held = asyncio.create_task(database.write(self.hold))
        assert await asyncio.to_thread(self._entered.wait, 60)
        return held

    def open(self) -> None:
        self._open.set()


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
        assert [await database.read(partial(meta, name=n)) for n in "abc"] == [
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
        store = SqlStore(database, LogTail())
        await store.open()
        job = await a_job(store, retries=1)
        claimed = await running(store, job)
        job = await fresh(store)
        put = partial(store.update_job, replaces=job, closed_at=NOON, changed=[], now=NOON)
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
        assert await database.read(lambda tx: meta(tx, "a")) == "x", "it was on its way already"
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

        reading = asyncio.create_task(database.read(read_twice))
        assert await asyncio.to_thread(begun.wait, 60)
        await database.write(lambda tx: set_meta(tx, "a", "new"))
        go_on.set()
        assert await reading == ("old", "old")
        assert await database.read(lambda tx: meta(tx, "a")) == "new"

    async def test_a_reader_cannot_write(self, database: SqliteDatabase) -> None:
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await database.read(lambda tx: set_meta(tx, "a"))

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
            await database.read(lambda tx: meta(tx, "a"))
        gate.open()
        assert await asked == "a"
        await asyncio.gather(closing, held)


#: A command that needs more room than a small database has.
BIG = "x" * 1_000_000


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes meanwhile: writing fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def is_failing(store: SqlStore) -> bool:
    return store.last_error is not None


def size_of(path: Path) -> int:
    return path.stat().st_size


def largest_of(path: Path) -> int:
    """The size of the largest file of a database: none can grow beyond it, all can be used."""
    return max(size_of(file) for file in path.parent.glob(path.name + "*"))


class CrampedDatabase(SqliteDatabase):
    """A database that may not have more pages than it is told."""

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
            assert [job.job_id for job in (await store.list_jobs(limit=9)).jobs] == ["job_a"]
        await a_job(store, "job_b", command=BIG)
        assert not is_failing(store)
        assert [event.seq for event in await events(store)] == [1, 2]
        await store.close()
        again = await opened(path)
        assert [event.seq for event in await events(again)] == [1, 2]
        assert await again.count_jobs() == 2
        await again.close()

    async def test_it_is_found_out_without_a_request_that_the_disk_is_well_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("universal_agent.store.sqlite._PROBE_SECONDS", 0.01)
        await filled(path, 0)
        database = CrampedDatabase(path, synchronous="OFF")
        database.most_pages = size_of(path) // 4096
        store = SqlStore(database, LogTail())
        await store.open()
        with pytest.raises(StoreUnavailable):
            await a_job(store, command=BIG)
        while is_failing(store):
            await store.count_jobs()
        await a_job(store)
        await store.close()

    async def test_a_full_database_refuses_writes_until_there_is_room(self, path: Path) -> None:
        await filled(path, 1)
        database = CrampedDatabase(path, synchronous="OFF")
        database.most_pages = size_of(path) // 4096
        store = SqlStore(database, LogTail())
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
        assert await database.read(lambda tx: meta(tx, "a0")) is None
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
            await store.list_jobs(limit=500)
        with pytest.raises(StoreUnavailable):
            await a_job(store, "job_new")
        assert is_failing(store)
        await store.close()


WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from tests.store.making import NOON, new_job
from universal_agent.store.sql import sqlite_store

async def main():
    store = sqlite_store(Path(sys.argv[1]))
    await store.open()
    for n in range(1_000_000):
        job = await store.create_job(new_job(f"job_{n:06}"), now=NOON)
        print(job.job_id, flush=True)

asyncio.run(main())
"""

OPENS = """
import asyncio, sys
from pathlib import Path
from universal_agent.errors import StartupError
from universal_agent.store.sql import sqlite_store

async def main():
    try:
        await sqlite_store(Path(sys.argv[1])).open()
    except StartupError as error:
        print(type(error).__name__, error.message)

asyncio.run(main())
"""


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    )


class TestOneProcess:
    async def test_a_second_process_is_refused_and_told_who_has_it(self, path: Path) -> None:
        store = await opened(path)
        with python(OPENS, str(path)) as second:
            answer, _ = second.communicate(timeout=60)
        assert answer.startswith("DataDirLocked")
        assert f"pid {os.getpid()}" in answer
        assert str(path.parent) in answer
        await store.close()

    async def test_so_is_a_second_store_of_this_process(self, path: Path) -> None:
        store = await opened(path)
        with pytest.raises(DataDirLocked):
            await opened(path)
        await a_job(store)
        await store.close()
        again = await opened(path)
        await again.close()

    async def test_what_was_acknowledged_outlives_a_kill(self, path: Path) -> None:
        acknowledged: list[str] = []
        with python(WRITES_UNTIL_KILLED, str(path)) as writer:
            assert writer.stdout is not None
            while len(acknowledged) < 40:
                acknowledged.append(writer.stdout.readline().strip())
            writer.kill()
            acknowledged += writer.stdout.read().split()
        store = await opened(path)  # the lock went with the process
        page = await store.list_jobs(limit=100_000)
        kept = [job.job_id for job in page.jobs]
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) - len(acknowledged) <= 1
        assert [event.seq for event in await events(store)] == list(range(1, len(kept) + 1))
        await store.close()
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def start_and_stop(path: Path) -> int:
    """Open the store and close it; how many jobs it has."""

    async def run() -> int:
        store = await opened(path)
        count = await store.count_jobs()
        await store.close()
        return count

    return asyncio.run(run())


def fill(path: Path, jobs: int = 3) -> None:
    asyncio.run(filled(path, jobs))


class TestStart:
    """Tests without an event loop of their own: they handle files."""

    def test_one_of_a_newer_version_is_refused_and_left_as_it_is(self, path: Path) -> None:
        fill(path)
        newest = newest_schema("sqlite")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {newest + 1}")
        before = path.read_bytes()
        with pytest.raises(StoreCorrupt, match=f"schema {newest + 1}"):
            start_and_stop(path)
        assert path.read_bytes() == before

    def test_a_folder_that_is_a_file_is_not_called_damaged(self, path: Path) -> None:
        path.parent.write_bytes(b"")
        with pytest.raises(StartupError, match="cannot be used") as caught:
            start_and_stop(path)
        assert not isinstance(caught.value, StoreCorrupt)

    def test_after_a_refusal_the_lock_is_free_again(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"garbage" * 1000)
        for _ in range(2):
            with pytest.raises(StoreCorrupt):
                start_and_stop(path)

    def test_only_its_owner_can_read_it(self, path: Path) -> None:
        fill(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_a_full_disk_at_the_first_start_leaves_nothing_behind(self, path: Path) -> None:
        with largest_file(0), pytest.raises(StartupError, match="cannot be opened"):
            start_and_stop(path)
        assert start_and_stop(path) == 0

    def test_a_full_disk_at_a_later_start_leaves_nothing_behind(self, path: Path) -> None:
        fill(path)
        with largest_file(0), pytest.raises((StartupError, StoreUnavailable)):
            start_and_stop(path)
        assert [t.name for t in threading.enumerate() if t.name.startswith("ua-store")] == []
        assert start_and_stop(path) == 3


class Snapshotting(sqlite3.Connection):
    """Copies the files before each statement: what a process killed there would leave."""

    source: Path
    target: Path
    count = 0

    def execute(self, sql: str, parameters: object = ()) -> sqlite3.Cursor:
        folder = self.target / f"{self.count:03}"
        folder.mkdir()
        Snapshotting.count += 1
        for file in self.source.parent.glob(self.source.name + "*"):
            shutil.copy(file, folder / file.name)
        return super().execute(sql)


@pytest.fixture
def one_more_migration(monkeypatch: pytest.MonkeyPatch) -> int:
    """A release with one more migration than there is; the number of it."""
    number = newest_schema("sqlite") + 1
    script = "CREATE TABLE more (a);\nINSERT INTO more VALUES (1);\nALTER TABLE more ADD b;\n"
    known = [*migrations("sqlite"), (number, "more", script)]
    monkeypatch.setattr("universal_agent.store.migrate.migrations", lambda dialect: known)
    return number


class TestMigration:
    def test_a_kill_at_any_statement_leaves_the_old_schema_or_the_new_one(
        self, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        path = tmp_path / "old" / "ua.db"
        fill(path)
        new = request.getfixturevalue("one_more_migration")
        snapshots = tmp_path / "snapshots"
        snapshots.mkdir()
        Snapshotting.source, Snapshotting.target, Snapshotting.count = path, snapshots, 0
        with closing(
            sqlite3.connect(path, isolation_level=None, factory=Snapshotting)
        ) as connection:
            migrate(connection, dialect="sqlite")

        for folder in sorted(snapshots.iterdir()):
            with closing(sqlite3.connect(folder / path.name)) as left:
                tables = left.execute("SELECT name FROM sqlite_schema WHERE name = 'more'")
                assert (schema_of(left), tables.fetchall()) == (new - 1, [])
            assert start_and_stop(folder / path.name) == 3
            with closing(sqlite3.connect(folder / path.name)) as upgraded:
                assert schema_of(upgraded) == new
                assert upgraded.execute("SELECT a, b FROM more").fetchall() == [(1, None)]
        assert Snapshotting.count >= 6, "one before each statement"

    def test_the_database_is_copied_before_it_is_upgraded(
        self, path: Path, request: pytest.FixtureRequest
    ) -> None:
        fill(path, 3)
        new = request.getfixturevalue("one_more_migration")
        start_and_stop(path)
        copy = path.with_name(f"ua.db.schema-{new - 1}")
        assert copy.stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(copy)) as connection:
            assert schema_of(connection) == new - 1
            assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (3,)

    def test_a_new_database_has_no_older_one_to_copy(self, path: Path) -> None:
        fill(path)
        assert sorted(file.name for file in path.parent.iterdir()) == [
            "ua.db",
            "ua.db.lock",
            "ua.db.mark",
        ]

    def test_a_kill_while_the_first_database_is_made_leaves_none_by_its_name(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(connection: sqlite3.Connection, *, dialect: str) -> None:
            connection.execute("CREATE TABLE half (a)")
            raise InterruptedError(4, "killed")

        with monkeypatch.context() as patch:
            patch.setattr("universal_agent.store.sqlite.migrate", killed)
            with pytest.raises(StartupError, match="killed"):
                start_and_stop(path)
        assert not path.exists()
        assert start_and_stop(path) == 0

    def test_a_statement_that_fails_takes_its_whole_migration_back(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(path)
        number = newest_schema("sqlite") + 1
        broken = (number, "broken", "CREATE TABLE more (a);\nCREATE TABLE jobs (a);\n")
        known = [*migrations("sqlite"), broken]
        with monkeypatch.context() as patch:
            patch.setattr("universal_agent.store.migrate.migrations", lambda dialect: known)
            with pytest.raises(StartupError, match="already exists"):
                start_and_stop(path)
        assert start_and_stop(path) == 3

    def test_migrations_are_numbered_without_a_gap(self) -> None:
        numbers = [number for number, _, _ in migrations("sqlite")]
        assert numbers == list(range(1, len(numbers) + 1))

    def test_jobs_of_before_are_counted_by_what_their_specs_say(self) -> None:
        """Migration 11: whether a job is enabled was in its spec alone."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            with pytest.MonkeyPatch.context() as patch:
                older = [one for one in migrations("sqlite") if one[0] < 11]
                patch.setattr("universal_agent.store.migrate.migrations", lambda dialect: older)
                migrate(connection, dialect="sqlite")
            for job_id, versions in {"on": [False, True], "off": [True, False]}.items():
                for version, enabled in enumerate(versions, start=1):
                    connection.execute(
                        "INSERT INTO job_versions (job_id, version, spec, effective_from) "
                        "VALUES (?, ?, ?, 0)",
                        (job_id, version, json.dumps({"enabled": enabled})),
                    )
                connection.execute(
                    "INSERT INTO jobs (job_id, source, version, owner_id, created_at, "
                    "effective_from) VALUES (?, 'cron', 2, 'default', 0, 0)",
                    (job_id,),
                )
            migrate(connection, dialect="sqlite")
            found = connection.execute("SELECT job_id, enabled FROM jobs").fetchall()
        assert dict(found) == {"on": 1, "off": 0}


async def test_a_job_made_at_noon_is_there_at_the_next_start(path: Path) -> None:
    await filled(path, 1)
    store = await opened(path)
    assert await fresh(store, "job_0") == new_job("job_0", now=NOON)
    await store.close()
