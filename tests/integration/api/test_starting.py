"""What the gateway knows and does before it serves."""

import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.integration.api.served import served
from universal_agent.api.server import close_to_others


async def test_a_gateway_on_any_free_port_is_no_target_of_its_own_webhooks(tmp_path: Path) -> None:
    async with served(tmp_path, webhook_allow=("127.0.0.1",)) as gateway:
        target = f"http://127.0.0.1:{gateway.port}/api/v1/health"
        job = {"command": target, "runner": "http", "every": "1h"}
        refused = await gateway.http.post("/api/v1/cron/jobs", json=job)
        assert refused.status_code == 400
        assert "this gateway itself" in refused.json()["detail"]
        other = {**job, "command": f"http://127.0.0.1:{gateway.port + 1}/"}
        assert (await gateway.http.post("/api/v1/cron/jobs", json=other)).status_code == 200


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_data_directory_that_was_open_to_others_is_closed(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with capture_logs() as logs:
        close_to_others(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert [(line["event"], line["was"]) for line in logs] == [("data_dir_closed", f"{mode:04o}")]


def test_one_that_is_closed_or_not_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with capture_logs() as logs:
        close_to_others(tmp_path)
        close_to_others(tmp_path / "none")
    assert logs == []
    assert not (tmp_path / "none").exists()
