"""The SQLite database: one writer thread with group commit, a pool of readers, one process.

Every write is a function of a transaction, run on the writer thread. Those that wait while a
commit is on its way to the disk share the next one, so that a durable commit (synchronous=FULL)
costs one fsync for many callers. One that fails takes back its own changes and nobody else's.

The writer is the only connection that checkpoints: SQLite before 3.51.3 could lose pages when two
connections did so at once. A lock file keeps a second process out.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.errors import DataDirLocked, StartupError, StoreUnavailable
from universal_agent.store.database_file import back_up, is_fresh, put_in_place
from universal_agent.store.migrate import migrate, newest_schema, schema_of
from universal_agent.store.sqlite_tx import SqliteTx
from universal_agent.store.tx import Tx, queries

T = TypeVar("T")

#: Functions that share one commit at the most.
GROUP_LIMIT = 256

#: Changed rows in the write-ahead log that are worth moving into the database file once nobody has
#: written for _QUIET_SECONDS, and how many are moved at once, whoever has to wait for it.
CHECKPOINT_WHEN_QUIET = 1_000
CHECKPOINT_AT_ONCE = 50_000
_QUIET_SECONDS = 0.25

#: While writes fail and nobody asks for one: how often one is tried.
_PROBE_SECONDS = 1.0

#: What a verb can do wrong; every other error of the database is its disk's.
_VERBS_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

_READERS = 4


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
    ) -> None:
        self.path = path
        self.last_error: str | None = None
        self._synchronous = synchronous
        self._on_append = on_append or (lambda seq, events: None)
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._reader_connections: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._lock_file: IO[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Rows changed since the write-ahead log was last moved into the database file.
        self._unmoved = 0

    # -- lifecycle

    async def open(self) -> None:
        """Lock, migrate, start the threads.

        Raises DataDirLocked, StoreCorrupt, or StartupError when the file cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = take_lock(self.path)
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            self._unlock()
            raise StartupError(f"{self.path} cannot be used: {error.strerror}.") from error
        except BaseException:
            self._unlock()
            raise
        # A daemon: a process that ends without `close` is not held up, and loses nothing it told.
        self._thread = threading.Thread(
            target=self._write_loop, name="ua-store-writer", daemon=True
        )
        self._thread.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ua-store-reader")

    def _prepare(self) -> None:
        try:
            if is_fresh(self.path):
                self._create()
            else:
                self._upgrade()
        except sqlite3.Error as error:
            raise StartupError(f"{self.path} cannot be opened: {error}.") from error

    def _upgrade(self) -> None:
        with contextlib.closing(self._connect(self.path)) as connection:
            version = schema_of(connection)
            if version < newest_schema("sqlite"):
                back_up(connection, self.path.with_name(f"{self.path.name}.schema-{version}"))
            migrate(connection, dialect="sqlite")

    def _create(self) -> None:
        # Made aside, so that an empty file under the true name is never ours.
        new = self.path.with_name(self.path.name + ".new")
        for leftover in (new, new.with_name(new.name + "-wal")):
            leftover.unlink(missing_ok=True)
        with contextlib.closing(self._connect(new)) as connection:
            migrate(connection, dialect="sqlite")
        new.chmod(0o600)
        put_in_place(new, self.path)

    async def close(self) -> None:
        """Let waiting writes finish, then close every connection, the writer's last."""
        # First of all nothing more is taken in: what came after the end would wait for ever.
        readers, self._readers = self._readers, None
        thread, self._thread = self._thread, None
        if readers is not None:
            await asyncio.to_thread(readers.shutdown)
            for connection in self._reader_connections:
                connection.close()
            self._reader_connections.clear()
        if thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256
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
        """Run `fn` in a transaction and return what it returned once that is on the disk.

        Raises what `fn` raised, or StoreUnavailable when the database could not take it; either
        way nothing of it was kept.
        """
        if self._loop is None or self._thread is None:
            raise StoreUnavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(_Job(fn, future))
        return await future

    def _write_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        while (first := self._next_job(connection)) is not None:
            group = [first]
            closing = False
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP_LIMIT and not closing:
                    job = self._inbox.get_nowait()
                    if job is None:
                        closing = True
                    else:
                        group.append(job)
            connection = self._commit_group(connection, group)
            if closing:
                break
        if connection is not None:
            connection.close()

    def _next_job(self, connection: sqlite3.Connection | None) -> _Job | None:
        """Wait for the next function; None: there are no more.

        A quiet moment is used to move the write-ahead log into the database file, so that nobody
        who writes has to wait for that.
        """
        if connection is not None and self._unmoved >= CHECKPOINT_WHEN_QUIET:
            if self._unmoved < CHECKPOINT_AT_ONCE:
                with contextlib.suppress(queue.Empty):
                    return self._inbox.get(timeout=_QUIET_SECONDS)
            self._checkpoint(connection)
        while self.last_error is not None:
            try:
                return self._inbox.get(timeout=_PROBE_SECONDS)
            except queue.Empty:
                self._probe()
        return self._inbox.get()

    def _probe(self) -> None:
        """Find out whether writes go through again: health must not wait for somebody's request."""
        try:
            with contextlib.closing(self._connect(self.path)) as connection:
                connection.execute(queries("sqlite")["set_meta"], {"name": "probe", "value": ""})
        except sqlite3.Error as error:
            self.last_error = str(error)
        else:
            self.last_error = None

    def _commit_group(
        self, connection: sqlite3.Connection | None, group: list[_Job]
    ) -> sqlite3.Connection | None:
        """Run every function of the group in one transaction, then answer all of them.

        The connection to go on with: None after a failure, so that the next group begins with a
        fresh one and the store recovers by itself once the disk does.
        """
        seq, events = 0, []
        try:
            connection = connection or self._connect(self.path)
            changes = connection.total_changes
            tx = _run_together(connection, group) or _run_one_by_one(connection, group)
            newest_seq = tx.newest_seq() if tx.appended else 0
            connection.execute("COMMIT")
            seq, events = newest_seq, tx.appended
            self.last_error = None
            self._unmoved += connection.total_changes - changes
        except Exception as error:
            self.last_error = str(error)
            if connection is not None:
                connection.close()
                connection = None
            failure = StoreUnavailable(
                f"The database cannot take writes ({error}); nothing was changed. It is tried "
                "again with the next request."
            )
            for job in group:
                job.outcome = failure
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(self._answer, group, seq, events)
        return connection

    def _answer(self, group: list[_Job], seq: int, events: Sequence[NewEvent]) -> None:
        """Hand every function's outcome to the caller that waits for it; followers come after."""
        for job in group:
            if job.future.done():
                continue  # the caller gave up; the change was kept or refused all the same
            if isinstance(job.outcome, Exception):
                job.future.set_exception(job.outcome)
            else:
                job.future.set_result(job.outcome[0])
        if events:
            self._on_append(seq, events)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move the write-ahead log into the database file, never waiting for readers.

        What could not be moved stays in the log and is moved later: failing is harmless.
        """
        self._unmoved = 0
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    # -- reading

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on one snapshot of what is committed."""
        if self._readers is None or self._loop is None:
            raise StoreUnavailable("The store is closed.")
        try:
            return await self._loop.run_in_executor(self._readers, self._read, fn)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The database cannot be read: {error}.") from error

    def _read(self, fn: Callable[[Tx], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._reader_connections.append(connection)
        connection.execute("BEGIN")
        try:
            return fn(SqliteTx(connection))
        finally:
            connection.execute("COMMIT")


def _run_together(connection: sqlite3.Connection, group: Sequence[_Job]) -> SqliteTx | None:
    """Begin a transaction and run every function in it; None, and none begun, if one fails.

    Nearly all succeed: no savepoints are set for those that do not. What a function does beside
    the transaction it may do twice.
    """
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTx(connection)
    try:
        for job in group:
            job.outcome = (job.fn(tx),)
        tx.write_out()
    except Exception as error:
        _raise_the_disks(error)
        connection.execute("ROLLBACK")
        return None
    return tx


def _run_one_by_one(connection: sqlite3.Connection, group: Sequence[_Job]) -> SqliteTx:
    """Begin a transaction and run each function in it; one that fails leaves nothing behind."""
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTx(connection)
    for job in group:
        appended = len(tx.appended)
        connection.execute("SAVEPOINT verb")
        try:
            job.outcome = (job.fn(tx),)
            tx.write_out()
        except Exception as error:
            _raise_the_disks(error)
            tx.forget(appended)
            connection.execute("ROLLBACK TO verb")
            job.outcome = error
        connection.execute("RELEASE verb")
    return tx


def _raise_the_disks(error: Exception) -> None:
    """Raise an error that is not the function's own: the whole group is refused for it."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _VERBS_FAULTS):
        raise error


def take_lock(database: Path) -> IO[str]:
    """Hold the database's lock file until the returned file is closed.

    Raises DataDirLocked, with the holder's process id, when another process has it.
    """
    path = database.with_name(database.name + ".lock")
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise DataDirLocked(
            f"Another process (pid {holder}) uses {database.parent}. One gateway owns a data "
            "directory: stop that one, or give this one another UA_DATA_DIR."
        ) from None
    with contextlib.suppress(OSError):  # the disk is full: the lock holds without the number too
        os.truncate(file.fileno(), 0)
        os.write(file.fileno(), str(os.getpid()).encode())
    return file
