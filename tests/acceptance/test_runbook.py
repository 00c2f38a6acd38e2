"""The runbook's commands, as they are written there, on a gateway that works."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess
from tests.acceptance.test_push import add_job, client
from tests.contract.document import DOCS, ROOT, code, fences, words

RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")

METRICS = "/api/v1/ops/metrics/scheduling-runtime"


def section(text: str, heading: str) -> str:
    """What stands between a heading and the next one that is not below it."""
    level = len(heading.partition(" ")[0])
    after = text.partition(f"{heading}\n")[2]
    return re.split(rf"^#{{2,{level}}} ", after, flags=re.MULTILINE)[0]


def curls(text: str) -> list[str]:
    """The curl commands in a text's fences."""
    script = "\n".join(fences(re.sub(r"^ +", "", text, flags=re.MULTILINE), "sh"))
    lines = script.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def run(command: str, gateway: GatewayProcess) -> str:
    """What a command of the runbook prints. Fails as the command does, or where HTTP refused."""
    script = f"base={gateway.base_url}\n{command.replace('curl ', 'curl --fail-with-body ', 1)}"
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def fields(text: str) -> set[str]:
    """The names in code spans; `a_x|y|z` stands for `a_x`, `a_y` and `a_z`."""
    found: set[str] = set()
    for span in code(text):
        first, *others = span.split("|")
        stem = first.rpartition("_")[0]
        found |= {first, *(f"{stem}_{other}" for other in others)}
    return {name for name in found if re.fullmatch(r"[a-z][a-z0-9_]*", name)}


def answered(route: str) -> set[str]:
    """The fields that the contract says a route answers with."""
    return fields(words("contract.md", "route")[f"GET {route}"][3])


def nested(document: str, name: str) -> set[str]:
    """The fields of a part of a document, from its line in the contract."""
    lines = re.split(r"^- ", section(CONTRACT, document), flags=re.MULTILINE)
    (line,) = [line for line in lines if line.startswith(f"`{name}`")]
    return fields(line.partition(":")[2].partition("\n\n")[0])


@pytest.fixture
def busy_gateway(gateway: GatewayProcess) -> GatewayProcess:
    """One with a job that is to come and one that runs each second."""
    add_job(gateway, every="24h")
    add_job(gateway)
    return gateway


def test_every_curl_of_the_runbook_works_as_it_is_pasted(busy_gateway: GatewayProcess) -> None:
    for command in curls(RUNBOOK):
        assert run(command, busy_gateway), command


def test_the_checks_answer_with_every_field_that_the_contract_names(
    busy_gateway: GatewayProcess,
) -> None:
    answers = [run(command, busy_gateway) for command in curls(section(RUNBOOK, "## 4. Checks"))]
    health, runtime, continuity, calendar, replay, stream, ledger = answers

    assert set(json.loads(health)) == answered("/api/v1/health")
    assert json.loads(health)["status"] == "healthy"

    metrics = json.loads(runtime)["metrics"]
    title = "### The scheduling-runtime document"
    assert set(metrics["counters"]) == set(words("contract.md", "counter"))
    for part in ("projection", "event_bus", "projection_state"):
        assert set(metrics[part]) == nested(title, part), part
    assert set(metrics["event_counts"]) == {"cron", "heartbeat"}

    sessions = json.loads(continuity)["metrics"]
    named = fields(section(CONTRACT, "### The session-continuity document"))
    assert set(sessions) == named - {"ok", "degraded"}

    feed = json.loads(calendar)
    about_the_feed = section(CONTRACT, "### The feed")
    assert set(feed) == fields(about_the_feed.strip().partition("\n")[0])
    assert set(feed["events"][0]) <= fields(about_the_feed)

    page = json.loads(replay)
    assert set(page) == answered("/api/v1/ops/scheduling/events")
    (about_events,) = [line for line in CONTRACT.splitlines() if line.startswith("An event: `seq`")]
    assert set(page["events"][0]) <= fields(about_events)
    assert set(page["events"][0]) >= {"seq", "source", "type", "timestamp", "status", "data"}

    place, data = stream.strip().splitlines()
    payload = json.loads(data.removeprefix("data: "))
    assert place == f"id: {payload['event']['seq']}"
    assert set(payload) == {"kind", *fields(words("contract.md", "`kind`")["event"][2])}

    assert set(json.loads(ledger)) == answered("/api/v1/ops/scheduling/ledger")
    assert json.loads(ledger)["unaccounted"] == []


def test_the_checks_move_the_counters_that_the_runbook_expects_to_move(
    busy_gateway: GatewayProcess,
) -> None:
    def counters() -> dict[str, Any]:
        with client(busy_gateway) as http:
            found: dict[str, Any] = http.get(METRICS).json()["metrics"]["counters"]
            return found

    before = counters()
    for command in curls(section(RUNBOOK, "## 4. Checks")):
        run(command, busy_gateway)
    with client(busy_gateway) as http:  # a client that has everything gets a keep-alive
        http.get("/api/v1/ops/scheduling/stream", params={"once": 1})
    after = counters()

    expected = set(words("runbook.md", "counter"))
    assert expected >= {"push_replay_requests", "push_stream_event_payloads"}
    assert {name for name in expected if after[name] <= before[name]} == set()


def test_the_soak_passes_by_the_runbooks_own_command_line(
    busy_gateway: GatewayProcess, tmp_path: Path
) -> None:
    command = next(
        line for line in section(RUNBOOK, "## 9. Soak").splitlines() if line.startswith("uv run")
    )
    short = {
        "http://127.0.0.1:8002": busy_gateway.base_url,
        "300": "2",
        "15": "1",
        "OFFICIAL_PROJECT_DOCUMENTATION/": f"{tmp_path}/",
    }
    for long, instead in short.items():
        assert long in command
        command = command.replace(long, instead)
    assert command.startswith("uv run python ")
    soak = subprocess.run(
        [sys.executable, *shlex.split(command)[3:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert soak.returncode == 0, soak.stdout + soak.stderr
    printed = json.loads(soak.stdout)
    assert printed["all_checks_ok"] is True
    report = tmp_path / "03_Run_Reviews" / "scheduling_v2_soak_short.json"
    assert printed["out_json"] == str(report)
    assert json.loads(report.read_text())["summary"]["total_fail"] == 0
