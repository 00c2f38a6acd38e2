"""How a database file is made, opened, backed up and migrated."""

import asyncio
import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.databases import filled, largest_file, opened
from tests.store.making import NOON, fresh, new_job
from universal_agent.domain.events import job_created
from universal_agent.errors import StartupError, StoreCorrupt, StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.databases.migrate import migrate, migrations, newest_schema, schema_of
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.memory import Memory


def start_and_stop(path: Path) -> int:
    """Open the store and close it; how many jobs it has."""

    async def run() -> int:
        store = await opened(path)
        count = await store.read(verbs.jobs.count_jobs)
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
    monkeypatch.setattr("universal_agent.store.databases.migrate.migrations", lambda dialect: known)
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
            patch.setattr("universal_agent.store.databases.sqlite.migrate", killed)
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
            patch.setattr(
                "universal_agent.store.databases.migrate.migrations", lambda dialect: known
            )
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
                patch.setattr(
                    "universal_agent.store.databases.migrate.migrations", lambda dialect: older
                )
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

    @pytest.mark.parametrize(("events", "forgotten"), [(0, 0), (5, 0), (5, 4)])
    def test_the_log_of_before_goes_on_after_its_newest_event(
        self, events: int, forgotten: int
    ) -> None:
        """Migration 24: the table itself had numbered its rows."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            with pytest.MonkeyPatch.context() as patch:
                older = [one for one in migrations("sqlite") if one[0] < 24]
                patch.setattr(
                    "universal_agent.store.databases.migrate.migrations", lambda dialect: older
                )
                migrate(connection, dialect="sqlite")
            for _ in range(events):
                connection.execute(
                    "INSERT INTO events (source, type, timestamp, source_ref, owner_id, status, "
                    "data) VALUES ('cron', 'cron_job_created', 0, 'a', '', '', '{}')"
                )
            connection.execute("DELETE FROM events WHERE seq <= ?", (forgotten,))
            migrate(connection, dialect="sqlite")
            tx = SqliteTx(connection, Memory())
            tx.append(job_created(new_job(), now=NOON))
            tx.log_events()
            seqs = connection.execute("SELECT seq FROM events ORDER BY seq").fetchall()
        assert seqs == [(seq,) for seq in range(forgotten + 1, events + 2)]


async def test_a_job_made_at_noon_is_there_at_the_next_start(path: Path) -> None:
    await filled(path, 1)
    store = await opened(path)
    assert await fresh(store, "job_0") == new_job("job_0", now=NOON)
    await store.close()
