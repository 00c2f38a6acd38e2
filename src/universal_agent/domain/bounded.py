"""A cache bounded by the size of its values, not by their number."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """LRU cache whose values have sizes; their sum stays within `limit`. Safe between threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: What the values add up to.
        self.size = 0
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value, or None."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep the value. One that is larger than the limit is not kept."""
        with self._lock:
            self._remove(key)
            if size > self.limit:
                return
            self._held[key] = value, size
            self.size += size
            while self.size > self.limit:
                _, (_, dropped) = self._held.popitem(last=False)
                self.size -= dropped

    def drop(self, key: K) -> None:
        """Drop the value, if there is one."""
        with self._lock:
            self._remove(key)

    def _remove(self, key: K) -> None:
        removed = self._held.pop(key, None)
        if removed is not None:
            self.size -= removed[1]

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._held.clear()
            self.size = 0
