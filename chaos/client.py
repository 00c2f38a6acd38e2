"""How a careful client writes: it knows in the end what every request came to.

What is sent and what is answered is written down before it goes on. A request that got no answer
is sent again, with the same Idempotency-Key where it has one, until it is answered; between two
tries either state may be true.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from chaos.evidence import Evidence, Record

#: Seconds to wait before something that got no answer is sent again.
_PAUSE = 0.02

#: A request that takes longer is given up, and sent again.
_TIMEOUT = 15.0


@dataclass(slots=True)
class Line:
    """The line to the gateway, which is up or down."""

    base_url: str
    up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to."""

    status: int
    body: Any
    #: `acknowledged` or `refused`; a client may know better than the status code says.
    phase: str
    tries: int


class Client:
    """Sends one request at a time."""

    def __init__(self, name: str, line: Line, evidence: Evidence) -> None:
        self.name = name
        #: Requests sent, but for those sent again.
        self.count = 0
        self._line = line
        self._evidence = evidence
        self._http = httpx.AsyncClient(base_url=line.base_url, timeout=_TIMEOUT)

    async def close(self) -> None:
        await self._http.aclose()

    async def write(
        self, method: str, path: str, body: Record | None, *, key: str | None = None, **facts: Any
    ) -> Answer:
        """Send a request that changes something; `facts` are written down with it."""
        self.count += 1
        base = {"id": f"{self.name}-{self.count}", "key": key, "fields": body, **facts}
        self._evidence.append("writes", base | {"phase": "sent", "at": time.time()})
        answer = await self.send(method, path, body, key=key)
        if answer.phase == "refused" and answer.tries > 1:
            answer = await self.find_out(answer, facts)
        result = {"phase": answer.phase, "status": answer.status, "answer": answer.body}
        self._evidence.append("writes", base | result | {"tries": answer.tries, "at": time.time()})
        return answer

    async def find_out(self, answer: Answer, facts: Record) -> Answer:
        """What became of a request whose first try was cut off, and whose next one is refused.

        The first may have gone through.
        """
        return answer

    async def send(
        self, method: str, path: str, body: Record | None = None, *, key: str | None = None
    ) -> Answer:
        """Send a request until it is answered."""
        headers = {} if key is None else {"Idempotency-Key": key}
        tries = 0
        while True:
            await self._line.up.wait()
            tries += 1
            try:
                response = await self._http.request(method, path, json=body, headers=headers)
                if response.status_code != 503:
                    phase = "acknowledged" if response.is_success else "refused"
                    return Answer(response.status_code, response.json(), phase, tries)
            except (httpx.TransportError, ValueError):
                pass  # no answer: it may have been done, or not
            await asyncio.sleep(_PAUSE)
