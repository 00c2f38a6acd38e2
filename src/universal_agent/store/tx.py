"""What is a transaction to the verbs?

Verbs are plain functions of a `Tx`, so that they read top to bottom and run on whichever thread
the database owns. They speak in named queries (queries.sql, feed.sql) and rows.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson

from universal_agent.domain.events import NewEvent

if TYPE_CHECKING:
    from universal_agent.store.set_aside import SetAside

Row = tuple[Any, ...]
T = TypeVar("T")


class PartFailed(Exception):
    """What was done in a part of a transaction failed and was taken back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Tx(Protocol):
    """An open transaction."""

    @property
    def set_aside(self) -> "SetAside":
        """The rows of the database that could not be read."""
        ...

    def part(self) -> AbstractContextManager[None]:
        """A part of the transaction that succeeds or fails as one.

        Raises PartFailed after taking it back, unless it is the database itself that failed.
        """
        ...

    def all(self, query: str, **params: object) -> list[Row]:
        """The rows of a named query."""
        ...

    def one(self, query: str, **params: object) -> Row | None:
        """Its first row, or None."""
        ...

    def run(self, query: str, **params: object) -> int:
        """Execute a named statement; how many rows it changed."""
        ...

    def many(self, query: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute a named statement for each row of parameters."""
        ...

    def put(self, query: str, row: Mapping[str, object]) -> None:
        """Insert a row with a named statement; before anything else is asked of the transaction.

        Rows that are put by functions which share a transaction may go in together.
        """
        ...

    def append(self, event: NewEvent, row: Mapping[str, object] | None = None) -> None:
        """Put the event into the log; `row` is its `event_params`, where they are there."""
        ...

    def append_all(self, events: Sequence[NewEvent]) -> None:
        """Put events into the log, in their order."""
        ...


class Lane(StrEnum):
    """Which reads a read may have to wait for: those of its own lane alone."""

    #: What the scheduler asks on the way of a slot.
    ENGINE = "engine"
    #: Lookups, and lists of bounded length.
    SHORT = "short"
    #: What may go through a whole window: ledgers, calendars, histories.
    LONG = "long"


class Database(Protocol):
    """Runs functions in transactions."""

    @property
    def last_error(self) -> str | None: ...

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def write(self, fn: Callable[[Tx], T]) -> T: ...
    async def read(self, fn: Callable[[Tx], T], lane: Lane = Lane.SHORT) -> T: ...

    @property
    def set_aside(self) -> "SetAside": ...


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """The named queries of both .sql files; `-- name [dialect] --` is a variant of `-- name --`."""
    folder = files("universal_agent.store")
    found: dict[str, str] = {}
    variants: dict[str, str] = {}
    for file in ("queries.sql", "feed.sql"):
        for name, variant, body in _blocks(folder.joinpath(file).read_text(encoding="utf-8")):
            if not variant:
                found[name] = body
            elif variant == dialect:
                variants[name] = body
    return found | variants


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    parts = re.split(r"^-- ([a-z_]+)(?: \[(\w+)\])? --$", text, flags=re.MULTILINE)
    for i in range(1, len(parts), 3):
        yield parts[i], parts[i + 1] or "", parts[i + 2].strip().rstrip(";")


def event_params(event: NewEvent) -> dict[str, object]:
    """An event as the parameters of `append_event`."""
    run = event.data.get("run")
    return {
        "source": event.source,
        "type": event.type,
        "timestamp": event.timestamp.timestamp(),
        "source_ref": event.source_ref,
        "owner_id": event.owner_id,
        "session_id": event.session_id,
        "status": event.status,
        "data": to_json(event.data),
        "run_slot_at": None if run is None else run["scheduled_at"],
    }


def to_json(value: object) -> str:
    """Compact JSON text."""
    return orjson.dumps(value).decode()


def from_json(text: str) -> Any:
    """The value of JSON text."""
    return orjson.loads(text)


def stamp(instant: datetime | None) -> float | None:
    """An instant as it is stored."""
    return None if instant is None else instant.timestamp()
