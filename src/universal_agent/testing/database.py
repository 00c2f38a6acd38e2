"""A real database that moves with a test's clock, and fails when the test says so."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from universal_agent.errors import StoreUnavailable
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.log_tail import LogTail
from universal_agent.store.set_aside import SetAside
from universal_agent.store.store import Store
from universal_agent.store.tx import Lane, Tx
from universal_agent.testing.clock import ManualClock

T = TypeVar("T")


class ManualDatabase:
    """An SQLite database whose threads the clock waits for before it moves time on."""

    is_exclusive = True

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.tail = LogTail()
        # Nothing here cuts the power, and all else SQLite survives without fsync.
        self._database = SqliteDatabase(path, synchronous="OFF", on_append=self.tail.grown)
        self._pending = 0
        #: Why writes fail; None while they do not.
        self.failure: str | None = None
        clock.wait_while(lambda: self._pending > 0)

    @property
    def last_error(self) -> str | None:
        return self.failure or self._database.last_error

    @property
    def set_aside(self) -> SetAside:
        return self._database.set_aside

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def write(self, fn: Callable[[Tx], T]) -> T:
        if self.failure is not None:
            raise StoreUnavailable(self.failure)
        self._pending += 1
        try:
            return await self._database.write(fn)
        finally:
            self._pending -= 1

    async def read(self, fn: Callable[[Tx], T], lane: Lane = Lane.SHORT) -> T:
        self._pending += 1
        try:
            return await self._database.read(fn, lane)
        finally:
            self._pending -= 1


class ManualStore(Store):
    """A store on a `ManualDatabase`."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.database = ManualDatabase(path, clock)
        super().__init__(self.database, self.database.tail)
