"""The last acknowledged event, recorded in a file next to the database and in the database.

`ua.db.mark` has the seq of the last event that was acknowledged. It is written after each commit,
without a sync: it outlives the process, and after a power cut it is behind, never ahead.

The row `settled` says whether the main file has everything. While nothing is written it does, and a
copy of that file alone is complete. The first commit after a quiet time withdraws that statement,
in the main file too; from then on part of what was acknowledged is only in the write-ahead log.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from universal_agent.errors import DataMissing
from universal_agent.files import open_regular, read_regular

#: The row of `meta` that says whether the main file has everything. Databases of older versions
#: have none.
SETTLED = "settled"
YES, NO = "yes", "no"

_MARK_BYTES = 256


@dataclass(frozen=True, slots=True)
class Mark:
    """The last event that was acknowledged, in one event stream."""

    stream_id: str
    seq: int


def mark_path(database: Path) -> Path:
    """Where the mark of a database is kept."""
    return database.with_name(database.name + ".mark")


def read_mark(database: Path) -> Mark | None:
    """The mark of a database; None when there is none that can be read."""
    try:
        data = read_regular(mark_path(database), limit=_MARK_BYTES)
        stream_id, seq = data.decode("ascii").split()
        return Mark(stream_id, int(seq))
    except (OSError, ValueError):
        return None


class MarkFile:
    """Writes the mark of a database in place."""

    def __init__(self, database: Path, stream_id: str) -> None:
        self._stream_id = stream_id
        self._descriptor = open_regular(mark_path(database), os.O_WRONLY | os.O_CREAT)

    def write(self, seq: int) -> None:
        """Raise the mark. One write of one block: a kill leaves the old mark or the new one."""
        os.pwrite(self._descriptor, f"{self._stream_id} {seq:>20}\n".encode(), 0)

    def is_in_place(self, database: Path) -> bool:
        """Whether the mark is still there under its name."""
        with contextlib.suppress(OSError):
            mine, there = os.fstat(self._descriptor), mark_path(database).lstat()
            return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
        return False

    def close(self) -> None:
        os.close(self._descriptor)


def forget_mark(database: Path) -> None:
    """Remove the mark."""
    mark_path(database).unlink(missing_ok=True)


def require_everything(
    database: Path, connection: sqlite3.Connection, mark: Mark | None, *, has_log: bool
) -> None:
    """Raise DataMissing when the database does not have everything that was acknowledged.

    `mark` was read before the connection's snapshot was taken.
    """
    meta, newest = _state_of(connection)
    if mark is None:
        if meta.get(SETTLED) == NO and not has_log:
            raise DataMissing(
                f"{database} was copied or left without its write-ahead log "
                f"({database.name}-wal): what was acknowledged after event {newest} is not in it. "
                + advice(database)
            )
    elif mark.stream_id != meta.get("stream_id"):
        raise DataMissing(
            f"{database} is not the database that was here before: event {mark.seq} of another "
            f"event stream was acknowledged here. " + advice(database)
        )
    elif newest < mark.seq:
        raise DataMissing(
            f"{database} ends at event {newest}, and event {mark.seq} was acknowledged: the "
            f"{mark.seq - newest} latest events are missing, with what they changed. "
            + advice(database)
        )


def _state_of(connection: sqlite3.Connection) -> tuple[dict[str, str], int]:
    """The stream id and settled state in `meta`, and the seq of the newest event: 0 in an empty
    log.
    """
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'events')"
    if connection.execute(tables).fetchone() != (2,):
        return {}, 0
    meta = dict(
        connection.execute(
            "SELECT name, value FROM meta WHERE name IN ('stream_id', ?)", (SETTLED,)
        ).fetchall()
    )
    # The newest event is never deleted, and earlier schemas have no log_head.
    (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    return meta, int(newest)


def advice(database: Path) -> str:
    """What to do about missing data, in words for people."""
    return (
        f"Put back what belongs there ({database.name}, {database.name}-wal, or a backup and its "
        "mark), or accept the loss: ua accept-loss --data-dir " + str(database.parent)
    )
