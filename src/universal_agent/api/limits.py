"""Limits to what a client may send, and to its guesses at the token.

Limits to the time that a request may take are in connection.py.
"""

import ipaddress
import math
from collections import deque
from collections.abc import Mapping

from starlette.types import Message, Receive

from universal_agent.api.json_body import check_json
from universal_agent.clock import Clock
from universal_agent.errors import LimitReached, TooLarge

#: Bytes of the request line and all header lines.
MAX_HEAD_BYTES = 16 * 1024
#: Bytes of a request's body.
MAX_BODY_BYTES = 1024 * 1024
#: Bytes of the body of a request without a valid token: a login has one.
MAX_STRANGER_BODY_BYTES = 4096
#: Stands for the values of a repeated header; no host, origin, token or session is like it.
REPEATED = b","


class HeadTooLarge(TooLarge):
    """The request line and headers together are larger than 16 KiB."""

    status = 431
    title = "Headers too large"


class TooManyGuesses(LimitReached):
    """There were too many wrong tokens; wait before the next."""

    def __init__(self, retry_after_seconds: int) -> None:
        unit = "second" if retry_after_seconds == 1 else "seconds"
        super().__init__(
            f"There were too many wrong tokens; wait {retry_after_seconds} {unit} before the next."
        )
        self.retry_after_seconds = retry_after_seconds


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], *, most: int = MAX_BODY_BYTES
) -> bytes | None:
    """The whole body; None when the client left before its end.

    Raises TooLarge as soon as it is known to be; where it is declared to be JSON, raises as
    `check_json` does. Reading ahead of the application bounds every route alike; no route takes
    more than it could hold in memory.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 19 or int(declared) > most):
        raise _too_large(most)
    body = await collect_body(receive, most=most)
    # A header that was repeated counts as any of its values.
    kind = headers.get(b"content-type", b"").lower()
    if body and (b"json" in kind or kind == REPEATED):
        check_json(body)
    return body


async def collect_body(receive: Receive, *, most: int = MAX_BODY_BYTES) -> bytes | None:
    """The whole body, as `read_body` has it, whatever is in it. Raises TooLarge."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if len(chunks) > 1 else chunk


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"expected a body of at most {most} bytes")


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the whole body first, then what follows it."""
    is_told = False

    async def replayed() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


class GuessLimit:
    """Counts wrong tokens over the last minute, by client and in all.

    At most `overall` of them are remembered; refused ones do not prolong the wait.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        per_client: int = 10,
        overall: int = 100,
        window_seconds: float = 60.0,
    ) -> None:
        self._clock = clock
        self._per_client = per_client
        self._overall = overall
        self._window = window_seconds
        self._guesses: deque[tuple[float, str]] = deque()

    def count_wrong(self, client: str) -> int | None:
        """Count a wrong token; the seconds to wait when it was one too many, else None."""
        now = self._clock.monotonic()
        while self._guesses and now - self._guesses[0][0] >= self._window:
            self._guesses.popleft()
        own = [at for at, who in self._guesses if who == client]
        if len(own) >= self._per_client:
            oldest = own[0]
        elif len(self._guesses) >= self._overall:
            oldest = self._guesses[0][0]
        else:
            self._guesses.append((now, client))
            return None
        return math.ceil(oldest + self._window - now)


def client_name(address: str) -> str:
    """The client that an address stands for: what shares one budget of guesses.

    An IPv4 address mapped into IPv6 is the IPv4 one. All loopback addresses are one client, and so
    is a whole /64 of IPv6: one client usually owns the whole range. Text that is not an address is
    returned unchanged.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "loopback"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
