"""One event that cannot be read or written stops neither replay, nor streams, nor the audit."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.integration.api.served import Served, served


def _damage(database: Path, *, data: str, kind: str = "flag_changed") -> int:
    """Append an event as no gateway would write it; its seq."""
    with closing(sqlite3.connect(database)) as connection, connection:
        (seq,) = connection.execute("UPDATE log_head SET seq = seq + 1 RETURNING seq").fetchone()
        connection.execute(
            "INSERT INTO events (seq, source, type, timestamp, source_ref, owner_id, status, data)"
            " SELECT ?, source, ?, timestamp, source_ref, owner_id, status, ? FROM events LIMIT 1",
            (seq, kind, data),
        )
    return int(seq)


async def _streamed(gateway: Served, last: int) -> list[dict[str, Any]]:
    """The events of a stream from the first on, until that seq."""
    events = []
    url = "/api/v1/ops/scheduling/stream?since_seq=0"
    async with gateway.http.stream("GET", url) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]).get("event", {}))
                if events[-1].get("seq") == last:
                    return events
    raise AssertionError(events)


async def test_a_stub_stands_for_each_of_them(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        made = await gateway.http.post("/api/v1/cron/jobs", json={"command": "x", "every": "1h"})
        assert made.status_code == 200
        database = gateway.runtime.settings.database_path
    deep = json.dumps({"x": 1})[:-1] + ', "deep": ' + "[" * 253 + "]" * 253 + "}"
    bad = {
        _damage(database, data="{not JSON"): "flag_changed",
        _damage(database, data="[1]"): "flag_changed",
        _damage(database, data=deep): "flag_changed",
        _damage(database, data='{"a": 1}', kind="from_the_future"): "from_the_future",
    }
    async with served(tmp_path) as gateway:
        made = await gateway.http.post("/api/v1/cron/jobs", json={"command": "x", "every": "2h"})
        assert made.status_code == 200
        replayed = (await gateway.http.get("/api/v1/ops/scheduling/events")).json()
        last = replayed["event_bus_seq"]
        assert [event["seq"] for event in replayed["events"]] == list(range(1, last + 1))
        streamed = await _streamed(gateway, last)
        audit = (await gateway.http.get("/api/v1/ops/audit")).json()["entries"]
        for events in (replayed["events"], streamed):
            stubs = {e["seq"]: e for e in events if e["type"] == "event_unreadable"}
            assert {seq: stub["data"]["type"] for seq, stub in stubs.items()} == bad
            assert all(stub["data"]["problem"] for stub in stubs.values())
            types = {e["type"] for e in events} - {"notification_changed"}  # of the bad rows
            assert types == {"cron_job_created", "event_unreadable"}
        assert [e["type"] for e in audit].count("event_unreadable") == 3
        assert [e["type"] for e in audit].count("cron_job_created") == 2
