"""Is this file a database that can be relied on? Answered before anything is written to it.

A file that is not sound is left as it is, for whoever will mend it; a gateway never starts empty
in its place.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from universal_agent.errors import StoreCorrupt

#: Databases up to this size are read whole at every start: half a second at the most.
_READ_WHOLE_BYTES = 128 * 1024 * 1024


def is_fresh(path: Path) -> bool:
    """Whether there is no database yet.

    Raises StoreCorrupt when there is something, and it is not sound.
    """
    if not path.exists() and not _log_of(path).exists():
        return True
    why = what_is_wrong(path, read_whole=_size(path) <= _READ_WHOLE_BYTES)
    if why is not None:
        raise StoreCorrupt(
            f"{path} is not a readable database ({why}). It was left as it is. Put a backup in "
            "its place, or move it away to begin with an empty one."
        )
    return False


def what_is_wrong(path: Path, *, read_whole: bool) -> str | None:
    """Why the database cannot be relied on, or None; with `read_whole` every page is looked at.

    Harmless while a gateway writes: a connection that only reads never moves the write-ahead log
    into the database.
    """
    log_bytes = _size(_log_of(path))
    if not path.exists():
        return f"only {_log_of(path).name} is there"
    if not _size(path):
        return "the file is empty"
    try:
        # Without a log there is nothing that could change meanwhile, and no file need be made.
        mode = "ro" if log_bytes else "ro&immutable=1"
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            if _size(path) + log_bytes < pages * page_bytes:
                return "its end is missing"
            if read_whole:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return None if verdict == "ok" else str(verdict)
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def back_up(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy a database that is about to be changed, its write-ahead log included."""
    new = copy.with_name(copy.name + ".new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new)) as target:
        connection.backup(target)
    new.chmod(0o600)
    put_in_place(new, copy)


def put_in_place(new: Path, path: Path) -> None:
    """Give a database that was made aside its name, for good."""
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
