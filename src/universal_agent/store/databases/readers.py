"""The threads that read an SQLite database, in lanes that do not wait for each other."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.memory import Memory
from universal_agent.store.tx import Lane, Tx

T = TypeVar("T")

#: Threads of each lane: how many of its reads run at the same time.
_THREADS = {Lane.ENGINE: 1, Lane.SHORT: 2, Lane.LONG: 2}


class Readers:
    """Runs reads, each on one snapshot. Every thread has its own connection."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], memory: Memory) -> None:
        """`connect` is called in the thread that the connection is for."""
        self._connect = connect
        self._memory = memory
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lanes = {
            lane: ThreadPoolExecutor(count, thread_name_prefix=f"ua-store-{lane}")
            for lane, count in _THREADS.items()
        }

    async def read(self, fn: Callable[[Tx], T], lane: Lane) -> T:
        """What `fn` returns for a snapshot of what is committed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._lanes[lane], self._read, fn)

    def _read(self, fn: Callable[[Tx], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            return fn(SqliteTx(connection, self._memory))
        finally:
            connection.execute("COMMIT")

    def close(self) -> None:
        """Wait for the reads in progress, then close every connection."""
        for lane in self._lanes.values():
            lane.shutdown()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
