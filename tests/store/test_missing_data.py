"""A database that is taken away, changed from outside, or put back without all of its files."""

import asyncio
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from tests.store.harms import (
    HARMS,
    all_removed,
    contents,
    files_of,
    removed,
)
from tests.store.making import a_job
from universal_agent.errors import DataDirLocked, DataMissing, StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.databases import group_writer, upkeep
from universal_agent.store.databases.accept_loss import accept_loss, find_loss
from universal_agent.store.databases.data_lock import DataLock, is_held
from universal_agent.store.databases.open_files import OpenFiles
from universal_agent.store.store import Store, sqlite_store
from universal_agent.store.tx import Tx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ua.db"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(path: Path, state_dir: Path) -> AsyncIterator[Store]:
    """A store with three jobs in it, open."""
    store = sqlite_store(path, synchronous="OFF", state_dir=state_dir)
    await store.open()
    for n in range(3):
        await a_job(store, f"job_{n}")
    yield store
    await store.close()


async def add_job(path: Path, state_dir: Path, job_id: str) -> None:
    """Open the store, add a job, close it."""
    store = sqlite_store(path, synchronous="OFF", state_dir=state_dir)
    await store.open()
    await a_job(store, job_id)
    await store.close()


def is_failing(store: Store) -> bool:
    return store.last_error is not None


