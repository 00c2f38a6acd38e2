"""A transaction on SQLite, which batches INSERTs.

Every statement releases the interpreter lock, and a busy event loop then keeps it for a while: that
dominates the cost of a transaction. So rows that no query reads yet are inserted together, many in
one statement.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

from universal_agent.domain.events import NewEvent
from universal_agent.store.encoding import event_params
from universal_agent.store.memory import Memory
from universal_agent.store.statements import queries
from universal_agent.store.tx import PartFailed, Row

#: Rows in one statement. Few sizes, so that the connection keeps every statement prepared.
_SIZES = (32, 16, 8, 4, 2, 1)

_INSERT = re.compile(r"(INSERT INTO [^;]* VALUES )\(([:\w, \n]*)\)([^:]*)", re.DOTALL)


#: Errors caused by the verb. Any other sqlite3 error is treated as a storage failure.
_VERBS_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


def raise_database_errors(error: Exception) -> None:
    """Raise an error that the verb did not cause."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _VERBS_FAULTS):
        raise error


class SqliteTx:
    """A transaction on one connection."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory) -> None:
        self._connection = connection
        self.set_aside = memory.set_aside
        self.specs = memory.specs
        self.kept_rules = memory.kept_rules
        self._queries = queries("sqlite")
        #: Rows that are still to be inserted, by query.
        self._later: dict[str, list[Mapping[str, object]]] = {}
        #: The events that this transaction appended, in their order.
        self.appended: list[NewEvent] = []
        #: The rows of those that are not in the log yet, without a seq.
        self._events: list[dict[str, object]] = []
        #: The seq of the last event that is in the log; 0 while there is none.
        self.newest_seq = 0
        self._remember: list[Callable[[], object]] = []

    def all(self, query: str, **params: object) -> list[Row]:
        self.write_out()
        return self._connection.execute(self._queries[query], params).fetchall()

    def one(self, query: str, **params: object) -> Row | None:
        self.write_out()
        row: Row | None = self._connection.execute(self._queries[query], params).fetchone()
        return row

    def run(self, query: str, **params: object) -> int:
        self.write_out()
        return self._connection.execute(self._queries[query], params).rowcount

    def many(self, query: str, rows: Sequence[Mapping[str, object]]) -> None:
        self.write_out()
        self._many(query, rows)

    def put(self, query: str, row: Mapping[str, object]) -> None:
        self._later.setdefault(query, []).append(row)

    def append(self, event: NewEvent) -> None:
        self._events.append(event_params(event))
        self.appended.append(event)

    def append_all(self, events: Iterable[NewEvent]) -> None:
        for event in events:
            self.append(event)

    def write_out(self) -> None:
        """Insert the rows that were put."""
        if self._later:
            later, self._later = self._later, {}
            for query, rows in later.items():
                self._many(query, rows)

    def after_commit(self, remember: Callable[[], object]) -> None:
        self._remember.append(remember)

    def committed(self) -> None:
        """Call the functions of `after_commit`."""
        for remember in self._remember:
            remember()

    def mark(self) -> tuple[int, int, int]:
        """The progress of the transaction, for `forget`."""
        return len(self.appended), len(self._events), len(self._remember)

    def forget(self, mark: tuple[int, int, int]) -> None:
        """Drop the put rows, and the events and calls since `mark`, which are rolled back."""
        self._later.clear()
        del self.appended[mark[0] :], self._events[mark[1] :], self._remember[mark[2] :]

    @contextmanager
    def part(self) -> Iterator[None]:
        """A savepoint; see Tx."""
        self.write_out()
        mark = self.mark()
        self._connection.execute("SAVEPOINT part")
        try:
            yield
            self.write_out()
        except Exception as error:
            raise_database_errors(error)
            self.forget(mark)
            self._connection.execute("ROLLBACK TO part")
            self._connection.execute("RELEASE part")
            raise PartFailed(error) from error
        self._connection.execute("RELEASE part")

    def log_events(self) -> None:
        """Number the appended events from the log's head, and insert them.

        The last step of a transaction: the head is locked from here to the commit, so the order of
        the log is the order of the commits, and what is rolled back leaves no gap.
        """
        if not self._events:
            return
        head = self.one("take_seqs", count=len(self._events))
        assert head is not None, "a migration has made the row"
        newest = int(head[0])
        for seq, row in enumerate(self._events, start=newest - len(self._events) + 1):
            row["seq"] = seq
        self.many("append_event", self._events)
        self._events = []
        self.newest_seq = newest

    def _many(self, query: str, rows: Sequence[Mapping[str, object]]) -> None:
        insert = _insert_of(self._queries[query])
        if insert is None or len(rows) == 1:
            self._connection.executemany(self._queries[query], rows)
            return
        first = 0
        for size in _SIZES:
            while len(rows) - first >= size:
                piece = rows[first : first + size]
                values = [row[name] for row in piece for name in insert.names]
                self._connection.execute(_of_rows(insert, size), values)
                first += size


class _Insert(NamedTuple):
    """An INSERT of one row of parameters, to be made one of many rows."""

    begin: str
    names: tuple[str, ...]
    end: str


@cache
def _insert_of(query: str) -> _Insert | None:
    """The parts of the statement; None for any other kind."""
    parts = _INSERT.fullmatch(" ".join(query.split()))
    if parts is None:
        return None
    names = [name.strip() for name in parts[2].split(",")]
    if not all(name.startswith(":") for name in names):
        return None
    return _Insert(parts[1], tuple(name[1:] for name in names), parts[3])


@cache
def _of_rows(insert: _Insert, count: int) -> str:
    row = f"({', '.join('?' * len(insert.names))})"
    return f"{insert.begin}{', '.join([row] * count)}{insert.end}"
