"""Databases for the tests of what SQLite adds to the store."""

import asyncio
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.store.making import a_job
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.store import Store, sqlite_store
from universal_agent.store.tx import Tx


async def opened(path: Path) -> Store:
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
    """Holds the writer thread, so that writes requested in this time share one commit."""

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


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes in the block: writing fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
