"""The SQLite database: one writer thread with group commit, readers in lanes, one process.

Every write is a function of a transaction, run on the writer thread. Functions that wait while a
commit is written to the disk share the next one, so that a durable commit (synchronous=FULL) costs
one fsync for many callers. A function that fails is rolled back alone.

The writer is the only connection that checkpoints: SQLite before 3.51.3 could lose pages when two
connections checkpointed at the same time. A lock keeps a second process out (data_lock.py).

The names of the files are checked before and after each commit, and every two seconds. When one of
them is gone or another file has taken its place, the store takes no more writes until a restart:
nothing that was read since is sure to be what the next process will find.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from universal_agent.domain.events import (
    NewEvent,
)
from universal_agent.errors import StartupError, StoreUnavailable
from universal_agent.store.databases.acknowledged import SETTLED, YES
from universal_agent.store.databases.data_lock import DataLock
from universal_agent.store.databases.database_file import back_up, is_fresh, put_in_place
from universal_agent.store.databases.migrate import migrate, newest_schema, schema_of
from universal_agent.store.databases.readers import Readers
from universal_agent.store.databases.seen_before import SeenBefore
from universal_agent.store.databases.sqlite_tx import SqliteTx, raise_database_errors
from universal_agent.store.databases.upkeep import FilesLost, Upkeep
from universal_agent.store.memory import Memory
from universal_agent.store.set_aside import SetAside
from universal_agent.store.statements import queries
from universal_agent.store.tx import Lane, Tx

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


class SqliteDatabase:
    """A database file and the threads that own its connections."""

    def __init__(
        self,
        path: Path,
        *,
        synchronous: str = "FULL",
        on_append: Callable[[int, Sequence[NewEvent]], None] | None = None,
        state_dir: Path | None = None,
        is_kept: bool = True,
    ) -> None:
        """`state_dir` is where a note is kept that the database exists (seen_before.py).

        `is_kept=False`: the database is made from another one, and may vanish between two starts.
        """
        self.path = path.absolute()
        self.last_error: str | None = None
        self._memory = Memory()
        self._synchronous = synchronous
        self._on_append = on_append or (lambda seq, events: None)
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._readers: Readers | None = None
        self._lock: DataLock | None = None
        self._is_kept = is_kept
        self._seen_before = SeenBefore(self.path, state_dir)
        self._upkeep: Upkeep | None = None
        #: The writer's; None until it is needed, and after a failure.
        self._connection: sqlite3.Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def set_aside(self) -> SetAside:
        """The rows that could not be read."""
        return self._memory.set_aside

    # -- lifecycle

    async def open(self) -> None:
        """Lock, migrate, start the threads.

        Raises DataDirLocked, StoreCorrupt, DataMissing, or StartupError when the file cannot be
        used.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            self._unlock()
            why = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
            raise StartupError(f"{self.path} cannot be used: {why}.") from error
        except BaseException:
            self._unlock()
            raise
        # A daemon: a process that ends without `close` is not delayed and loses nothing durable.
        self._thread = threading.Thread(
            target=self._write_loop, name="ua-store-writer", daemon=True
        )
        self._thread.start()
        self._readers = Readers(self._connect_reader, self._memory)

    def _prepare(self) -> None:
        if self._is_kept and not self.path.exists():
            # Before the folder is made, and before a lock file is put into it.
            self._seen_before.require_new()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock = DataLock(self.path)
        try:
            if is_fresh(self.path):
                self._create(lock)
            else:
                self._upgrade()
        except sqlite3.Error as error:
            raise StartupError(f"{self.path} cannot be opened: {error}.") from error
        assert lock.descriptor is not None
        self._upkeep = Upkeep(self.path, lock.descriptor, self._seen_before, is_kept=self._is_kept)

    def _upgrade(self) -> None:
        with contextlib.closing(self._connect(self.path)) as connection:
            version = schema_of(connection)
            if version < newest_schema("sqlite"):
                back_up(connection, self.path.with_name(f"{self.path.name}.schema-{version}"))
            migrate(connection, dialect="sqlite")

    def _create(self, lock: DataLock) -> None:
        # Under another name first, so that an empty file under the final name is never ours.
        new = self.path.with_name(self.path.name + ".new")
        for leftover in (new, new.with_name(new.name + "-wal")):
            leftover.unlink(missing_ok=True)
        new.touch(mode=0o600)
        with contextlib.closing(self._connect(new)) as connection:
            migrate(connection, dialect="sqlite")
            connection.execute(queries("sqlite")["set_meta"], {"name": SETTLED, "value": YES})
        lock.hold(new)
        put_in_place(new, self.path)

    async def close(self) -> None:
        """Let waiting writes finish, then close every connection, the writer's last."""
        # New calls are refused first: one that came after the end would never be answered.
        readers, self._readers = self._readers, None
        thread, self._thread = self._thread, None
        if readers is not None:
            await asyncio.to_thread(readers.close)
        if thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)
        self._unlock()

    def _unlock(self) -> None:
        if self._upkeep is not None:
            self._upkeep.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _connect(self, path: Path) -> sqlite3.Connection:
        """A connection to an existing file: none is created in place of one that is gone."""
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    # -- writing

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction; returns its result once that is durable.

        Raises what `fn` raised, or StoreUnavailable when the database could not take the write; in
        both cases nothing was kept.
        """
        if self._loop is None or self._thread is None:
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
        upkeep = self._the_upkeep
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

    @property
    def _the_upkeep(self) -> Upkeep:
        assert self._upkeep is not None, "set before the writer starts"
        return self._upkeep

    def _look(self) -> None:
        """Check whether the files are in place, while nothing is written."""
        try:
            self._the_upkeep.look()
        except (FilesLost, OSError) as error:
            self.last_error = str(error)

    def _probe(self) -> None:
        """Try a write while writes fail, so that health recovers without a request."""
        try:
            self._the_upkeep.look()
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
            self._the_upkeep.settle(self._connection)
        except (FilesLost, OSError, sqlite3.Error) as error:
            self.last_error = str(error)
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        """The writer's connection, made when there is none."""
        if self._connection is None:
            self._connection = self._connect(self.path)
            self._the_upkeep.connected(self._connection)
        return self._connection

    def _disconnect(self) -> None:
        """Close the writer's connection; the next group opens a new one.

        So the store recovers once the disk does.
        """
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._the_upkeep.disconnected()

    def _commit_group(self, group: list[_Job]) -> None:
        """Run every function of the group in one transaction, then answer all callers."""
        upkeep = self._the_upkeep
        seq, events = 0, []
        outcome = "nothing was changed. It is tried again with the next request"
        try:
            upkeep.look()
            connection = self._connected()
            changes = connection.total_changes
            tx = _run_together(connection, group, self._memory) or _run_one_by_one(
                connection, group, self._memory
            )
            newest_seq = tx.newest_seq() if tx.appended else 0
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
        assert self._loop is not None
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

    # -- reading

    async def read(self, fn: Callable[[Tx], T], lane: Lane) -> T:
        """Run `fn` on one snapshot of what is committed."""
        if self._readers is None:
            raise StoreUnavailable("The store is closed.")
        try:
            return await self._readers.read(fn, lane)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The database cannot be read: {error}.") from error

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect(self.path)
        connection.execute("PRAGMA query_only = ON")
        if not self._the_upkeep.is_in_place():
            connection.close()
            raise StoreUnavailable(
                f"The database cannot be read: {self.path} is not the file that the gateway "
                "started with."
            )
        return connection


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
        except Exception as error:
            raise_database_errors(error)
            tx.forget(mark)
            connection.execute("ROLLBACK TO verb")
            job.outcome = error
        connection.execute("RELEASE verb")
    return tx
