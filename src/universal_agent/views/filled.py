"""Lists that are read in small batches until their answer is full."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")
C = TypeVar("C")

#: An answer with a list goes on in a next page when it is as large as this.
MAX_BYTES = 8_000_000

#: Entries that are read at once. One may be some 100 KB.
BATCH = 100


@dataclass(frozen=True, slots=True)
class Filled(Generic[T]):
    """What fits into an answer."""

    entries: list[T]
    documents: list[dict[str, Any]]
    #: The answer was full before there was nothing left.
    is_full: bool


async def fill(
    read: Callable[[C, int], Awaitable[Sequence[T]]],
    document: Callable[[T], dict[str, Any]],
    place: Callable[[T], C],
    *,
    after: C,
    limit: int,
) -> Filled[T]:
    """Up to `limit` entries after a place, as many as fit; at least one where there is one.

    `read` gives entries after a place, `place` is where an entry is, and `document` its wire form.
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
        return 0  # the answer has a stub in its place
