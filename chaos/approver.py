"""An operator, who decides about missed slots while the gateway is being killed."""

import asyncio
import random

from chaos.client import Client, Line
from chaos.evidence import Evidence, Record

_ACTIONS = ("approve_backfill_run", "approve_backfill_run", "delete_missed")
_SCOPES = ("slot", "group", "group")


class Approver:
    """Approves and deletes what it is told was missed, some of it; the rest stays pending."""

    def __init__(self, *, seed: int, line: Line, evidence: Evidence, pace: float) -> None:
        self._rng = random.Random(f"{seed}/approver")
        self._client = Client("approver", line, evidence)
        self._pace = pace
        self._pending: list[str] = []
        self._stopping = False

    def hear(self, event: Record) -> None:
        """Take note of an event."""
        if event["type"] == "cron_run_missed" and event["data"]["status"] == "pending":
            self._pending.append(event["data"]["event_id"])

    def stop(self) -> None:
        """Do no more than what is begun."""
        self._stopping = True

    async def run(self) -> None:
        """Decide about one thing after the other, until told to stop."""
        while not self._stopping:
            await asyncio.sleep(self._pace)
            if self._pending:
                event_id = self._pending.pop(self._rng.randrange(len(self._pending)))
                await self._decide(event_id)
        await self._client.close()

    async def _decide(self, event_id: str) -> None:
        await self._client.write(
            "POST",
            f"/api/v1/ops/calendar/events/{event_id}/action",
            {"action": self._rng.choice(_ACTIONS), "scope": self._rng.choice(_SCOPES)},
            key=f"approver-{self._client.count}",
            operation="decide",
            job_id=event_id.split("|")[1],
            event_id=event_id,
        )
