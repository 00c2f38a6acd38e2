"""The same step for each of many rows, where one that fails must not stop the others."""

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
