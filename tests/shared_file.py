"""An SQLite database that several processes have open: no lock keeps the others out.

Each has a connection of its own, as a process on a database server has. So what the verbs promise
about races is tried on two connections, and two gateways are tried on one database.
"""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.errors import StoreUnavailable
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.log_tail import LogTail
from universal_agent.store.memory import Memory
from universal_agent.store.set_aside import SetAside
from universal_agent.store.store import Store
from universal_agent.store.tx import Lane, Row, Tx

P = ParamSpec("P")
T = TypeVar("T")

_SELECT = re.compile(r"(?:--[^\n]*\n|\s)*SELECT\b")


def connect(path: Path) -> sqlite3.Connection:
    """A further connection to the database file."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


class SharedFile:
    """One process's connection to the database, which is not its alone."""

    is_exclusive = False
    last_error = None

    def __init__(self, path: Path, *, in_threads: bool = False) -> None:
        """`in_threads`: each transaction has a thread, so that those of two processes race."""
        self.tail = LogTail()
        self._path = path
        self._in_threads = in_threads
        self._memory = Memory()
        self._connection: sqlite3.Connection
        self._lock = threading.Lock()
        #: Why the database cannot be reached; None while it can be.
        self.failure: str | None = None

    @property
    def set_aside(self) -> SetAside:
        return self._memory.set_aside

    async def open(self) -> None:
        self._connection = connect(self._path)
        migrate(self._connection, dialect="sqlite")
        self.failure = None

    async def close(self) -> None:
        self.failure = "the store is closed"
        self._connection.close()

    async def write(self, fn: Callable[[Tx], T]) -> T:
        result, seq, events = await self._run(lambda: self._write(fn))
        if events:
            self.tail.grown(seq, events)
        return result

    async def read(self, fn: Callable[[Tx], T], lane: Lane) -> T:
        return await self._run(lambda: self._read(fn))

    async def _run(self, call: Callable[[], T]) -> T:
        if self.failure is not None:
            raise StoreUnavailable(self.failure)
        return await asyncio.to_thread(call) if self._in_threads else call()

    def _write(self, fn: Callable[[Tx], T]) -> tuple[T, int, Sequence[NewEvent]]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            tx = SqliteTx(self._connection, self._memory)
            try:
                result = fn(tx)
                tx.write_out()
                tx.log_events()
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            tx.committed()
            return result, tx.newest_seq, tx.appended

    def _read(self, fn: Callable[[Tx], T]) -> T:
        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN")
            return fn(SqliteTx(connection, self._memory))


def shared_store(path: Path, *, in_threads: bool = False) -> Store:
    """The store of one of several processes."""
    database = SharedFile(path, in_threads=in_threads)
    return Store(database, database.tail)


class Late:
    """A transaction of another process, whose reads are from before the commits since.

    So a verb runs as on a database where two transactions are open side by side: what it has read
    may be stale, and only what it writes meets the present. A guard that is a fact of the database
    holds here, one in Python alone does not.
    """

    def __init__(self, path: Path) -> None:
        self._reader, self._writer = connect(path), connect(path)
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT count(*) FROM meta")  # the snapshot is taken by a read

    def write(self, verb: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the verb returns, committed; raises what it raises, with nothing changed."""
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            tx = _StaleTx(self._writer, self._reader)
            result = verb(tx, *args, **kwargs)
            tx.write_out()
            tx.log_events()
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")
        return result

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class _StaleTx(SqliteTx):
    """A transaction that reads a snapshot and writes to the present."""

    def __init__(self, connection: sqlite3.Connection, snapshot: sqlite3.Connection) -> None:
        super().__init__(connection, Memory())
        self._snapshot = snapshot

    def all(self, query: str, **params: object) -> list[Row]:
        if not _SELECT.match(self._queries[query]):
            return super().all(query, **params)
        return self._snapshot.execute(self._queries[query], params).fetchall()

    def one(self, query: str, **params: object) -> Row | None:
        rows = self.all(query, **params)
        return rows[0] if rows else None
