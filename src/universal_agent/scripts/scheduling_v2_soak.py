"""The soak: a black-box client that checks a running gateway for hours.

    uv run python src/universal_agent/scripts/scheduling_v2_soak.py \\
        --base-url http://127.0.0.1:8002 --duration-seconds 300 --interval-seconds 15 \\
        --timeout-seconds 6 --out-json soak.json

Each cycle asks health, metrics, the week's calendar, replay, one payload of the stream, and the
ledger, and checks the answers. It writes a report and, next to it, a live status; the exit
code is 0 only when every check was ok and at least one was made.

It uses only httpx and the standard library, and none of the gateway's code, so that it proves the
same as any client would.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

_PREVIEW_CHARS = 240


@dataclass(frozen=True)
class Check:
    """One request of a cycle, and the test of its answer."""

    name: str
    path: str
    #: The problem with the body of a 200; None if the body matches the contract.
    judge: Callable[[str], str | None]


def _json(judge: Callable[[Any], str | None]) -> Callable[[str], str | None]:
    """Judge a body that must be JSON."""

    def read(body: str) -> str | None:
        try:
            content = json.loads(body)
        except ValueError as error:
            return f"expected JSON, got {error}"
        return judge(content)

    return read


def _narrower(path: str, response: httpx.Response) -> str | None:
    """The narrower window to ask for instead of one that is too large; None for other answers."""
    if response.status_code != httpx.codes.BAD_REQUEST:
        return None
    problem = response.json()
    if not problem.get("suggested_end"):
        return None
    window = httpx.QueryParams(start=problem["start"], end=problem["suggested_end"])
    return f"{path}&{window}"


def _lacks(content: Any, *names: str) -> str | None:
    """Name the fields that an object lacks."""
    if not isinstance(content, dict):
        return f"expected an object, got {type(content).__name__}"
    missing = [name for name in names if name not in content]
    return f"expected fields {', '.join(missing)}, got none" if missing else None


def _health(content: Any) -> str | None:
    return _lacks(content, "status", "db_status") or (
        None if content["status"] == "healthy" else f"status is {content['status']}"
    )


def _runtime_metrics(content: Any) -> str | None:
    return _lacks(content, "metrics") or _lacks(
        content["metrics"], "counters", "projection", "event_bus", "projection_state"
    )


def _continuity(content: Any) -> str | None:
    return _lacks(content, "metrics") or _lacks(content["metrics"], "continuity_status", "alerts")


def _calendar(content: Any) -> str | None:
    return _lacks(content, "events", "always_running", "stasis_queue", "version", "legend")


def _replay(content: Any) -> str | None:
    problem = _lacks(content, "events", "event_bus_seq", "stream_id", "gap")
    if problem is not None:
        return problem
    seqs = [event["seq"] for event in content["events"]]
    if seqs != sorted(set(seqs)):
        return f"expected strictly increasing seqs, got {seqs[:10]}"
    return "the log has a gap at since_seq=0" if content["gap"] else None


def _stream(body: str) -> str | None:
    lines = body.splitlines()
    ids = [line for line in lines if line.startswith("id: ")]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    if len(data) != 1 or not ids:
        return f"expected one payload with an id, got {len(data)} and {len(ids)} ids"
    kind = json.loads(data[0]).get("kind")
    return None if kind in ("event", "heartbeat", "reset") else f"unknown kind {kind!r}"


def _ledger(content: Any) -> str | None:
    problem = _lacks(content, "expected", "outcomes", "unaccounted", "unaccounted_count")
    if problem is not None:
        return problem
    lost, count = content["unaccounted"], content["unaccounted_count"]
    return f"{count} slots unaccounted: {lost[:3]}" if count else None


CHECKS = (
    Check("health", "/api/v1/health", _json(_health)),
    Check(
        "scheduling_runtime_metrics",
        "/api/v1/ops/metrics/scheduling-runtime",
        _json(_runtime_metrics),
    ),
    Check(
        "session_continuity_metrics",
        "/api/v1/ops/metrics/session-continuity",
        _json(_continuity),
    ),
    Check("calendar_events", "/api/v1/ops/calendar/events?source=all&view=week", _json(_calendar)),
    Check(
        "scheduling_replay", "/api/v1/ops/scheduling/events?since_seq=0&limit=50", _json(_replay)
    ),
    Check("scheduling_stream_once", "/api/v1/ops/scheduling/stream?since_seq=0&once=1", _stream),
    Check("ledger", "/api/v1/ops/scheduling/ledger", _json(_ledger)),
)


@dataclass
class Tally:
    """The samples of one check."""

    latencies_ms: list[float] = field(default_factory=list)
    ok: int = 0
    fail: int = 0

    def document(self) -> dict[str, Any]:
        ordered = sorted(self.latencies_ms)
        count = len(ordered)

        def quantile(share: float) -> float | None:
            return round(ordered[min(count - 1, int(count * share))], 3) if ordered else None

        return {
            "samples": count,
            "ok": self.ok,
            "fail": self.fail,
            "latency_ms_avg": round(sum(ordered) / count, 3) if ordered else None,
            "latency_ms_max": round(ordered[-1], 3) if ordered else None,
            "latency_ms_p50": quantile(0.5),
            "latency_ms_p95": quantile(0.95),
            "latency_ms_p99": quantile(0.99),
        }


class Soak:
    """Runs cycles of checks and records the results until the time is over."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._tallies = {check.name: Tally() for check in CHECKS}
        self._cycles: list[dict[str, Any]] = []
        self._started = time.monotonic()
        self._started_at = _now()
        self._stopped = False
        headers = {"X-UA-OPS-TOKEN": options.ops_token} if options.ops_token else {}
        self._client = httpx.Client(
            base_url=options.base_url, timeout=options.timeout_seconds, headers=headers
        )

    def stop(self, _: int = 0, __: FrameType | None = None) -> None:
        """End after the present cycle; the report is still written."""
        self._stopped = True

    def run(self) -> int:
        """Run the soak. Returns 0 if every check was ok and at least one was made, else 1."""
        while not self._stopped:
            began = time.monotonic()
            self._cycle()
            self._write(running=True)
            rest = self._options.duration_seconds - (time.monotonic() - self._started)
            pause = self._options.interval_seconds - (time.monotonic() - began)
            if rest <= 0 or pause > rest:
                break
            self._wait(pause)
        self._write(running=False)
        summary = self._summary()
        print(
            json.dumps(
                {
                    "out_json": str(self._options.out_json),
                    "status_json": str(self._options.status_json),
                    **{
                        name: summary[name]
                        for name in ("cycles", "total_checks", "total_fail", "all_checks_ok")
                    },
                }
            )
        )
        return 0 if summary["all_checks_ok"] else 1

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))

    def _cycle(self) -> None:
        results = [self._ask(check) for check in CHECKS]
        self._cycles.append({"cycle": len(self._cycles) + 1, "at": _now(), "results": results})

    def _ask(self, check: Check) -> dict[str, Any]:
        result: dict[str, Any] = {
            "name": check.name,
            "url": f"{self._options.base_url.rstrip('/')}{check.path}",
            "started_at": _now(),
            "status_code": None,
        }
        began = time.perf_counter()
        body, problem = "", None
        try:
            response = self._client.get(check.path)
            if (narrower := _narrower(check.path, response)) is not None:
                response = self._client.get(narrower)
            body = response.text
            result["status_code"] = response.status_code
            if response.status_code == httpx.codes.OK:
                problem = check.judge(body)
            else:
                problem = f"expected status 200, got {response.status_code}"
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            problem = f"{type(error).__name__}: {error}"
        latency = (time.perf_counter() - began) * 1000
        result["latency_ms"] = round(latency, 3)
        result["ok"] = problem is None
        result["payload_preview"] = body[:_PREVIEW_CHARS]
        if problem is not None:
            result["error"] = problem
        tally = self._tallies[check.name]
        tally.latencies_ms.append(latency)
        tally.ok += problem is None
        tally.fail += problem is not None
        return result

    # -- the report

    def _summary(self) -> dict[str, Any]:
        total = sum(len(tally.latencies_ms) for tally in self._tallies.values())
        fail = sum(tally.fail for tally in self._tallies.values())
        return {
            "cycles": len(self._cycles),
            "total_checks": total,
            "total_ok": total - fail,
            "total_fail": fail,
            "all_checks_ok": total > 0 and fail == 0,
            "by_endpoint": {name: tally.document() for name, tally in self._tallies.items()},
        }

    def _write(self, *, running: bool) -> None:
        options = self._options
        elapsed = time.monotonic() - self._started
        summary = self._summary()
        _write_json(
            options.status_json,
            {
                "running": running,
                "updated_at": _now(),
                "started_at": self._started_at,
                "elapsed_seconds": round(elapsed, 1),
                "remaining_seconds": round(max(0.0, options.duration_seconds - elapsed), 1)
                if running
                else 0,
                "last_cycle": self._cycles[-1],
                "summary": summary,
                "report_path": str(options.out_json),
                "pid": os.getpid(),
            },
        )
        if not running:
            _write_json(
                options.out_json,
                {
                    "started_at": self._started_at,
                    "ended_at": _now(),
                    "base_url": options.base_url,
                    "duration_seconds": options.duration_seconds,
                    "interval_seconds": options.interval_seconds,
                    "timeout_seconds": options.timeout_seconds,
                    "checks_per_cycle": self._cycles,
                    "summary": summary,
                },
            )


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step: a reader sees the old document or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; docs/runbook.md has the command lines."""
    parser = argparse.ArgumentParser(
        description="Check a running gateway again and again, and report.",
    )
    parser.add_argument("--base-url", default="http://127.0.0.1:8002")
    parser.add_argument("--duration-seconds", type=float, default=86400.0)
    parser.add_argument("--interval-seconds", type=float, default=30.0)
    parser.add_argument("--timeout-seconds", type=float, default=8.0)
    parser.add_argument("--out-json", type=Path, required=True)
    parser.add_argument("--ops-token")
    parser.add_argument("--status-json", type=Path)
    options = parser.parse_args(arguments)
    for name in ("duration_seconds", "interval_seconds", "timeout_seconds"):
        if getattr(options, name) <= 0:
            parser.error(f"expected --{name.replace('_', '-')} above 0")
    if options.ops_token is None:
        options.ops_token = os.environ.get("UA_OPS_TOKEN", "")
    elif options.ops_token:
        print(
            "--ops-token can be read by other users in the process list; prefer UA_OPS_TOKEN",
            file=sys.stderr,
        )
    if options.status_json is None:
        options.status_json = options.out_json.with_name(f"{options.out_json.stem}.status.json")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the soak with the options of the command line."""
    soak = Soak(parse(arguments))
    signal.signal(signal.SIGINT, soak.stop)
    signal.signal(signal.SIGTERM, soak.stop)
    return soak.run()


if __name__ == "__main__":
    sys.exit(main())
