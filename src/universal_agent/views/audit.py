"""The audit: events about decisions and changes by people."""

from collections.abc import Sequence
from typing import Any

from universal_agent.domain.events import (
    Event,
)
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.filled import fill, has_more


async def audit(store: Store, *, limit: int, before_seq: int | None) -> dict[str, Any]:
    """A page of the audit, newest first; at most `limit` events, fewer if they do not fit."""

    async def read(before: int | None, wanted: int) -> Sequence[Event]:
        return await store.read(verbs.event_log.audit, limit=wanted, before_seq=before)

    def place(event: Event) -> int | None:
        return event.seq

    found = await fill(read, Event.envelope, place, after=before_seq, limit=limit)
    more = await has_more(found, read, place, limit=limit)
    return {"entries": found.documents, "has_more": more}
