"""Schemas and migrations.

Migrations are numbered files, append-only. Each is applied in one transaction together with the
record that it was, so that a process killed in one leaves the old schema or the new one.
"""

import re
import sqlite3
from importlib.resources import files

from universal_agent.errors import StoreCorrupt


def migrations(dialect: str) -> list[tuple[int, str, str]]:
    """(number, name, statements), in order."""
    found = []
    for file in files("universal_agent.store").joinpath("migrations").iterdir():
        match = re.fullmatch(rf"(\d{{4}})_(\w+)\.{dialect}\.sql", file.name)
        if match:
            found.append((int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found)


def schema_of(connection: sqlite3.Connection) -> int:
    """The number of the last migration that the database has had; 0 when it is new."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def newest_schema(dialect: str) -> int:
    """The number of the last migration there is."""
    return migrations(dialect)[-1][0]


def migrate(connection: sqlite3.Connection, *, dialect: str) -> None:
    """Apply the missing migrations. Raises StoreCorrupt for a database of a newer version."""
    version, newest = schema_of(connection), newest_schema(dialect)
    if version > newest:
        raise StoreCorrupt(
            f"The database has schema {version}; this version of universal_agent knows up to "
            f"{newest}. Run the newer version, or put the copy back that was made before the "
            f"upgrade (its name ends in .schema-{newest})."
        )
    for number, _, statements in migrations(dialect):
        if number > version:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in _split(statements):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise


def _split(script: str) -> list[str]:
    """The statements of a script; a trigger's body stays in one piece."""
    statements, pending = [], ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
