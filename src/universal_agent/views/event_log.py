"""What has happened since a reader last looked?"""

from typing import Any

from universal_agent.store.base import Store


class EventLog:
    """Replays the durable log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def replay(self, *, since_seq: int, limit: int) -> dict[str, Any]:
        """The first `limit` events after `since_seq`, oldest first (docs/contract.md, Events).

        `gap` says that events between the reader and the first one are no longer kept, or that
        the reader knows a seq which this log has not reached.
        """
        bounds = await self._store.log_bounds()
        events = await self._store.read_events(after_seq=since_seq, limit=limit)
        newest = max(bounds.newest_seq, events[-1].seq if events else 0)
        last = events[-1].seq if events else since_seq
        return {
            "events": [event.envelope() for event in events],
            "event_bus_seq": newest,
            "stream_id": bounds.stream_id,
            "oldest_seq": bounds.oldest_seq,
            "has_more": last < newest,
            "gap": 0 < since_seq < bounds.oldest_seq - 1 or since_seq > newest,
        }
