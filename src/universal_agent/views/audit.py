"""What people decided and changed."""

from collections.abc import Sequence
from typing import Any

from universal_agent.domain.events import Event
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.filled import fill


async def audit(store: Store, *, limit: int, before_seq: int | None) -> list[dict[str, Any]]:
    """Events of it, newest first; at most `limit`, fewer where they do not fit into an answer."""

    async def read(before: int | None, wanted: int) -> Sequence[Event]:
        return await store.read(verbs.event_log.audit, limit=wanted, before_seq=before)

    found = await fill(read, Event.envelope, lambda event: event.seq, after=before_seq, limit=limit)
    return found.documents
