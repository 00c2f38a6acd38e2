"""Checks of a database file before anything is written to it.

A file that is damaged is left as it is; a gateway never starts empty in its place.
"""

import os
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from universal_agent.errors import DataMissing, StoreCorrupt
from universal_agent.files import read_regular
from universal_agent.store.databases.acknowledged import advice, read_mark, require_everything

#: Databases up to this size are read whole at every start, in at most half a second.
_READ_WHOLE_BYTES = 128 * 1024 * 1024

#: The fields of the log's index that are read (sqlite.org/walformat.html, 2.1): whether it is
#: filled in, mxFrame, the salt, nBackfill. They are in the byte order of the machine.
_INDEX = struct.Struct("=12x?3xI12x8s56xI")


def is_fresh(path: Path) -> bool:
    """Whether there is no database yet.

    Raises StoreCorrupt when the file is damaged, and DataMissing when it does not have everything
    that was acknowledged.
    """
    if not path.exists() and not _log_of(path).exists():
        if (mark := read_mark(path)) is not None:
            raise DataMissing(
                f"{path} is not there, and event {mark.seq} was acknowledged here. {advice(path)}"
            )
        return True
    why = what_is_wrong(path, read_whole=_size(path) <= _READ_WHOLE_BYTES)
    if why is not None:
        raise StoreCorrupt(
            f"{path} is not a readable database ({why}). It was left as it is. Put a backup in "
            "its place, or begin with an empty one: move it away and run "
            f"`ua accept-loss --data-dir {path.parent}`."
        )
    require_all_of(path)
    return False


def require_all_of(path: Path) -> None:
    """Raise DataMissing when a sound database does not have everything that was acknowledged."""
    mark = read_mark(path)
    has_log = _size(_log_of(path)) > 0
    with closing(_readable(path)) as connection:
        require_everything(path, connection, mark, has_log=has_log)


def what_is_wrong(path: Path, *, read_whole: bool) -> str | None:
    """Why the database cannot be used, or None; with `read_whole` every page is checked.

    A gateway may be writing: a read-only connection never moves the write-ahead log into the
    database.
    """
    log_bytes = _size(_log_of(path))
    indexed = _index_of(path)
    if not path.exists():
        return f"only {_log_of(path).name} is there"
    if not _size(path):
        return "the file is empty"
    if not log_bytes and indexed is not None and indexed.frames > indexed.moved:
        return f"{_log_of(path).name} is missing, and the latest changes with it"
    try:
        with closing(_readable(path)) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            if _size(path) + log_bytes < pages * page_bytes:
                return "its end is missing"
            found = _index_of(path)
            if indexed and found and found.salt == indexed.salt and found.frames < indexed.frames:
                return (
                    f"of {indexed.frames} changed pages in {_log_of(path).name} only "
                    f"{found.frames} can be read"
                )
            if read_whole:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return None if verdict == "ok" else str(verdict)
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def _readable(path: Path) -> sqlite3.Connection:
    """A read-only connection, which creates no file where there is no log."""
    mode = "ro" if _size(_log_of(path)) else "ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)


@dataclass(frozen=True, slots=True)
class _LogIndex:
    """What the write-ahead log's index (`-shm`) says about the log.

    SQLite takes a log that lost its end for a shorter one. The index outlives a killed process, and
    is written after the log was synced: it never counts more pages than the log has.
    """

    #: Changed pages that are committed in the log.
    frames: int
    #: How many of them are in the database too.
    moved: int
    #: The salt of the log that it is about; a log that is written from its beginning has a new one.
    salt: bytes


def _index_of(path: Path) -> _LogIndex | None:
    """The index of the database's log; None where there is none yet."""
    try:
        head = read_regular(path.with_name(path.name + "-shm"), limit=_INDEX.size)
    except FileNotFoundError:
        return None
    if len(head) < _INDEX.size:
        return None
    ready, frames, salt, moved = _INDEX.unpack(head)
    return _LogIndex(frames, moved, salt) if ready else None


def back_up(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy a database with its write-ahead log, before it is changed."""
    new = copy.with_name(copy.name + ".new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new)) as target:
        connection.backup(target)
    new.chmod(0o600)
    put_in_place(new, copy)


def put_in_place(new: Path, path: Path) -> None:
    """Give a new database its final name, durably."""
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
