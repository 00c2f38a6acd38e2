"""Readers of the event log: each writes down every event it is given, in the order it came."""

import asyncio
import random

import httpx

from chaos.driver import Line
from chaos.evidence import Evidence

_PAUSE = 0.1
_TIMEOUT = 15.0


class Follower:
    """Reads on from the last seq it has seen, across restarts, as a polling client does."""

    def __init__(self, number: int, *, seed: int, line: Line, evidence: Evidence) -> None:
        self.name = f"follower-{number}"
        self.seq = 0
        self._limit = random.Random(f"{seed}/{self.name}").choice((50, 500, 5000))
        self._line = line
        self._evidence = evidence
        self._stopping = False

    def stop(self) -> None:
        """Read to the present end, and no further."""
        self._stopping = True

    async def run(self) -> None:
        """Follow until told to stop."""
        async with httpx.AsyncClient(base_url=self._line.base_url, timeout=_TIMEOUT) as http:
            while True:
                stopping = self._stopping
                await self._line.up.wait()
                more = await self._read(http)
                if stopping and not more:
                    return
                if not more:
                    await asyncio.sleep(_PAUSE)

    async def _read(self, http: httpx.AsyncClient) -> bool:
        """Take the next page; whether there is more."""
        try:
            response = await http.get(
                "/api/v1/ops/scheduling/events",
                params={"since_seq": self.seq, "limit": self._limit},
            )
            response.raise_for_status()
        except (httpx.TransportError, httpx.HTTPStatusError):
            return self._stopping
        page = response.json()
        facts = {"stream_id": page["stream_id"], "gap": page["gap"]}
        self._evidence.append(self.name, *(facts | event for event in page["events"]))
        if page["events"]:
            self.seq = page["events"][-1]["seq"]
        return bool(page["has_more"])
