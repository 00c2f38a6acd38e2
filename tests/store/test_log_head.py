"""The log has no gaps, and its order is the order of the commits, whoever writes and however."""

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.shared_file import connect, shared_store
from tests.store.making import NOON, a_job, events, new_job
from universal_agent.domain.events import NewEvent, job_created
from universal_agent.store import verbs
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.memory import Memory
from universal_agent.store.store import Store
from universal_agent.store.tx import Tx


def an_event(name: str) -> NewEvent:
    return job_created(new_job(name), now=NOON)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(connect(tmp_path / "ua.db")) as connection:
        migrate(connection, dialect="sqlite")
    return tmp_path / "ua.db"


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two processes on one database."""
    stores = (
        shared_store(tmp_path / "ua.db", in_threads=True),
        shared_store(tmp_path / "ua.db", in_threads=True),
    )
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


def log_of(file: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT seq, source_ref FROM events ORDER BY seq").fetchall()


async def in_the_log(store: Store) -> list[tuple[int, str]]:
    return [(event.seq, event.source_ref) for event in await events(store)]


def begun(connection: sqlite3.Connection, *names: str) -> SqliteTx:
    """A transaction in which events are in the log and not committed."""
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTx(connection, Memory())
    tx.append_all([an_event(name) for name in names])
    tx.log_events()
    return tx


def test_a_writer_that_rolls_back_leaves_no_gap(file: Path) -> None:
    with closing(connect(file)) as one, closing(connect(file)) as other:
        begun(one, "a")
        one.execute("COMMIT")
        assert begun(other, "b", "c").newest_seq == 3
        other.execute("ROLLBACK")
        begun(one, "d")
        one.execute("COMMIT")
    assert log_of(file) == [(1, "a"), (2, "d")]


def _die_inside(file: Path) -> None:
    begun(connect(file), "b", "c")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_that_is_killed_inside_leaves_no_gap(file: Path) -> None:
    with closing(connect(file)) as connection:
        begun(connection, "a")
        connection.execute("COMMIT")
    process = multiprocessing.get_context("spawn").Process(target=_die_inside, args=(file,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with closing(connect(file)) as connection:
        begun(connection, "d")
        connection.execute("COMMIT")
    assert log_of(file) == [(1, "a"), (2, "d")]


async def test_two_processes_number_one_log(two: tuple[Store, Store]) -> None:
    one, other = two
    await a_job(one, "a")
    await a_job(other, "b")
    await a_job(one, "c")
    assert await in_the_log(other) == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_verb_that_fails_leaves_no_gap(store: Store) -> None:
    def failing(tx: Tx) -> None:
        tx.append(an_event("b"))
        raise ZeroDivisionError

    await a_job(store, "a")
    with pytest.raises(ZeroDivisionError):
        await store.write(failing)
    await a_job(store, "c")
    assert await in_the_log(store) == [(1, "a"), (2, "c")]


async def test_an_event_that_the_database_refuses_fails_its_own_verb_alone(store: Store) -> None:
    def refused(tx: Tx) -> None:
        tx.append(replace(an_event("b"), owner_id="\udcff"))

    with pytest.raises(UnicodeEncodeError):
        await store.write(refused)
    await a_job(store, "c")
    assert await in_the_log(store) == [(1, "c")]


async def test_the_head_is_the_newest_event_also_when_older_ones_were_forgotten(
    store: Store,
) -> None:
    for name in ("a", "b", "c"):
        await a_job(store, name)
    await store.forget_events(until=3)
    assert await in_the_log(store) == [(3, "c")]
    await a_job(store, "d")
    bounds = await store.read(verbs.event_log.log_bounds)
    assert (bounds.oldest_seq, bounds.newest_seq) == (3, 4)
