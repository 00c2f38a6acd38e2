"""Rows that cannot be read: set aside, so that the others go on, and told.

A value that no release of the product wrote, or only a later one: broken JSON, an unknown word, an
impossible time. What goes through rows skips such a row. The row is named here, is logged once, and
stays named until it can be read again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import TypeVar

import structlog

from universal_agent.store.tx import PartFailed, Row, Tx

T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: How long the engine leaves such a row alone before it tries it again.
LEFT_ALONE = timedelta(minutes=1)

#: Rows that are named at the most.
_NAMED = 1000


class SetAside:
    """The rows that could not be read, by table and key, and why."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._reasons)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each of them could not be read."""
        with self._lock:
            return dict(self._reasons)

    def add(self, table: str, key: object, error: BaseException) -> None:
        """Name a row. It is logged when it was not named before."""
        name, reason = f"{table} {key}", f"{type(error).__name__}: {error}"[:300]
        with self._lock:
            if name in self._reasons or len(self._reasons) >= _NAMED:
                return
            self._reasons[name] = reason
        _log.error("row_unreadable", action="row_unreadable", table=table, key=key, error=reason)

    def discard(self, table: str, key: object) -> None:
        """The row can be read."""
        with self._lock:
            self._reasons.pop(f"{table} {key}", None)


def readable(
    tx: Tx, table: str, rows: Iterable[Row], decode: Callable[[Row], T]
) -> list[tuple[Row, T]]:
    """The rows that can be decoded, with what they say; the first column is the key."""
    found = []
    for row in rows:
        try:
            value = decode(row)
        except Exception as error:
            tx.set_aside.add(table, row[0], error)
        else:
            found.append((row, value))
            if tx.set_aside:
                tx.set_aside.discard(table, row[0])
    return found


def decoded(tx: Tx, table: str, rows: Iterable[Row], decode: Callable[[Row], T]) -> list[T]:
    """What the rows say that can be decoded."""
    return [value for _, value in readable(tx, table, rows, decode)]


def for_each(
    tx: Tx,
    table: str,
    rows: Sequence[T],
    do: Callable[[T], None],
    *,
    key: Callable[[T], object],
    put_off: Callable[[T, Exception], None],
) -> None:
    """Do the same with each row. What fails for one leaves nothing behind and does not stop others.

    `put_off` sees to it that the row is not found again right away. `do` may be called twice for a
    row, and must leave nothing behind outside the transaction.
    """
    try:
        with tx.part():
            for row in rows:
                do(row)
    except PartFailed:
        pass
    else:
        return
    for row in rows:
        try:
            with tx.part():
                do(row)
        except PartFailed as failed:
            tx.set_aside.add(table, key(row), failed.error)
            put_off(row, failed.error)
