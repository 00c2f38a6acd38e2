"""`ua demo`: a week to look at, in one command, which leaves nothing behind."""

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def demo(gateway: GatewayProcess, *options: str) -> None:
    """Start the demo in the gateway's place."""
    gateway.serve = (gateway.python, "-m", "universal_agent", "demo", *options)
    gateway.start()


def data_dir_of(gateway: GatewayProcess) -> Path:
    """Where it says that its data are."""
    found = re.search(r"^data +(.+)$", gateway.log.read_text(), re.MULTILINE)
    assert found is not None
    return Path(found[1])


def test_the_demo_shows_a_week_and_leaves_nothing_behind(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    demo(gateway)
    folder = data_dir_of(gateway)
    assert folder.is_dir()

    jobs = httpx.get(f"{gateway.base_url}/api/v1/cron/jobs", trust_env=False).json()["jobs"]
    assert len(jobs) > 10
    assert len({job["title"] for job in jobs}) == len(jobs)

    ledger = gateway.ua("ledger", "--json")
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr
    counted = json.loads(ledger.stdout)
    assert counted["unaccounted"] == []
    assert counted["expected"] > 100

    queue = httpx.get(f"{gateway.base_url}/api/v1/ops/stasis", trust_env=False).json()
    assert queue["stasis_queue"], "something waits for a decision"

    assert gateway.stop() == 0
    assert not folder.exists()
    assert not gateway.data_dir.exists(), "the real data directory is not touched"


def test_the_demo_refuses_a_directory_in_which_somebody_lives(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    gateway.start()
    assert gateway.ua("job", "add", "every 1d", "true").returncode == 0
    gateway.stop()
    refused = gateway.ua("demo", "--data-dir", ".ua")
    assert refused.returncode == 5
    assert refused.stderr.startswith("ua: expected an empty directory, but ")
    gateway.start()
    assert (
        len(httpx.get(f"{gateway.base_url}/api/v1/cron/jobs", trust_env=False).json()["jobs"]) == 1
    )
