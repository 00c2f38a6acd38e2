"""A real Prometheus with the rules of docs/how-to/monitor.md sees the first failure."""

import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, free_port
from tests.acceptance.servers import CONFIGS, config, program, running

TOKEN = "a token for Prometheus that is long enough"


def promtool(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [program("promtool", "prometheus"), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_promtool_has_no_complaint_about_the_metrics_and_the_rules(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    gateway.start()
    exposition = httpx.get(f"{gateway.base_url}/metrics", trust_env=False).text
    checked = promtool("check", "metrics", text=exposition)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    checked = promtool("check", "rules", str(CONFIGS / "alerts.yml"))
    assert checked.returncode == 0, checked.stderr


def test_the_alert_for_failed_runs_fires_at_the_first_failure(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    gateway.start()
    (tmp_path / "token").write_text(TOKEN)
    config("alerts.yml", tmp_path)
    settings = config(
        "prometheus.yml",
        tmp_path,
        **{
            "/etc/prometheus/ua_token": str(tmp_path / "token"),
            "127.0.0.1:8002": f"127.0.0.1:{gateway.port}",
            "15s": "1s",
        },
    )
    url = f"http://127.0.0.1:{free_port()}"

    def asked(path: str, **params: str) -> Any:
        answer = httpx.get(f"{url}/api/v1/{path}", params=params, trust_env=False)
        return answer.json()["data"]

    def until(question: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not question():
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.2)

    def firing() -> set[str]:
        return {
            alert["labels"]["alertname"]
            for alert in asked("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    command = [
        program("prometheus", "prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with running(command, tmp_path, f"{url}/-/ready"):
        # Twice: an increase has a beginning.
        until(lambda: asked("query", query="count_over_time(up[1m]) >= 2 and up == 1")["result"])
        assert firing() == set()
        made = gateway.ua("job", "add", "in 3 seconds", "exit 3", "--runner", "shell")
        assert made.returncode == 0, made.stderr
        until(lambda: "RunFailed" in firing())
        query = 'sum(increase(ua_slots_total{outcome="error"}[10m]))'
        (found,) = asked("query", query=query)["result"]
        assert float(found["value"][1]) > 0
