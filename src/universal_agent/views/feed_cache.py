"""The one cache of calendar feeds: as built, as JSON entries, and as whole answers."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from universal_agent.domain.bounded import BoundedCache
from universal_agent.domain.calendar import Feed
from universal_agent.views.calendar_text import FeedText

#: The bytes that are kept in all. A value of more than a third of them is not kept, so that it does
#: not displace all others: clients that poll it send an etag.
_KEPT_BYTES = 21_000_000
_LARGEST = _KEPT_BYTES // 3

#: Memory of a row, or of the counts of an hour.
_ROW_BYTES = 330

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Form(Generic[V]):
    """A form of a feed, and the bytes that a value of it takes."""

    name: str
    size: Callable[[V], int]


def _feed_bytes(feed: Feed) -> int:
    hours = sum(len(row.hours) for row in feed.always_running)
    return _ROW_BYTES * (len(feed.rows) + len(feed.stasis) + hours)


#: Feeds by window, which are brought up to date.
BUILT: Form[Feed] = Form("built", _feed_bytes)
#: Feeds that clients may hold, to compute deltas from.
HELD: Form[FeedText] = Form("held", lambda feed: feed.held_bytes)
#: Answers by etag, reused while nothing has changed.
ANSWER: Form[bytes] = Form("answer", len)


class FeedCache:
    """LRU cache of feeds in all their forms, bounded by bytes."""

    def __init__(self) -> None:
        self.kept: BoundedCache[Hashable, Any] = BoundedCache(_KEPT_BYTES)
        #: Part of every key and etag: what was in progress when the cache was cleared is not found.
        self.edition = 0

    def forget(self) -> None:
        """Clear the cache: the projection was rebuilt at the same version."""
        self.edition += 1
        self.kept.clear()

    def get(self, form: Form[V], key: Hashable) -> V | None:
        """The value of the present edition, or None."""
        found: V | None = self.kept.get((self.edition, form.name, key))
        return found

    def put(self, form: Form[V], key: Hashable, value: V, *, edition: int) -> None:
        """Keep a value that was made of the state of that edition."""
        size = form.size(value)
        if edition == self.edition and size <= _LARGEST:
            self.kept.put((edition, form.name, key), value, size)

    def drop(self, form: Form[Any], key: Hashable) -> None:
        """Drop a value."""
        self.kept.drop((self.edition, form.name, key))
