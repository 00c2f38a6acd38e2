"""The interfaces of a transaction and of a database, which verbs and the store are written against.

A verb is a plain function of a `Tx`, so that it reads top to bottom and runs on the thread that the
database owns. It names statements (`store/sql/*.sql`) and gets rows.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.store.set_aside import SetAside
from universal_agent.store.spec_cache import SpecCache

Row = tuple[Any, ...]
T = TypeVar("T")
Verb = TypeVar("Verb", bound=Callable[..., Any])


class PartFailed(Exception):
    """A part of a transaction failed and was rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Tx(Protocol):
    """An open transaction."""

    @property
    def set_aside(self) -> SetAside:
        """The rows of the database that could not be read."""
        ...

    @property
    def specs(self) -> SpecCache:
        """The decoded specs of the database."""
        ...

    @property
    def kept_rules(self) -> set[str]:
        """Fingerprints of the time zone rules that are on record."""
        ...

    def part(self) -> AbstractContextManager[None]:
        """A part of the transaction that succeeds or fails as one.

        Raises PartFailed after rolling it back, unless the database itself failed.
        """
        ...

    def after_commit(self, remember: Callable[[], object]) -> None:
        """Call `remember` once the transaction is committed; never when it is rolled back."""
        ...

    def all(self, query: str, **params: object) -> list[Row]:
        """The rows of a named query."""
        ...

    def one(self, query: str, **params: object) -> Row | None:
        """The first row of a named query, or None."""
        ...

    def run(self, query: str, **params: object) -> int:
        """Execute a named statement; returns how many rows it changed."""
        ...

    def many(self, query: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute a named statement for each row of parameters."""
        ...

    def put(self, query: str, row: Mapping[str, object]) -> None:
        """Insert a row with a named statement, before the next query or statement is executed.

        Rows of several functions that share a transaction may go into one statement.
        """
        ...

    def append(self, event: NewEvent) -> None:
        """Append an event to the log."""
        ...

    def append_all(self, events: Sequence[NewEvent]) -> None:
        """Append events to the log, in their order."""
        ...


class Database(Protocol):
    """A database that runs functions in transactions."""

    @property
    def last_error(self) -> str | None:
        """Why the latest write failed; None since a write succeeded."""
        ...

    @property
    def set_aside(self) -> SetAside:
        """The rows of the database that could not be read."""
        ...

    @property
    def is_exclusive(self) -> bool:
        """Whether a lock keeps every other process off the database while it is open."""
        ...

    async def open(self) -> None:
        """Lock, migrate and start."""
        ...

    async def close(self) -> None:
        """Finish the writes that wait, and close the connections."""
        ...

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """What `fn` returned, once its transaction is durable."""
        ...

    async def read(self, fn: Callable[[Tx], T], lane: "Lane") -> T:
        """What `fn` returns for one snapshot of what is committed."""
        ...


class Lane(StrEnum):
    """Reads that share threads: a read waits only for reads of its own lane."""

    #: The scheduler's reads on the way of a slot.
    ENGINE = "engine"
    #: Lookups, and lists of bounded length.
    SHORT = "short"
    #: Reads of a whole window: ledgers, calendars, histories.
    LONG = "long"


def in_lane(lane: Lane | Callable[..., Lane]) -> Callable[[Verb], Verb]:
    """Decorates a verb that is read in `lane`, or in the lane that `lane` gives for its arguments.

    Verbs without it are read in the short lane.
    """

    def mark(verb: Verb) -> Verb:
        verb.__dict__["lane"] = lane
        return verb

    return mark


def lane_of(verb: Callable[..., Any], *args: object, **kwargs: object) -> Lane:
    """The lane in which a verb with these arguments is read."""
    lane: Lane | Callable[..., Lane] = getattr(verb, "lane", Lane.SHORT)
    return lane if isinstance(lane, Lane) else lane(*args, **kwargs)