def emptied(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


async def start(path: Path, state_dir: Path | None = None) -> list[str]:
    """Open the store and close it; the jobs it has."""
    store = sqlite_store(path, synchronous="OFF", state_dir=state_dir)
    await store.open()
    try:
        return [job.job_id for job in (await store.read(verbs.jobs.list_jobs, limit=100)).jobs]
    finally:
        await store.close()


class TestWhileItRuns:
    @pytest.mark.parametrize("harm", HARMS)
    async def test_nothing_is_acknowledged_once_a_file_is_not_what_it_was(
        self, store: Store, path: Path, harm: Callable[[Path], None]
    ) -> None:
        harm(path)
        for n in range(2):
            with pytest.raises(StoreUnavailable, match=r"while the gateway ran.*restart"):
                await a_job(store, f"late_{n}")
        assert "ua.db" in (store.last_error or "")

    @pytest.mark.parametrize("harm", HARMS)
    async def test_it_is_noticed_without_a_write(
        self,
        store: Store,
        path: Path,
        harm: Callable[[Path], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(group_writer, "_LOOK_SECONDS", 0.01)
        monkeypatch.setattr(upkeep, "_LONG_QUIET_SECONDS", 0.01)
        harm(path)
        while not await asyncio.to_thread(is_failing, store):
            pass
        assert "while the gateway ran" in (store.last_error or "")

    async def test_a_commit_that_was_under_way_meanwhile_is_not_acknowledged(
        self, store: Store, path: Path
    ) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def slow(tx: Tx) -> None:
            tx.run("set_meta", name="slow", value="x")
            entered.set()
            assert go_on.wait(60)

        writing = asyncio.create_task(store.write(slow))
        assert await asyncio.to_thread(entered.wait, 60)
        removed(path)
        go_on.set()
        with pytest.raises(StoreUnavailable, match=r"shows at the next start"):
            await writing

    async def test_what_is_put_back_is_used_after_a_restart_only(
        self, store: Store, path: Path, state_dir: Path
    ) -> None:
        aside = path.with_name("aside")
        os.rename(path, aside)  # noqa: PTH104
        with pytest.raises(StoreUnavailable):
            await a_job(store, "late")
        os.rename(aside, path)  # noqa: PTH104
        with pytest.raises(StoreUnavailable, match=r"restart"):
            await a_job(store, "later")
        await store.close()
        assert await start(path, state_dir) == ["job_0", "job_1", "job_2"]

    async def test_a_file_that_was_only_touched_or_copied_is_still_the_same(
        self, store: Store, path: Path
    ) -> None:
        shutil.copy2(path, path.with_name("copy"))
        os.utime(path, (0, 0))
        os.chmod(path, 0o640)  # noqa: PTH101
        await a_job(store, "job_3")

    async def test_no_database_is_made_in_the_place_of_one_that_is_gone(
        self, store: Store, path: Path
    ) -> None:
        removed(path)
        with pytest.raises(StoreUnavailable):
            await a_job(store, "late")
        await asyncio.gather(
            *(store.read(verbs.jobs.count_jobs) for _ in range(20)), return_exceptions=True
        )
        assert "ua.db" not in files_of(path)

    async def test_a_folder_that_cannot_be_looked_into_says_nothing_about_the_database(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: object) -> str | None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patched:
            patched.setattr(OpenFiles, "what_is_gone", refuse)
            with pytest.raises(StoreUnavailable, match=r"Permission denied"):
                await a_job(store, "late")
        await a_job(store, "job_3")


OPENS = """
import asyncio, sys
from pathlib import Path
from universal_agent.errors import StartupError
from universal_agent.store.store import sqlite_store

async def main():
    try:
        await sqlite_store(Path(sys.argv[1])).open()
    except StartupError as error:
        print(type(error).__name__, error.message)

asyncio.run(main())
"""


class TestLock:
    @pytest.mark.skipif(sys.platform != "linux", reason="locks of open files")
    async def test_a_second_process_is_refused_though_the_lock_file_is_gone(
        self, store: Store, path: Path
    ) -> None:
        removed(path.with_name("ua.db.lock"))
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPENS, str(path), stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await second.communicate()
        assert answer.startswith(b"DataDirLocked"), answer
        await a_job(store, "job_3")

    async def test_the_lock_file_alone_keeps_a_second_store_out(
        self, store: Store, path: Path
    ) -> None:
        with pytest.raises(DataDirLocked):
            await start(path)
        await a_job(store, "job_3")

    async def test_it_can_be_seen_whether_a_database_is_in_use(
        self, path: Path, state_dir: Path
    ) -> None:
        assert not is_held(path)
        await start(path, state_dir)
        assert not is_held(path)
        lock = DataLock(path)
        assert is_held(path)
        lock.close()
        assert not is_held(path)


def main_file(path: Path) -> tuple[str, int]:
    """What the main file alone says of itself, and the newest event in it."""
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        (word,) = connection.execute("SELECT value FROM meta WHERE name = 'settled'").fetchone()
        (seq,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    return str(word), seq


async def until_main_file_is(store: Store, path: Path, word: str, newest: int) -> None:
    while main_file(path) != (word, newest):
        await store.read(verbs.jobs.count_jobs)


@pytest.fixture
def never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is moved by the first write alone."""
    monkeypatch.setattr(upkeep, "_LONG_QUIET_SECONDS", 3600.0)


@pytest.fixture
def soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is moved as soon as nothing is written."""
    monkeypatch.setattr(upkeep, "_LONG_QUIET_SECONDS", 0.01)


def copied(path: Path, folder: Path, *names: str) -> Path:
    """A copy of some of the database's files in a folder of their own."""
    folder.mkdir()
    for name in names:
        shutil.copyfile(path.with_name(name), folder / name)
    return folder / path.name


class TestStart:
    @pytest.mark.usefixtures("never_quiet")
    async def test_a_copy_without_the_latest_changes_is_refused(
        self, store: Store, path: Path, tmp_path: Path
    ) -> None:
        copy = copied(path, tmp_path / "copy", "ua.db")
        before = contents(copy)
        with pytest.raises(DataMissing, match=r"without its write-ahead log.*ua accept-loss"):
            await start(copy)
        assert contents(copy) == before

    @pytest.mark.usefixtures("soon_quiet")
    async def test_after_a_quiet_moment_a_copy_of_the_one_file_is_complete(
        self, store: Store, path: Path, tmp_path: Path
    ) -> None:
        await until_main_file_is(store, path, "yes", 3)
        copy = copied(path, tmp_path / "copy", "ua.db")
        assert await start(copy) == ["job_0", "job_1", "job_2"]

    @pytest.mark.usefixtures("soon_quiet")
    async def test_the_first_write_after_a_quiet_time_takes_the_word_back(
        self, store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await until_main_file_is(store, path, "yes", 3)
        monkeypatch.setattr(upkeep, "_LONG_QUIET_SECONDS", 3600.0)
        await a_job(store, "job_3")
        await until_main_file_is(store, path, "no", 4)

    @pytest.mark.usefixtures("never_quiet")
    async def test_a_copy_with_its_log_is_complete(
        self, store: Store, path: Path, tmp_path: Path
    ) -> None:
        copy = copied(path, tmp_path / "copy", "ua.db", "ua.db-wal")
        assert await start(copy) == ["job_0", "job_1", "job_2"]

    @pytest.mark.usefixtures("never_quiet")
    async def test_a_log_that_was_lost_with_its_index_is_named_by_the_events_in_it(
        self, store: Store, path: Path, tmp_path: Path
    ) -> None:
        copy = copied(path, tmp_path / "copy", "ua.db", "ua.db.mark")
        with pytest.raises(DataMissing, match=r"event 3 was acknowledged: the 3 latest"):
            await start(copy)

    async def test_an_older_copy_in_the_place_of_the_database_is_refused(
        self, path: Path, tmp_path: Path, state_dir: Path
    ) -> None:
        await add_job(path, state_dir, "job_0")
        older = copied(path, tmp_path / "older", "ua.db")
        await add_job(path, state_dir, "job_1")
        shutil.copyfile(older, path)
        with pytest.raises(DataMissing, match=r"ends at event 1, and event 2 was acknowledged"):
            await start(path, state_dir)

    async def test_a_database_of_another_gateway_is_refused(
        self, path: Path, tmp_path: Path, state_dir: Path
    ) -> None:
        other = tmp_path / "other" / "ua.db"
        for one in (path, other):
            await add_job(one, state_dir, "job_0")
        shutil.copyfile(other, path)
        with pytest.raises(DataMissing, match="not the database that was here before"):
            await start(path, state_dir)

    async def test_a_directory_without_its_database_does_not_start_empty(
        self, path: Path, state_dir: Path
    ) -> None:
        await add_job(path, state_dir, "job_0")
        removed(path)
        with pytest.raises(DataMissing, match="is not there"):
            await start(path, state_dir)
        assert not path.exists()  # noqa: ASYNC240 - a test

    async def test_a_directory_that_was_emptied_does_not_start_empty(
        self, path: Path, state_dir: Path
    ) -> None:
        await add_job(path, state_dir, "job_0")
        emptied(path)
        with pytest.raises(DataMissing, match=r"the folder was emptied.*ua accept-loss"):
            await start(path, state_dir)
        assert files_of(path) == []

    async def test_a_directory_that_was_removed_on_purpose_starts_with_a_warning(
        self, path: Path, state_dir: Path
    ) -> None:
        await add_job(path, state_dir, "job_0")
        path.parent.rename(path.parent.with_name("kept"))
        with structlog.testing.capture_logs() as logs:
            assert await start(path, state_dir) == []
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
            "data_directory_is_new"
        ]

    async def test_a_directory_that_was_removed_under_a_gateway_does_not_start_empty(
        self, store: Store, path: Path, state_dir: Path
    ) -> None:
        all_removed(path)
        with pytest.raises(StoreUnavailable):
            await a_job(store, "late")
        with pytest.raises(DataMissing, match="removed while a gateway ran"):
            await start(path, state_dir)

    async def test_without_a_place_for_notes_a_start_is_as_good(
        self, path: Path, tmp_path: Path
    ) -> None:
        blocked = tmp_path / "file"
        blocked.touch()
        assert await start(path, blocked / "state") == []
        assert await start(path, None) == []


class TestAccepting:
    @pytest.mark.usefixtures("never_quiet")
    async def test_what_is_there_is_gone_on_with_in_a_stream_of_its_own(
        self, store: Store, path: Path, tmp_path: Path
    ) -> None:
        stream = (await store.read(verbs.event_log.log_bounds)).stream_id
        copy = copied(path, tmp_path / "copy", "ua.db", "ua.db.mark")
        assert "event 3" in (find_loss(copy, None) or "")
        accept_loss(copy, None)
        assert find_loss(copy, None) is None
        again = sqlite_store(copy, synchronous="OFF")
        await again.open()
        assert (await again.read(verbs.event_log.log_bounds)).stream_id != stream
        await again.close()
        await add_job(copy, tmp_path / "state", "job_9")
        assert await start(copy) == ["job_9"]

    async def test_a_directory_may_start_empty_once_that_is_accepted(
        self, path: Path, state_dir: Path
    ) -> None:
        await add_job(path, state_dir, "job_0")
        removed(path)
        accept_loss(path, state_dir)
        assert find_loss(path, state_dir) is None
        assert await start(path, state_dir) == []

    async def test_nothing_is_accepted_under_a_running_gateway(
        self, store: Store, path: Path, state_dir: Path
    ) -> None:
        with pytest.raises(DataDirLocked):
            accept_loss(path, state_dir)
