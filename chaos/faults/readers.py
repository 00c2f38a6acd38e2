"""F27: hundreds of clients that ask for answers and never read them, while jobs run."""

import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from chaos.checker import OTHER, Fault
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round
from chaos.gateway import SERVE

_READERS = 500
_BRIEFLY = 200
_SECONDS = 60.0

#: Descriptors that the gateway may have open.
_DESCRIPTORS = 512
#: Further ones that it may have in the end: a connection of the rig's own, a file of the moment.
_SPARE = 12

#: Answers that each client asks for: together more than the system takes ahead of it.
_ANSWERS = 20

_HURRY = """
import sys
from universal_agent.api import open_connections
from universal_agent.cli.main import main
open_connections.WRITE_SECONDS = 5.0
sys.argv[0] = "ua"
main()
"""

#: The suite's form does not wait for half a minute.
_HURRIED = (
    sys.executable,
    "-c",
    _HURRY,
    *SERVE[3:],
)


def trial(this: Round) -> Iterator[Fault]:
    """No run fails for it, health answers, and every connection is closed."""
    limited = ("/bin/sh", "-c", f'ulimit -n {_DESCRIPTORS}; exec "$@"', "sh")
    serve = _HURRIED if this.brief else SERVE
    environment = {"UA_CRON_MAX_CONCURRENCY": "8"}
    with site(this.folder, argv=(*limited, *serve), environment=environment) as at:
        at.add(**TICK, after="# " + "x" * 50_000)
        tick = at.add(**CRON)
        until(lambda: at.done(tick), "a run before the harm")
        before = _descriptors(at)
        readers = [_reader(at) for _ in range(_BRIEFLY if this.brief else _READERS)]
        began = time.monotonic()
        try:
            # The first answer comes after those that all these clients have asked for.
            first, *others = [_health_seconds(at) for _ in range(20)]
            yield from this.measure("first_health_seconds", first)
            yield from this.measure("health_seconds", statistics.median(others), limit=0.1)
            ran = len(at.done())
            until(lambda: len(at.done()) > ran, "a run while nobody reads")
            until(lambda: _descriptors(at) <= before + _SPARE, "every connection is closed")
            yield from this.measure("closed_seconds", time.monotonic() - began, limit=_SECONDS)
        finally:
            for reader in readers:
                reader.close()
        for job in at.jobs:
            failed = [run["error"] for run in at.runs(job) if run["status"] == "error"]
            if failed:
                yield Fault(OTHER, f"{len(failed)} runs failed, the first with {failed[0]!r}")
        yield from at.account()


def _reader(at: Site) -> socket.socket:
    """A client that asks and does not read; connected or refused."""
    address = urlsplit(at.gateway.base_url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.settimeout(5)
    try:
        client.connect((address.hostname, address.port))
        request = f"GET /api/v1/cron/jobs HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
        client.sendall(request.encode() * _ANSWERS)
    except OSError:
        pass  # there is no room for it
    return client


def _health_seconds(at: Site) -> float:
    """How long health takes to answer on a new connection; infinite where it is not 200."""
    address = urlsplit(at.gateway.base_url)
    began = time.monotonic()
    with closing(socket.create_connection((address.hostname, address.port), 30)) as client:
        head = f"GET /api/v1/health HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode())
        is_well = client.recv(16).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began if is_well else float("inf")


def _descriptors(at: Site) -> int:
    return len(list(Path(f"/proc/{at.gateway.pid}/fd").iterdir()))
