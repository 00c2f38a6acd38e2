"""Pages of lists, read in small batches up to a limit of bytes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")
C = TypeVar("C")

#: The most bytes of one page.
MAX_BYTES = 8_000_000

#: How many entries are read at a time. An entry may have 100 KB.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Filled(Generic[T]):
    """The content of a page."""

    entries: list[T]
    documents: list[dict[str, Any]]
    #: Whether the page ended because of its size.
    is_full: bool


async def fill(
    read: Callable[[C, int], Awaitable[Sequence[T]]],
    document: Callable[[T], dict[str, Any]],
    place: Callable[[T], C],
    *,
    after: C,
    limit: int,
) -> Filled[T]:
    """Up to `limit` entries after a position, as many as fit; at least one if there is one.

    `read` returns entries after a position, `place` is the position of an entry, and `document` its
    wire form.
    """
    entries: list[T] = []
    documents: list[dict[str, Any]] = []
    size = 0
    while len(entries) < limit:
        wanted = min(BATCH, limit - len(entries))
        found = await read(after, wanted)
        for entry in found:
            made = document(entry)
            size += _length(made)
            if size > MAX_BYTES and entries:
                return Filled(entries, documents, is_full=True)
            entries.append(entry)
            documents.append(made)
            after = place(entry)
        if len(found) < wanted:
            break
    return Filled(entries, documents, is_full=False)


async def has_more(
    found: Filled[T],
    read: Callable[[C, int], Awaitable[Sequence[T]]],
    place: Callable[[T], C],
    *,
    limit: int,
) -> bool:
    """Whether there are entries after those that were found."""
    if found.is_full or len(found.entries) < limit:
        return found.is_full
    return bool(await read(place(found.entries[-1]), 1))


def _length(document: dict[str, Any]) -> int:
    try:
        return len(orjson.dumps(document))
    except TypeError:
        return 0  # the answer contains a stub instead
