"""An SQLite database that several processes have open: no lock keeps the others out.

Each has a connection of its own, as a process on a database server has. So what the verbs promise
about races is tried on two connections, and two gateways are tried on one database.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.errors import StoreUnavailable
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.log_tail import LogTail
from universal_agent.store.memory import Memory
from universal_agent.store.set_aside import SetAside
from universal_agent.store.store import Store
from universal_agent.store.tx import Lane, Tx

T = TypeVar("T")


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
                seq = tx.newest_seq()
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            tx.committed()
            return result, seq, tx.appended

    def _read(self, fn: Callable[[Tx], T]) -> T:
        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN")
            return fn(SqliteTx(connection, self._memory))


def shared_store(path: Path, *, in_threads: bool = False) -> Store:
    """The store of one of several processes."""
    database = SharedFile(path, in_threads=in_threads)
    return Store(database, database.tail)
