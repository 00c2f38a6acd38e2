"""A database that is not sound is refused by name, and left exactly as it is."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from universal_agent.errors import DataMissing, StoreCorrupt
from universal_agent.store import verbs
from universal_agent.store.store import sqlite_store

PAGE = 4096


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "ua.db"


@pytest.fixture
async def closed(database: Path) -> Path:
    """A database that was closed well; all of it is in one file."""
    store = sqlite_store(database)
    await store.open()
    await store.close()
    assert not wal(database).exists()
    return database


@pytest.fixture
async def killed(database: Path) -> Path:
    """A database whose process was killed: its latest commits are in the write-ahead log."""
    store = sqlite_store(database)
    await store.open()
    kept = {path: path.read_bytes() for path in (database, wal(database))}
    await store.close()
    for path, content in kept.items():
        path.write_bytes(content)
    assert wal(database).stat().st_size
    return database


@pytest.fixture
async def crashed(database: Path, tmp_path: Path) -> Path:
    """Everything that a killed process leaves, the index of its write-ahead log included."""
    store = sqlite_store(database)
    await store.open()
    left = tmp_path / "left"
    left.mkdir()
    for path in (database, wal(database), database.with_name("ua.db-shm")):
        shutil.copyfile(path, left / path.name)
    await store.close()
    return left / database.name


def wal(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path, *, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def refused(database: Path) -> str:
    """The refusal's sentence, once it is certain that nothing was touched."""
    before = {path: path.read_bytes() for path in (database, wal(database)) if path.exists()}
    store = sqlite_store(database)
    with pytest.raises((StoreCorrupt, DataMissing)) as refusal:
        await store.open()
    after = {path: path.read_bytes() for path in (database, wal(database)) if path.exists()}
    assert after == before
    assert str(database) in refusal.value.message
    return refusal.value.message


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(cut_in_half, id="cut in half"),
        pytest.param(lambda path: overwrite(path, page=0), id="no header"),
        pytest.param(lambda path: overwrite(path, page=3), id="one page overwritten"),
        pytest.param(lambda path: os.truncate(path, 0), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"a diary, not a database\n"), id="other"),
    ],
)
async def test_a_damaged_database_is_refused_and_left_as_it_is(
    closed: Path, damage: Callable[[Path], None]
) -> None:
    damage(closed)
    assert "left as it is" in await refused(closed)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(cut_in_half, id="cut in half"),
        pytest.param(lambda path: os.truncate(path, 0), id="empty"),
        pytest.param(Path.unlink, id="gone"),
    ],
)
async def test_a_write_ahead_log_beside_a_damaged_database_is_left_too(
    killed: Path, damage: Callable[[Path], None]
) -> None:
    damage(killed)
    assert "left as it is" in await refused(killed)


def cut_the_last_byte(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def flip_a_bit_in_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(lambda path: os.truncate(path, 0), id="empty"),
        pytest.param(cut_the_last_byte, id="last byte gone"),
        pytest.param(flip_a_bit_in_the_middle, id="bit flipped"),
    ],
)
async def test_a_write_ahead_log_that_lost_acknowledged_changes_is_refused(
    crashed: Path, damage: Callable[[Path], None]
) -> None:
    """SQLite would open the database as it was before them, and say nothing."""
    damage(wal(crashed))
    assert "ua.db-wal" in await refused(crashed)


async def test_what_a_killed_process_leaves_opens_with_all_it_had(crashed: Path) -> None:
    store = sqlite_store(crashed)
    await store.open()
    assert (await store.read(verbs.event_log.log_bounds)).stream_id
    await store.close()


async def test_a_database_that_was_left_by_a_kill_opens_with_all_it_had(killed: Path) -> None:
    store = sqlite_store(killed)
    await store.open()
    bounds = await store.read(verbs.event_log.log_bounds)
    await store.close()
    with closing(sqlite3.connect(killed)) as connection:
        (kept,) = connection.execute("SELECT value FROM meta WHERE name = 'stream_id'").fetchone()
    assert bounds.stream_id == kept


async def test_a_first_start_that_was_killed_half_way_is_a_first_start_again(
    database: Path,
) -> None:
    database.with_name("ua.db.new").write_bytes(b"half of a dat")
    database.with_name("ua.db.new-wal").write_bytes(b"half of a log")
    store = sqlite_store(database)
    await store.open()
    await store.close()
    assert mode_of(database) == 0o600
