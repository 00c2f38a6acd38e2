"""Detection of database files that are removed or replaced while they are open.

SQLite goes on writing to a file whose name is gone: such a commit is on the disk, and is lost with
the process. So the names are checked around each commit.
"""

import os
from dataclasses import dataclass
from pathlib import Path

#: The length of the header of a database (sqlite.org/fileformat2.html, 1.3).
_HEADER_BYTES = 100


@dataclass(slots=True)
class _Seen:
    device: int
    inode: int
    size: int
    changed_ns: int


class OpenFiles:
    """The database, its write-ahead log and the log's index, as the writer opened them."""

    def __init__(self, database: Path, descriptor: int) -> None:
        """`descriptor` is an open descriptor of the database; it is not closed here."""
        self._database = database
        self._descriptor = descriptor
        self._header: bytes | None = None
        self._seen: dict[str, _Seen] = {}
        self._paths = {
            suffix: database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")
        }
        self.connection_closed()

    def is_in_place(self) -> bool:
        """Whether the name of the database still refers to the opened file. Thread-safe."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._database.stat())
        except OSError:
            return False

    def connection_opened(self) -> None:
        """Remember all files as they are now, when the writer has opened them."""
        for suffix in ("-wal", "-shm"):
            self._seen[suffix] = _seen(self._paths[suffix].stat())
        self.database_written()

    def connection_closed(self) -> None:
        """Remember the database only: SQLite may remove the other files with the connection."""
        self._seen = {"": _seen(os.fstat(self._descriptor))}
        self._header = None

    def database_written(self) -> None:
        """Remember the database file as a checkpoint of this process has left it."""
        self._seen[""] = _seen(os.fstat(self._descriptor))
        self._header = os.pread(self._descriptor, _HEADER_BYTES, 0)

    def what_is_gone(self) -> str | None:
        """What happened to the files, in words for people; None while all of them are in place.

        Raises OSError when they cannot be examined, which says nothing about them.
        """
        for suffix, seen in self._seen.items():
            path = self._paths[suffix]
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return f"{path} was removed while the gateway ran"
            if (found.st_dev, found.st_ino) != (seen.device, seen.inode):
                return f"{path} was replaced while the gateway ran"
            if suffix == "-wal":
                # The log grows or is written from its beginning; it never shrinks.
                if found.st_size < seen.size:
                    return f"{path} was cut while the gateway ran"
                seen.size = found.st_size
            elif not suffix and self._was_overwritten(seen, found):
                return f"{path} was overwritten while the gateway ran"
        return None

    def _was_overwritten(self, seen: _Seen, found: os.stat_result) -> bool:
        """Whether another program wrote the database file, which only checkpoints do here."""
        if self._header is None:
            return False
        if (found.st_size, found.st_mtime_ns) == (seen.size, seen.changed_ns):
            return False
        if found.st_size < seen.size:
            return True
        if os.pread(self._descriptor, _HEADER_BYTES, 0) != self._header:
            return True
        seen.size, seen.changed_ns = found.st_size, found.st_mtime_ns
        return False


def _seen(found: os.stat_result) -> _Seen:
    return _Seen(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
