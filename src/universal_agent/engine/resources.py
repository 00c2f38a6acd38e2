"""Resources of jobs that refused or could not be reached, followed through the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.cooldown import Cooldown
from universal_agent.domain.cooldown_words import state_of
from universal_agent.domain.event_types import COOLDOWNS
from universal_agent.domain.events import Event
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store


class Resources:
    """The resources in a cooldown, and what an operator may do about them."""

    event_types = COOLDOWNS

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        #: What the latest event about each open cooldown said.
        self._open: dict[str, dict[str, Any]] = {}

    def is_down(self, resources: Sequence[str]) -> bool:
        """Whether one of these is in a cooldown."""
        return any(name in self._open for name in resources)

    async def look(self) -> None:
        """Read the open cooldowns from the store."""
        found = await self._store.read(verbs.cooldowns.open_cooldowns)
        self._open = {cooldown.resource: cooldown.record() for cooldown in found}

    def notice(self, event: Event) -> None:
        """A cooldown was opened, prolonged or closed."""
        if "why" in event.data:
            self._open.pop(event.source_ref, None)
        else:
            self._open[event.source_ref] = event.data

    async def documents(self) -> list[dict[str, Any]]:
        """The open cooldowns' wire form, by the name of the resource."""
        now = self._clock.now()
        found = await self._store.read(verbs.cooldowns.open_cooldowns)
        return [document(cooldown, now=now) for cooldown in found]

    async def for_health(self) -> list[dict[str, Any]]:
        """The same where the store can be read; asks nothing of it while nothing is down."""
        if not self._open:
            return []
        try:
            return await self.documents()
        except StoreUnavailable:
            return []

    async def clear(self, resource: str, *, by: str) -> dict[str, Any] | None:
        """Let runs use a resource from now on; None when it is in no cooldown."""
        now = self._clock.now()
        cleared = await self._store.write(verbs.cooldowns.clear_cooldown, resource, by=by, now=now)
        return None if cleared is None else document(cleared, now=now)


def document(cooldown: Cooldown, *, now: datetime) -> dict[str, Any]:
    """A cooldown's wire form (docs/contract.md, Resources)."""
    state = "probing" if cooldown.is_probing else "waiting" if now < cooldown.until else "due"
    return {
        "resource": cooldown.resource,
        "cause": cooldown.cause,
        "description": f"{cooldown.resource} {state_of(cooldown.cause)}",
        "state": state,
        "since_utc": cooldown.since.isoformat(),
        "until_utc": cooldown.until.isoformat(),
        "until_named": cooldown.is_named,
        "failed_probes": cooldown.ends - 1,
        "slots": cooldown.slots,
        "run_id": cooldown.run_id,
        "error": cooldown.error,
    }
