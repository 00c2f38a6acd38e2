"""Two processes on one database, for races."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.shared_file import Late, connect, shared_store
from tests.store.making import (
    NOON,
    PROCESS,
)
from universal_agent.domain.process import Process
from universal_agent.errors import UniversalAgentError
from universal_agent.store import verbs
from universal_agent.store.store import Store

OTHER = Process(process_id="proc_2", host="there", started_at=NOON)


@dataclass(frozen=True)
class Two:
    """Two processes on one database."""

    one: Store
    other: Store
    path: Path

    @contextmanager
    def late(self) -> Iterator[Late]:
        """A transaction whose reads are from now, whenever it writes."""
        with closing(Late(self.path)) as late:
            yield late

    def told(self) -> Counter[str]:
        """How many events there are of each type, whichever process has appended them."""
        return Counter(
            kind.removeprefix("cron_") for (kind,) in self.rows("SELECT type FROM events")
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(connect(self.path)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(params=["sqlite"])
async def two(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    path = tmp_path / "ua.db"
    one, other = (shared_store(path, in_threads=True) for _ in range(2))
    for store, process in ((one, PROCESS), (other, OTHER)):
        await store.open()
        await store.write(verbs.processes.register, process, now=NOON)
    yield Two(one, other, path)
    for store in (one, other):
        await store.close()


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    """What the calls return or raise; they run at the same time."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, UniversalAgentError):
            raise result
    return results


def won(results: list[Any]) -> int:
    """How many calls did what they were asked for."""
    return sum(bool(result) and not isinstance(result, Exception) for result in results)
