"""Decoding of many rows; those that cannot be decoded are set aside."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from universal_agent.store.tx import Row, Tx

T = TypeVar("T")


def readable(
    tx: Tx, table: str, rows: Iterable[Row], decode: Callable[[Row], T]
) -> list[tuple[Row, T]]:
    """The rows that can be decoded, with their values; the first column is the key."""
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
    """The values of the rows that can be decoded."""
    return [value for _, value in readable(tx, table, rows, decode)]
