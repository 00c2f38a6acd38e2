"""Rows that are put off are there for whoever asks, in their order, and can be taken back."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.databases import Gate
from tests.store.making import NOON, new_job
from universal_agent.domain import events
from universal_agent.store import verbs
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.log_tail import LogTail
from universal_agent.store.memory import Memory
from universal_agent.store.statements import queries
from universal_agent.store.store import Store


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "ua.db", isolation_level=None)) as connection:
        migrate(connection, dialect="sqlite")
        yield connection


def meta_rows(count: int) -> list[dict[str, object]]:
    return [{"name": f"name {n:03}", "value": str(n)} for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 31, 32, 33, 100])
def test_many_rows_are_inserted_whatever_their_number(
    connection: sqlite3.Connection, count: int
) -> None:
    SqliteTx(connection, Memory()).many("set_meta", meta_rows(count))
    found = connection.execute("SELECT name, value FROM meta WHERE name LIKE 'name%' ORDER BY 1")
    assert found.fetchall() == [(row["name"], row["value"]) for row in meta_rows(count)]


def test_the_last_of_rows_with_one_key_counts(connection: sqlite3.Connection) -> None:
    rows: list[dict[str, object]] = [{"name": "a", "value": str(n)} for n in range(5)]
    SqliteTx(connection, Memory()).many("set_meta", rows)
    assert SqliteTx(connection, Memory()).one("get_meta", name="a") == ("4",)


def test_what_was_put_is_there_for_whoever_asks_next(connection: sqlite3.Connection) -> None:
    tx = SqliteTx(connection, Memory())
    for row in meta_rows(3):
        tx.put("set_meta", row)
    assert tx.one("get_meta", name="name 002") == ("2",)


def test_events_are_in_the_log_in_the_order_they_were_told(
    connection: sqlite3.Connection,
) -> None:
    tx = SqliteTx(connection, Memory())
    told = [events.job_created(new_job(f"job_{n}"), now=NOON) for n in range(50)]
    tx.append(told[0])
    tx.append_all(told[1:])
    tx.log_events()
    rows = tx.all("read_events", after_seq=0, limit=100)
    assert [(row[0], row[4]) for row in rows] == [(n + 1, f"job_{n}") for n in range(50)]
    assert (tx.newest_seq, tx.appended) == (50, told)


def test_what_is_forgotten_was_never_put(connection: sqlite3.Connection) -> None:
    tx = SqliteTx(connection, Memory())
    tx.append(events.job_created(new_job("job_a"), now=NOON))
    mark = tx.mark()
    tx.append(events.job_created(new_job("job_b"), now=NOON))
    tx.forget(mark)
    tx.log_events()
    assert tx.newest_seq == 1
    assert [row[4] for row in tx.all("read_events", after_seq=0, limit=9)] == ["job_a"]
    assert [event.source_ref for event in tx.appended] == ["job_a"]


def test_a_statement_of_another_kind_is_executed_for_each_row(
    connection: sqlite3.Connection,
) -> None:
    tx = SqliteTx(connection, Memory())
    tx.many("set_meta", meta_rows(3))
    assert "count_outcome" in queries("sqlite")
    tx.many("count_outcome", [])
    assert tx.one("get_meta", name="name 001") == ("1",)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Store, SqliteDatabase]]:
    tail = LogTail()
    database = SqliteDatabase(tmp_path / "data" / "ua.db", synchronous="OFF", on_append=tail.grown)
    store = Store(database, tail)
    await store.open()
    yield store, database
    await store.close()


async def test_a_row_that_is_there_already_is_refused_to_whoever_put_it(
    store: tuple[Store, SqliteDatabase],
) -> None:
    jobs, database = store
    gate = Gate()
    held = await gate.closed(database)
    together = asyncio.gather(
        jobs.write(verbs.jobs.create_job, new_job("job_a"), now=NOON),
        jobs.write(verbs.jobs.create_job, new_job("job_a"), now=NOON),
        jobs.write(verbs.jobs.create_job, new_job("job_b"), now=NOON),
        return_exceptions=True,
    )
    await asyncio.to_thread(int)
    gate.open()
    first, second, third = await together
    await held
    assert not isinstance(first, BaseException)
    assert isinstance(second, sqlite3.IntegrityError)
    assert not isinstance(third, BaseException)
    told = await jobs.read_events(after_seq=0, limit=10)
    assert [(event.seq, event.source_ref) for event in told] == [(1, "job_a"), (2, "job_b")]
