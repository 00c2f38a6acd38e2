"""The SQLite database: one writer thread with group commit, readers in lanes, one process.

The writer is the only connection that checkpoints: SQLite before 3.51.3 could lose pages when two
connections checkpointed at the same time. A lock keeps a second process out (data_lock.py).

The names of the files are checked before and after each commit, and every two seconds. When one of
them is gone or another file has taken its place, the store takes no more writes until a restart:
nothing that was read since is sure to be what the next process will find.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from universal_agent.domain.events import NewEvent
from universal_agent.errors import StartupError, StoreUnavailable
from universal_agent.store.databases.acknowledged import SETTLED, YES
from universal_agent.store.databases.data_lock import DataLock
from universal_agent.store.databases.database_file import back_up, is_fresh, put_in_place
from universal_agent.store.databases.group_writer import GroupWriter
from universal_agent.store.databases.migrate import migrate, newest_schema, schema_of
from universal_agent.store.databases.readers import Readers
from universal_agent.store.databases.seen_before import SeenBefore
from universal_agent.store.databases.upkeep import Upkeep
from universal_agent.store.memory import Memory
from universal_agent.store.set_aside import SetAside
from universal_agent.store.statements import queries
from universal_agent.store.tx import Lane, Tx

T = TypeVar("T")


class SqliteDatabase:
    """A database file and the threads that own its connections."""

    #: Its lock keeps a second process out.
    is_exclusive = True

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
        self._memory = Memory()
        self._synchronous = synchronous
        self._on_append = on_append or (lambda seq, events: None)
        self._writer: GroupWriter | None = None
        self._readers: Readers | None = None
        self._lock: DataLock | None = None
        self._is_kept = is_kept
        self._seen_before = SeenBefore(self.path, state_dir)
        self._upkeep: Upkeep | None = None

    @property
    def last_error(self) -> str | None:
        """Why the latest write failed; None since a write succeeded."""
        return None if self._writer is None else self._writer.last_error

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
        try:
            upkeep = self._upkeep = await asyncio.to_thread(self._prepare)
        except OSError as error:
            self._unlock()
            why = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
            raise StartupError(f"{self.path} cannot be used: {why}.") from error
        except BaseException:
            self._unlock()
            raise
        self._writer = GroupWriter(
            lambda: self._connect(self.path), upkeep, self._memory, self._on_append
        )
        self._readers = Readers(self._connect_reader, self._memory)

    def _prepare(self) -> Upkeep:
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
        return Upkeep(self.path, lock.descriptor, self._seen_before, is_kept=self._is_kept)

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
        finish = None if self._writer is None else self._writer.refuse()
        if readers is not None:
            await asyncio.to_thread(readers.close)
        if finish is not None:
            await asyncio.to_thread(finish)
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

    # -- transactions

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in a transaction; returns its result once that is durable.

        Raises what `fn` raised, or StoreUnavailable when the database could not take the write; in
        both cases nothing was kept.
        """
        if self._writer is None:
            raise StoreUnavailable("The store is closed.")
        return await self._writer.write(fn)

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
        assert self._upkeep is not None, "set before the readers start"
        if not self._upkeep.is_in_place():
            connection.close()
            raise StoreUnavailable(
                f"The database cannot be read: {self.path} is not the file that the gateway "
                "started with."
            )
        return connection
