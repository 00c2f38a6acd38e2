"""Accepting the loss of acknowledged data, so that the gateway starts without them."""

import contextlib
import os
import sqlite3
from pathlib import Path
from uuid import uuid4

from universal_agent.errors import DataMissing, StoreCorrupt
from universal_agent.store.databases.acknowledged import SETTLED, YES, forget_mark, read_mark
from universal_agent.store.databases.data_lock import DataLock
from universal_agent.store.databases.database_file import is_fresh, what_is_wrong
from universal_agent.store.databases.seen_before import SeenBefore
from universal_agent.store.statements import queries


def find_loss(database: Path, state_dir: Path | None) -> str | None:
    """What a start would refuse to go on without, in words for people; None when nothing is
    missing.

    Raises StoreCorrupt when the database that is there cannot be read.
    """
    try:
        if not database.exists():
            SeenBefore(database, state_dir).require_new()
        is_fresh(database)
    except DataMissing as error:
        return error.message
    return None


def accept_loss(database: Path, state_dir: Path | None) -> None:
    """Make the next start go on with the data there are, under a new stream id.

    The sequence numbers of the lost events will be given to other events, so clients that follow
    the stream must start over; the new stream id tells them. Raises DataDirLocked while a gateway
    runs.
    """
    if not database.exists():
        forget_mark(database)
        SeenBefore(database, state_dir).forget()
        return
    lock = DataLock(database)
    try:
        if (why := what_is_wrong(database, read_whole=True)) is not None:
            raise StoreCorrupt(f"{database} is damaged: {why}")
        _begin_stream(database, uuid4().hex)
        forget_mark(database)
    finally:
        lock.close()


def _begin_stream(database: Path, stream_id: str) -> None:
    named = queries("sqlite")
    uri = f"{database.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        row = connection.execute(named["get_meta"], {"name": "stream_id"}).fetchone()
        mark = read_mark(database)
        old = None if row is None else str(row[0])
        if old is not None and (mark is None or mark.stream_id == old):
            # The checkpoint of the old stream is the past of the new one too.
            _link_checkpoint(database, old, stream_id)
        connection.execute("BEGIN IMMEDIATE")
        if old is not None and (mark is None or mark.stream_id == old):
            connection.execute(named["set_meta"], {"name": "stream_id", "value": stream_id})
        connection.execute(named["set_meta"], {"name": SETTLED, "value": YES})
        connection.execute("COMMIT")


def _link_checkpoint(database: Path, old: str, new: str) -> None:
    """Give the checkpoint of a stream a second name, for the stream that follows it."""
    for suffix in ("", "-wal"):
        there = database.with_name(f"{database.name}.checkpoint-{old}{suffix}")
        if there.exists():
            with contextlib.suppress(FileExistsError):
                os.link(there, database.with_name(f"{database.name}.checkpoint-{new}{suffix}"))
