"""Readers of the event log: each writes down every event it is given, in the order it came."""

import asyncio
import random
from collections.abc import Callable

import httpx
import orjson

from chaos.client import Line
from chaos.evidence import Evidence, Record

_PAUSE = 0.1
_TIMEOUT = 15.0

_EVENTS = "/api/v1/ops/scheduling/events"
_STREAM = "/api/v1/ops/scheduling/stream"


class Follower:
    """Reads on from the last seq it has seen, across restarts."""

    def __init__(
        self,
        name: str,
        *,
        line: Line,
        evidence: Evidence,
        listen: Callable[[Record], None] = lambda event: None,
    ) -> None:
        self.name = f"follower-{name}"
        self.seq = 0
        self._line = line
        self._evidence = evidence
        self._listen = listen
        #: The last seq that is to be read; None: go on for ever.
        self._last: int | None = None

    def stop(self, last: int) -> None:
        """Read up to `last`, and no further."""
        self._last = last

    async def run(self) -> None:
        """Follow until told to stop."""
        async with httpx.AsyncClient(base_url=self._line.base_url, timeout=_TIMEOUT) as http:
            while self._last is None or self.seq < self._last:
                await self._line.up.wait()
                try:
                    await self.read(http)
                except (httpx.TransportError, httpx.HTTPStatusError):
                    await asyncio.sleep(_PAUSE)

    async def read(self, http: httpx.AsyncClient) -> None:
        """Take what there is, or the next of it."""
        raise NotImplementedError

    def take(self, events: list[Record], *, stream_id: str, gap: bool) -> None:
        """Write events down."""
        facts = {"stream_id": stream_id, "gap": gap}
        self._evidence.append(self.name, *(facts | event for event in events))
        for event in events:
            self.seq = event["seq"]
            self._listen(event)


class PollingFollower(Follower):
    """Asks for the next page, again and again."""

    limit = 500

    async def read(self, http: httpx.AsyncClient) -> None:
        params = {"since_seq": self.seq, "limit": self.limit}
        page = (await http.get(_EVENTS, params=params)).raise_for_status().json()
        self.take(page["events"], stream_id=page["stream_id"], gap=page["gap"])
        if not page["has_more"]:
            await asyncio.sleep(_PAUSE)


class StreamFollower(Follower):
    """Has the events pushed to it, and resumes with Last-Event-ID."""

    _stream_id: str | None = None

    async def read(self, http: httpx.AsyncClient) -> None:
        if self._stream_id is None:
            page = (await http.get(_EVENTS, params={"limit": 1})).raise_for_status().json()
            self._stream_id = str(page["stream_id"])
        params: dict[str, str | int] = {
            "since_seq": 0,
            "stream_id": self._stream_id,
            "heartbeat_seconds": 2,
        }
        headers = {"Last-Event-ID": str(self.seq)} if self.seq else {}
        async with http.stream("GET", _STREAM, params=params, headers=headers) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data:") and not self._heard(orjson.loads(line[5:])):
                    return

    def _heard(self, payload: Record) -> bool:
        """Take one message; False when the stream is to be opened anew, or left."""
        assert self._stream_id is not None
        match payload["kind"]:
            case "event":
                self.take([payload["event"]], stream_id=self._stream_id, gap=False)
            case "reset" if payload["reason"] != "slow_consumer":
                # Nothing was ever thrown away here: a reset is a fault, and is written down as one.
                self.take([{"seq": self.seq}], stream_id=self._stream_id, gap=True)
                return False
            case "reset":
                return False
        return self._last is None or self.seq < self._last


def followers(
    count: int,
    stream_count: int,
    *,
    seed: int,
    line: Line,
    evidence: Evidence,
    listen: Callable[[Record], None],
) -> list[Follower]:
    """So many that ask and so many that listen; the first one's events are told to `listen`."""
    rng = random.Random(f"{seed}/followers")
    made: list[Follower] = []
    for number in range(count):
        tell = {"listen": listen} if number == 0 else {}
        polling = PollingFollower(f"poll-{number}", line=line, evidence=evidence, **tell)
        polling.limit = rng.choice((50, 500, 5000))
        made.append(polling)
    return made + [
        StreamFollower(f"stream-{number}", line=line, evidence=evidence)
        for number in range(stream_count)
    ]
