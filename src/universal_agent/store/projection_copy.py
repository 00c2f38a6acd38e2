"""What does the calendar's projection hold, all of it? Page by page, to be hashed or copied."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from universal_agent.store.base import ProjectionDigest, ProjectionPage
from universal_agent.store.projection_rows import position
from universal_agent.store.tx import Row, Tx, to_json

#: Rows that are hashed at once.
_HASHED_ROWS = 5000


class _Table(NamedTuple):
    """A table of the projection. Its rows come in the order of the key."""

    #: The key, which comes first in a row, with what lies before every value of it.
    key: Mapping[str, object]
    #: The other columns.
    rest: tuple[str, ...]
    #: The statement that puts a row.
    put: str


_TABLES = {
    "jobs": _Table(
        {"job_id": ""}, ("version", "next_run_at", "deleted", "frequent"), "put_feed_job"
    ),
    "versions": _Table(
        {"job_id": "", "version": -1}, ("spec", "frequent", "source"), "put_feed_version"
    ),
    "slots": _Table(
        {"lane": "", "scheduled_at": -1, "source": "", "source_ref": ""},
        ("job_version", "outcome", "reason", "run_id", "duration_seconds", "moved_to"),
        "put_feed_slot",
    ),
    "hours": _Table({"hour": -1, "source_ref": "", "outcome": ""}, ("count",), "add_to_feed_hour"),
    "missed": _Table(
        {"missed_id": ""},
        (
            *("source", "source_ref", "job_version", "first_at", "last_at", "count", "cause"),
            *(
                "outage_id",
                "status",
                "created_at",
                "updated_at",
                "useful_until",
                "note",
                "decided_by",
                "run_id",
            ),
        ),
        "put_feed_missed",
    ),
    # The last: a copy that is not complete has no position.
    "state": _Table({"position": -1}, ("last_event_at",), "set_feed_state"),
}


def read_page(tx: Tx, after: ProjectionPage | None, *, limit: int) -> ProjectionPage | None:
    names = list(_TABLES)
    for name in names if after is None else names[names.index(after.table) :]:
        last = after.rows[-1] if after is not None and after.table == name else None
        if rows := _rows(tx, name, last, limit=limit):
            return ProjectionPage(table=name, rows=rows)
    return None


def _rows(tx: Tx, name: str, last: Row | None, *, limit: int) -> list[Row]:
    key = _TABLES[name].key
    after = key if last is None else dict(zip(key, last, strict=False))
    return tx.all(f"feed_dump_{name}", **after, limit=limit)


def write_page(tx: Tx, page: ProjectionPage) -> None:
    table = _TABLES[page.table]
    columns = (*table.key, *table.rest)
    tx.many(table.put, [dict(zip(columns, row, strict=True)) for row in page.rows])


def digest(tx: Tx) -> ProjectionDigest:
    """A hash of every row, and the position it is of."""
    hashed = hashlib.blake2b(digest_size=16)
    page: ProjectionPage | None = None
    while (page := read_page(tx, page, limit=_HASHED_ROWS)) is not None:
        if page.table != "state":
            hashed.update(page.table.encode())
            for row in page.rows:
                hashed.update(to_json(row).encode())
    return ProjectionDigest(position=position(tx), hash=hashed.hexdigest())


def clear(tx: Tx) -> None:
    for name in _TABLES:
        if name != "state":
            tx.run(f"clear_feed_{name}")
    tx.run("set_feed_state", position=0, last_event_at=None)
