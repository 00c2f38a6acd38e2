"""A night as operators met it: a rate limit, four restarts, a crash, a dead channel, a hang.

Real processes all along: the gateway, its children, an endpoint that counts its calls, and the
receiver of a channel. Every slot has an outcome that a reader would call right, nothing was cut
that was working, and each cause was told once.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess
from tests.acceptance.test_restarts import NO_TLS, children_of, get, wait_for

#: What the endpoint asks for, in seconds: longer than the four restarts take.
RETRY_AFTER = 25

#: Prints all the time, until the file `go` is there.
TALKS = (
    'echo "$UA_RUN_ID $UA_ATTEMPT" >> "$DONE"; while [ ! -e "$GO" ]; do echo on; sleep 0.2; done'
)

ANSWER = {"choices": [{"message": {"content": "Good morning."}, "finish_reason": "stop"}]}


@dataclass
class Outside:
    """The world around the gateway: a model's endpoint and the receiver of a channel."""

    #: When each call of the endpoint came, and whether it was refused.
    calls: list[tuple[float, bool]] = field(default_factory=list)
    #: Until when calls are refused; set by the first call.
    until: float | None = None
    #: The messages that the living channel has taken, by their ids.
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def kinds(self) -> Counter[str]:
        """How often the living channel was told of each kind that something is wrong, or over."""
        return Counter(
            notification["kind"]
            for message in list(self.told.values())
            for notification in message["notifications"]
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address, for as long as the block lasts."""
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/channel":
                    outside.told[self.headers["webhook-id"]] = body
                    self._answer(200, {})
                    return
                if self.path == "/dead":
                    self._answer(403, {})
                    return
                now = time.time()
                outside.until = outside.until or now + RETRY_AFTER
                is_refused = now < outside.until
                outside.calls.append((now, is_refused))
                if is_refused:
                    self._answer(429, {"error": {"message": "slow down"}})
                else:
                    self._answer(200, ANSWER)

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                content = json.dumps(document).encode()
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", str(RETRY_AFTER))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def outside() -> Outside:
    return Outside()


def add(gateway: GatewayProcess, **fields: Any) -> str:
    made = httpx.post(
        f"{gateway.base_url}/api/v1/cron/jobs", json=fields, trust_env=False, verify=NO_TLS
    )
    return str(made.json()["job"]["job_id"])


def runs_of(gateway: GatewayProcess, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(gateway, f"/cron/jobs/{job_id}/runs?limit=500")["runs"]
    return found


def test_a_night_of_outages_restarts_and_hangs_ends_as_a_reader_would_expect(
    make_gateway: MakeGateway, tmp_path: Path, outside: Outside
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    with outside.serving() as address:
        channels = [
            {"name": "dead", "webhook": f"{address}/dead"},
            {"name": "phone", "webhook": f"{address}/channel", "secret": "whsec_c2VjcmV0"},
        ]
        gateway = make_gateway(
            UA_ON_MISS_DEFAULT="cadence",
            UA_NOTIFY_CHANNELS=json.dumps(channels),
            UA_AGENT_BASE_URL=f"{address}/v1",
            UA_AGENT_MODEL="counted",
            UA_CHILD_ENV="GO DONE",
            GO=str(go),
            DONE=str(done),
        )
        gateway.start()
        nightly = add(
            gateway,
            title="nightly",
            command=TALKS,
            runner="shell",
            run_at="in 1 second",
            idle_timeout_seconds=5,
        )
        brief = add(
            gateway, title="brief", command="Say hello.", runner="agent", every="3s", retries=3
        )
        hangs = add(
            gateway,
            title="hangs",
            command="echo thinking; exec sleep 600",
            runner="shell",
            every="5s",
            idle_timeout_seconds=3,
        )
        ticks = add(gateway, title="ticks", command="true", runner="shell", every="1s")

        wait_for(lambda: bool(outside.calls) and done.exists(), gateway)
        for _ in range(4):
            gateway.restart()
        gateway.kill()
        gateway.start()
        wait_for(lambda: outside.kinds()["failed"] > 0, gateway)
        wait_for(lambda: outside.kinds()["recovered"] > 0, gateway)
        wait_for(
            lambda: any(run["status"] == "success" for run in runs_of(gateway, brief)), gateway
        )
        go.touch()
        wait_for(lambda: runs_of(gateway, nightly)[0]["status"] == "success", gateway)
        for job_id in (brief, hangs, ticks):
            httpx.delete(
                f"{gateway.base_url}/api/v1/cron/jobs/{job_id}", trust_env=False, verify=NO_TLS
            )
        wait_for(
            lambda: all(
                run["finished_at"] is not None
                for job_id in (brief, hangs, ticks)
                for run in runs_of(gateway, job_id)
            ),
            gateway,
        )
        # What was working was not cut: one run, one attempt, over five gateways.
        (run,) = runs_of(gateway, nightly)
        assert done.read_text().splitlines() == [f"{run['run_id']} 1"]
        # The hang was found by its silence, each time, and is told from a limit.
        ended = Counter(run["status"] for run in runs_of(gateway, hangs))
        assert ended["stalled"] >= 2
        assert set(ended) <= {"stalled", "cancelled", "skipped"}
        assert not any(children_of(gateway, run["run_id"]) for run in runs_of(gateway, hangs))
        # The endpoint was left alone until the time that it had named.
        assert outside.until is not None
        refused = [at for at, is_refused in outside.calls if is_refused]
        assert len(refused) == 1
        assert {
            run["end_class"] for run in runs_of(gateway, brief) if run["status"] == "error"
        } == {"rate_limited"}
        # Each cause was told once to the channel that lives.
        kinds = outside.kinds()
        assert (kinds["resource_down"], kinds["delivery_failed"], kinds["failed"]) == (1, 1, 1)
        assert kinds["crash_loop"] == kinds["auto_paused"] == 0
        states = {
            one["name"]: one["status"] for one in get(gateway, "/notify/channels")["channels"]
        }
        assert (states["dead"], states["phone"]) == ("down", "ok")
        # Nothing waits for a person in the morning, and every slot has its outcome.
        assert get(gateway, "/ops/stasis")["stasis_queue"] == []
        ledger = get(gateway, "/ops/scheduling/ledger")
        assert ledger["unaccounted_count"] == 0
        assert ledger["outcomes"]["interrupted"] == 0
        assert ledger["outcomes"]["in_flight"] == 0
