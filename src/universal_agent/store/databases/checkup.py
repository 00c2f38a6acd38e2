"""The state of a database file, examined without changing it."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from universal_agent.errors import StoreCorrupt
from universal_agent.store.databases.database_file import what_is_wrong
from universal_agent.store.databases.migrate import migrations


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found."""

    schema: int
    #: The schema that this version of the product brings a database to.
    newest_schema: int
    size_bytes: int


def sqlite_version() -> str:
    """The version of the SQLite library in use."""
    return sqlite3.sqlite_version


def check_database(path: Path, *, every_page: bool) -> Checkup:
    """Open the file for reading, and with `every_page` read all of it.

    Raises StoreCorrupt, with what is wrong.
    """
    why = what_is_wrong(path, read_whole=every_page)
    if why is not None:
        raise StoreCorrupt(f"{path} is damaged: {why}")
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    ) as connection:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    return Checkup(
        schema=schema,
        newest_schema=migrations("sqlite")[-1][0],
        size_bytes=path.stat().st_size,
    )
