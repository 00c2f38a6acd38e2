"""How soon after it is asked for does a session's beat start?"""

import time
from pathlib import Path

from bench.client import Connection, request
from bench.figure import Better, Figure, middle, spread
from bench.gateway import fresh_directory, running
from bench.options import Options

_WAKES = 100


async def measure(options: Options) -> list[Figure]:
    found = []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            found.append(await _woken(directory, options))
    return [
        Figure(
            name="wake now to the beat's start, session free, p99",
            unit="ms",
            better=Better.LESS,
            value=middle(found, "p99"),
            must=50,
            goal=20,
            peer=None,
            detail={"ours": found},
        )
    ]


async def _woken(directory: Path, options: Options) -> dict[str, float]:
    async with running(directory, options, UA_HEARTBEAT_MOCK_RESPONSE="1") as gateway:
        connection = await Connection.open(gateway.port)
        made = await connection.send(request("POST", "/api/v1/sessions", {"source": "bench"}))
        session_id = made.json()["session_id"]
        wake = request("POST", "/api/v1/heartbeat/wake", {"session_id": session_id, "mode": "now"})
        lags = []
        for _ in range(_WAKES):
            asked_at = time.time()
            run_id = (await connection.send(wake)).json()["run_id"]
            lags.append(1000 * (await _start_of(connection, run_id) - asked_at))
        return spread(lags)


async def _start_of(connection: Connection, run_id: str) -> float:
    """When the run started, once it has ended: the session is free again."""
    while True:
        run = (await connection.get(f"/api/v1/cron/runs/{run_id}"))["run"]
        if run["finished_at"] is not None:
            return float(run["started_at"])
