"""The writer's care for the database files: checks that they are in place, and checkpoints.

Used on the writer's thread only.
"""

import contextlib
import sqlite3
from pathlib import Path

import structlog

from universal_agent.store.databases.acknowledged import NO, SETTLED, YES, MarkFile
from universal_agent.store.databases.open_files import OpenFiles
from universal_agent.store.databases.seen_before import SeenBefore
from universal_agent.store.statements import queries

_log = structlog.get_logger(__name__)

#: Changed rows after which the write-ahead log is moved into the database file in a short quiet
#: time, and after which it is moved while writes wait. Fewer are moved after a longer quiet time.
CHECKPOINT_WHEN_QUIET = 1_000
CHECKPOINT_AT_ONCE = 50_000
_QUIET_SECONDS = 0.25
_LONG_QUIET_SECONDS = 1.0


class FilesLost(Exception):
    """The database is no longer under its name; the message says what happened."""


class Upkeep:
    """The files of one open database."""

    def __init__(
        self, database: Path, descriptor: int, seen_before: SeenBefore, *, is_kept: bool
    ) -> None:
        self._database = database
        self._files = OpenFiles(database, descriptor)
        self._seen_before = seen_before
        self._is_kept = is_kept
        self._mark: MarkFile | None = None
        #: Rows changed since the write-ahead log was last moved into the database file.
        self._unmoved = 0
        #: Whether the database, and its main file, say that the main file has everything.
        self._says_settled = self._main_says_settled = True
        #: What happened to the files; no write follows.
        self.lost: str | None = None

    def connected(self, connection: sqlite3.Connection) -> None:
        """Remember the files of a new connection of the writer."""
        self._files.connection_opened()
        row = connection.execute(queries("sqlite")["get_meta"], {"name": SETTLED}).fetchone()
        self._says_settled = self._main_says_settled = row != (NO,)

    def disconnected(self) -> None:
        """Remember that the connection is closed."""
        self._files.connection_closed()

    def look(self) -> None:
        """Raise FilesLost when a file is not in place; OSError when it cannot be examined."""
        if self.lost is None and (gone := self._files.what_is_gone()) is not None:
            self.lost = gone
            self._seen_before.keep_loss()
            _log.critical("database_lost", reason=gone)
        if self.lost is not None:
            raise FilesLost(
                f"{self.lost}. Nothing is written any more; put the files back and restart the "
                "gateway"
            )

    def is_in_place(self) -> bool:
        """Whether the name of the database still refers to the opened file. Thread-safe."""
        return self._files.is_in_place()

    # -- around a commit

    def before_commit(self, connection: sqlite3.Connection) -> None:
        """Record in the transaction that the main file will no longer have everything."""
        if self._is_kept and self._says_settled:
            self._say(connection, NO)

    def committed(self, connection: sqlite3.Connection, seq: int, changed: int) -> None:
        """Raise the mark. `seq` is that of the newest event, 0 when the commit had none."""
        self._unmoved += changed
        if not (self._is_kept and changed):
            return
        self._says_settled = False
        try:
            if self._mark is None:
                self._mark = self._new_mark(connection)
            elif seq:
                self._mark.write(seq)
        except OSError as error:
            _log.warning("mark_not_written", error=str(error))

    def answered(self, connection: sqlite3.Connection) -> None:
        """Withdraw the main file's statement that it has everything, once the callers have their
        answers.
        """
        if self._main_says_settled and not self._says_settled and self.checkpoint(connection):
            self._main_says_settled = False

    def _new_mark(self, connection: sqlite3.Connection) -> MarkFile | None:
        (stream_id, _, newest) = connection.execute(queries("sqlite")["log_bounds"]).fetchone()
        if stream_id is None:
            return None
        self._seen_before.keep(stream_id)
        mark = MarkFile(self._database, stream_id)
        mark.write(newest or 0)
        return mark

    # -- in quiet times

    @property
    def is_overdue(self) -> bool:
        """Whether the write-ahead log is so long that writes wait for a checkpoint."""
        return self._unmoved >= CHECKPOINT_AT_ONCE

    @property
    def waits_seconds(self) -> float | None:
        """The quiet time before `settle`; None when there is nothing to settle."""
        if not self._unmoved:
            return None
        return _QUIET_SECONDS if self._unmoved >= CHECKPOINT_WHEN_QUIET else _LONG_QUIET_SECONDS

    def settle(self, connection: sqlite3.Connection) -> None:
        """Move everything into the main file, and record that there. Raises sqlite3.Error,
        FilesLost.
        """
        self.look()
        if self._mark is not None and not self._mark.is_in_place(self._database):
            self._mark.close()
            self._mark = self._new_mark(connection)
        if self._is_kept and not self._says_settled:
            connection.execute("BEGIN IMMEDIATE")
            self._say(connection, YES)
            connection.execute("COMMIT")
            self._says_settled = True
        if self.checkpoint(connection):
            self._main_says_settled = self._says_settled
        else:
            self._unmoved = 1  # a reader was in the way: once more

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Move the write-ahead log into the database file, without waiting for readers.

        Returns whether all of it was moved; the rest is moved later.
        """
        self._unmoved, done = 0, False
        with contextlib.suppress(sqlite3.Error):
            busy, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            done = not busy and pages == moved
        self._files.database_written()
        return done

    def close(self) -> None:
        """Release the files."""
        if self._mark is not None:
            self._mark.close()
            self._mark = None

    def _say(self, connection: sqlite3.Connection, word: str) -> None:
        connection.execute(queries("sqlite")["set_meta"], {"name": SETTLED, "value": word})
