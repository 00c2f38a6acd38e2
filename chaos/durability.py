"""Is an acknowledged write on the disk? Asks the kernel, through strace.

kill -9 cannot tell: what a dead process has written is in the kernel's memory, and stays. Only a
power cut would lose it. So each answer must come after a sync that began with its request.
"""

import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from chaos.gateway import SERVE, Gateway
from chaos.strace import attached

#: `pid time fdatasync(7) = 0 <seconds>`, or the second half of one that was interrupted by others.
_SYNCED = re.compile(r"^\d+\s+([\d.]+) (<\.\.\. )?f(?:data)?sync\b.*= 0 <([\d.]+)>$")

_JOB = {"command": "true", "run_at": "in 3 days", "runner": "shell"}


@dataclass(frozen=True, slots=True)
class Durability:
    """How many writes were answered, and how many of them with nothing synced in between."""

    write_count: int
    unsynced_count: int


def watch_syncs(data_dir: Path, *, argv: Sequence[str] = SERVE, rounds: int = 5) -> Durability:
    """Make `rounds` times four writes, one after the other, on a gateway with nothing else to do.

    Raises OSError when strace may not look at the process.
    """
    gateway = Gateway(data_dir, environment={"UA_CRON_MOCK_RESPONSE": "1"}, argv=argv)
    try:
        return _watch(gateway.start(), rounds)
    finally:
        gateway.close()


def _watch(gateway: Gateway, rounds: int) -> Durability:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "strace"
        options = ("-ttt", "-T", "-e", "trace=fsync,fdatasync", "-o", str(out))
        with attached(gateway.pid, *options):
            moments = _write(gateway.base_url, rounds)
        synced = [
            _end_of(match) for match in map(_SYNCED.match, out.read_text().splitlines()) if match
        ]
    unsynced = sum(not any(sent <= at <= answered for at in synced) for sent, answered in moments)
    return Durability(len(moments), unsynced)


def _write(base_url: str, rounds: int) -> list[tuple[float, float]]:
    """When each write was sent, and when it was answered."""
    moments = []
    with httpx.Client(base_url=base_url, timeout=30) as http:

        def send(method: str, path: str, body: object = None) -> httpx.Response:
            sent = time.time()
            response = http.request(method, f"/api/v1/cron/jobs{path}", json=body)
            moments.append((sent, time.time()))
            return response.raise_for_status()

        for number in range(rounds):
            job_id = send("POST", "", _JOB).json()["job"]["job_id"]
            send("PUT", f"/{job_id}", {"title": f"number {number}"})
            send("POST", f"/{job_id}/run?wait_seconds=0", {})
            send("DELETE", f"/{job_id}")
    return moments


def _end_of(match: re.Match[str]) -> float:
    """When a sync was done: strace writes the time it began, or that it was resumed."""
    at, resumed, seconds = match.groups()
    return float(at) if resumed else float(at) + float(seconds)
