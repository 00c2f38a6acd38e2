"""A store on every database that there is: each promise is tried on each of them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.store.making import register_again
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.store import Store, sqlite_store

#: Makes a store, not opened yet, on the test's own database: the same one each time.
OpenAgain: TypeAlias = Callable[[], Store]


@pytest.fixture(params=["sqlite"])
def store_again(request: pytest.FixtureRequest, tmp_path: Path) -> OpenAgain:
    """How a further store on this test's database is made, as after a restart."""
    # A killed process loses nothing without fsync; only a power cut would, and none is tried here.
    makers: dict[str, OpenAgain] = {
        "sqlite": lambda: sqlite_store(tmp_path / "ua.db", synchronous="OFF"),
    }
    return makers[request.param]


@pytest.fixture
async def store(store_again: OpenAgain) -> AsyncIterator[Store]:
    """An open store on an empty database, in which PROCESS may claim runs."""
    store = store_again()
    await store.open()
    await store.write(register_again)
    yield store
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ua.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(path, synchronous="OFF")
    await database.open()
    yield database
    await database.close()
