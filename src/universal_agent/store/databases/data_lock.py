"""The lock that keeps a second process off a database.

It is held on the database file itself, so that it stays when names are removed or files are moved.
A lock file next to the database names the holder, keeps two processes from creating the database at
the same time, and is all that earlier versions look at.
"""

import contextlib
import fcntl
import os
import struct
from pathlib import Path

from universal_agent.errors import DataDirLocked
from universal_agent.files import open_regular

#: The byte that is locked: far beyond every byte that SQLite locks, and beyond every file's end.
_BYTE = 2**62

#: struct flock (fcntl.h): type, whence, start, length, process.
_FLOCK = struct.Struct("@hhqqi0q")

#: Locks that belong to an open file instead of a process (Linux, macOS). SQLite's own locks are
#: the process's, and the two kinds do not replace each other.
_SET_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_GET_LOCK: int | None = getattr(fcntl, "F_OFD_GETLK", None)


class DataLock:
    """Holds a database until it is closed.

    Close it after the last SQLite connection to the database: closing any descriptor of a file
    drops the locks that SQLite has on it.
    """

    def __init__(self, database: Path) -> None:
        """Raises DataDirLocked, with the holder's process id, when another process has it."""
        self._path = database
        name = _open_name(database)
        self._name: int | None = name
        #: The database file; None until there is one.
        self.descriptor: int | None = None
        try:
            self.hold(database)
        except FileNotFoundError:
            pass
        except BaseException:
            self.close()
            raise
        with contextlib.suppress(OSError):  # the disk is full: the lock holds without the number
            os.truncate(name, 0)
            os.pwrite(name, str(os.getpid()).encode(), 0)

    def hold(self, file: Path) -> None:
        """Lock the database file, which may still be under another name.

        Raises FileNotFoundError when there is none, DataDirLocked when another process has it.
        """
        # The operator may have made the database a link to another place.
        descriptor = open_regular(file.resolve(), os.O_RDWR)
        try:
            if _SET_LOCK is not None:
                fcntl.fcntl(descriptor, _SET_LOCK, _request(fcntl.F_WRLCK))
        except OSError:
            os.close(descriptor)
            raise _locked(self._path, _holder(self._name)) from None
        self.descriptor = descriptor

    def close(self) -> None:
        """Release the database."""
        for descriptor in (self.descriptor, self._name):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self.descriptor = self._name = None


def is_held(database: Path) -> bool:
    """Whether a process holds the database now. Takes no lock, so no start is delayed.

    Call it where no connection to the database is open. A system without locks of open files
    answers yes for every lock file.
    """
    try:
        descriptor = open_regular(database.resolve())
    except OSError:
        return False
    try:
        if _GET_LOCK is None:
            return _lock_file(database).exists()
        found = fcntl.fcntl(descriptor, _GET_LOCK, _request(fcntl.F_WRLCK))
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


def _request(kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, _BYTE, 1, 0)


def _lock_file(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _open_name(database: Path) -> int:
    descriptor = open_regular(_lock_file(database), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        error = _locked(database, _holder(descriptor))
        os.close(descriptor)
        raise error from None
    return descriptor


def _holder(lock_file: int | None) -> str:
    """The process id in a lock file."""
    if lock_file is None:
        return "unknown"
    return os.pread(lock_file, 32, 0).decode("ascii", "replace").strip() or "unknown"


def _locked(database: Path, holder: str) -> DataDirLocked:
    return DataDirLocked(
        f"Another process (pid {holder}) uses {database.parent}. One gateway owns a data "
        "directory: stop that one, or give this one another UA_DATA_DIR."
    )
