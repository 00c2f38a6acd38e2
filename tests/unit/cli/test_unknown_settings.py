"""Variables that look like settings and are none."""

from datetime import UTC, datetime
from pathlib import Path

from universal_agent.cli.unknown_settings import sentence, setting_names, unknown_settings
from universal_agent.runners.base import RunRequest
from universal_agent.runners.output import RunOutput


def test_a_misspelt_name_is_told_with_the_nearest_one() -> None:
    environ = ("PATH", "UA_DATA_DRI", "UA_ENABLE_CORN", "NEXT_PUBLIC_UA_SCHED_PUSH")
    assert unknown_settings(environ) == {
        "UA_DATA_DRI": "UA_DATA_DIR",
        "UA_ENABLE_CORN": "UA_ENABLE_CRON",
        "NEXT_PUBLIC_UA_SCHED_PUSH": "NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED",
    }


def test_a_name_like_no_other_is_told_without_one() -> None:
    assert unknown_settings(["UA_XYZZY"]) == {"UA_XYZZY": ""}
    assert sentence("UA_XYZZY", "") == "UA_XYZZY is no setting"


def test_every_setting_is_known_in_any_case() -> None:
    names = setting_names()
    assert {"UA_HEARTBEAT_INTERVAL", "UA_OPS_TOKEN", "USER_TIMEZONE"} <= names
    assert unknown_settings([*names, "ua_gateway_port"]) == {}


def test_what_is_handed_on_to_runs_is_known() -> None:
    assert unknown_settings(["UA_MY_OWN"], child_env=["UA_MY_OWN"]) == {}


def test_what_a_run_finds_in_its_environment_is_known(tmp_path: Path) -> None:
    request = RunRequest(
        run_id="run_1",
        job_id="job_1",
        event_id="cron|job_1|0",
        command="true",
        scheduled_at=datetime(2026, 1, 1, tzinfo=UTC),
        attempt=1,
        trigger="schedule",
        workspace_dir=tmp_path,
        output=RunOutput(tmp_path / "log"),
        late_seconds=1,
        approved_by="ada",
    )
    facts = request.facts()
    assert len(facts) == 8
    assert unknown_settings(facts) == {}
