"""One step applied to many rows, where a row that fails does not stop the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from universal_agent.store.tx import PartFailed, Tx

T = TypeVar("T")


def for_each(
    tx: Tx,
    table: str,
    rows: Sequence[T],
    do: Callable[[T], None],
    *,
    key: Callable[[T], object],
    put_off: Callable[[T, Exception], None],
) -> None:
    """Apply `do` to each row. A row that fails is rolled back and set aside.

    `put_off` keeps a failed row from being found again immediately. `do` may be called twice for a
    row, and must have no effect outside the transaction.
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
