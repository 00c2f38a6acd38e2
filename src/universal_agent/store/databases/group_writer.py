"""The writer of an SQLite database: one thread, with group commit.

Functions that wait while a commit is written to the disk share the next one, so that a durable
commit (synchronous=FULL) costs one fsync for many callers. A function that fails is rolled back
alone.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.errors import StoreUnavailable
from universal_agent.store.databases.sqlite_tx import SqliteTx, raise_database_errors
from universal_agent.store.databases.upkeep import FilesLost, Upkeep
from universal_agent.store.memory import Memory
from universal_agent.store.statements import queries
from universal_agent.store.tx import Tx

T = TypeVar("T")

#: The most functions that share one commit.
GROUP_LIMIT = 256

#: How often the names of the files are checked while nothing is written.
_LOOK_SECONDS = 2.0

#: How often a write is tried while writes fail and no caller asks for one.
_PROBE_SECONDS = 1.0


class _Job:
    """A function on its way through the writer, and the future that waits for it."""

    __slots__ = ("fn", "future", "outcome")

    def __init__(self, fn: Callable[[Tx], Any], future: asyncio.Future[Any]) -> None:
        self.fn = fn
        self.future = future
        self.outcome: Any = None


class GroupWriter:
    """The writer thread and its connection."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        upkeep: Upkeep,
        memory: Memory,
        on_append: Callable[[int, Sequence[NewEvent]], None],
    ) -> None:
        """Start the thread. `on_append` is called on the event loop that this is made on."""
        #: Why the latest write failed; None since a write succeeded.
        self.last_error: str | None = None
        self._connect = connect
        self._upkeep = upkeep
        self._memory = memory
        self._on_append = on_append
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        #: None until it is needed, and after a failure.
        self._connection: sqlite3.Connection | None = None
        # A daemon: a process that ends without `close` is not delayed and loses nothing durable.
        self._thread: threading.Thread | None = threading.Thread(
            target=self._write_loop, name="ua-store-writer", daemon=True
        )
        self._thread.start()

    def refuse(self) -> Callable[[], None]:
        """Take no more writes. Returns what waits for those that were taken, on another thread."""
        thread, self._thread = self._thread, None

        def finish() -> None:
            if thread is not None:
                self._inbox.put(None)
                thread.join()

        return finish

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction; returns its result once that is durable.

        Raises what `fn` raised, or StoreUnavailable when the database could not take the write; in
        both cases nothing was kept.
        """
        if self._thread is None:
            raise StoreUnavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Job(fn, future))
        return await future

    def _write_loop(self) -> None:
        while (first := self._next_job()) is not None:
            group = [first]
            closing = False
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP_LIMIT and not closing:
                    job = self._inbox.get_nowait()
                    if job is None:
                        closing = True
                    else:
                        group.append(job)
            self._commit_group(group)
            if closing:
                break
        self._settle()
        self._disconnect()

    def _next_job(self) -> _Job | None:
        """Wait for the next function; None when there are no more.

        A quiet moment is used to move the write-ahead log into the database file, so that no write
        waits for that.
        """
        upkeep = self._upkeep
        if self._connection is not None and upkeep.is_overdue:
            upkeep.checkpoint(self._connection)
        elif self._connection is not None and (seconds := upkeep.waits_seconds) is not None:
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=seconds)
            self._settle()
        while True:
            failing = self.last_error is not None
            with contextlib.suppress(queue.Empty):
                return self._inbox.get(timeout=_PROBE_SECONDS if failing else _LOOK_SECONDS)
            self._probe() if failing else self._look()

    def _look(self) -> None:
        """Check whether the files are in place, while nothing is written."""
        try:
            self._upkeep.look()
        except (FilesLost, OSError) as error:
            self.last_error = str(error)

    def _probe(self) -> None:
        """Try a write while writes fail, so that health recovers without a request."""
        try:
            self._upkeep.look()
            connection = self._connected()
            connection.execute(queries("sqlite")["set_meta"], {"name": "probe", "value": ""})
        except (FilesLost, OSError, sqlite3.Error) as error:
            self.last_error = str(error)
            self._disconnect()
        else:
            self.last_error = None

    def _settle(self) -> None:
        if self._connection is None:
            return
        try:
            self._upkeep.settle(self._connection)
        except (FilesLost, OSError, sqlite3.Error) as error:
            self.last_error = str(error)
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The writer's connection, made when there is none."""
        if self._connection is None:
            self._connection = self._connect()
            self._upkeep.connected(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        """Close the writer's connection; the next group opens a new one.

        So the store recovers once the disk does.
        """
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._upkeep.disconnected()

    def _commit_group(self, group: list[_Job]) -> None:
        """Run every function of the group in one transaction, then answer all callers."""
        upkeep = self._upkeep
        seq, events = 0, []
        outcome = "nothing was changed. It is tried again with the next request"
        try:
            upkeep.look()
            connection = self._connected()
            changes = connection.total_changes
            tx = _run_together(connection, group, self._memory) or _run_one_by_one(
                connection, group, self._memory
            )
            newest_seq = tx.newest_seq
            changed = connection.total_changes - changes
            if changed:
                upkeep.before_commit(connection)
            connection.execute("COMMIT")
            outcome = "whether the change was kept shows at the next start"
            with contextlib.suppress(OSError):  # checked a moment ago; the next group finds out
                upkeep.look()
            upkeep.committed(connection, newest_seq, changed)
            tx.committed()
            seq, events = newest_seq, tx.appended
            self.last_error = None
        except Exception as error:
            self.last_error = str(error)
            self._disconnect()
            failure = StoreUnavailable(f"The database cannot take writes ({error}); {outcome}.")
            for job in group:
                job.outcome = failure
        with contextlib.suppress(RuntimeError):  # the loop is closed: no caller waits
            self._loop.call_soon_threadsafe(self._answer, group, seq, events)
        if self._connection is not None:
            upkeep.answered(self._connection)

    def _answer(self, group: list[_Job], seq: int, events: Sequence[NewEvent]) -> None:
        """Pass each function's outcome to its caller; followers of the log come after."""
        for job in group:
            if job.future.done():
                continue  # the caller gave up; the outcome stands
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
            else:
                job.future.set_result(job.outcome[0])
        if events:
            self._on_append(seq, events)


def _run_together(
    connection: sqlite3.Connection, group: Sequence[_Job], memory: Memory
) -> SqliteTx | None:
    """Begin a transaction and run every function in it; None, with none begun, if one fails.

    Nearly all succeed, so there are no savepoints for those that do not. A function may be run
    twice, and must have no effect outside the transaction.
    """
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTx(connection, memory)
    try:
        for job in group:
            job.outcome = (job.fn(tx),)
        tx.write_out()
        tx.log_events()
    except Exception as error:
        raise_database_errors(error)
        connection.execute("ROLLBACK")
        return None
    return tx


def _run_one_by_one(
    connection: sqlite3.Connection, group: Sequence[_Job], memory: Memory
) -> SqliteTx:
    """Begin a transaction and run each function in it; one that fails is rolled back alone."""
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTx(connection, memory)
    for job in group:
        mark = tx.mark()
        connection.execute("SAVEPOINT verb")
        try:
            job.outcome = (job.fn(tx),)
            tx.write_out()
            tx.log_events()
        except Exception as error:
            raise_database_errors(error)
            tx.forget(mark)
            connection.execute("ROLLBACK TO verb")
            job.outcome = error
        connection.execute("RELEASE verb")
    return tx
