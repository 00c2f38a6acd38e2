"""The commands of `ua`, against a real gateway."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess

#: A slot that no test lives to see.
_NEVER = "0 0 29 2 *"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway for the tests that only add to it."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("shared"))
    gateway.start()
    yield gateway
    gateway.kill()


def done(result: subprocess.CompletedProcess[str]) -> str:
    """What a command answered, which must have succeeded in silence."""
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def document(result: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command answered with."""
    return json.loads(done(result))


def send(gateway: GatewayProcess, path: str, **fields: Any) -> Any:
    """Post to the gateway itself, for what is not under test; the answer."""
    answer = httpx.post(f"{gateway.base_url}/api/v1/cron/{path}", json=fields, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def add(gateway: GatewayProcess, command: str, *, cron_expr: str = _NEVER, **fields: Any) -> str:
    """Add a job; its id."""
    job_id: str = send(gateway, "jobs", command=command, cron_expr=cron_expr, **fields)["job"][
        "job_id"
    ]
    return job_id


def edit(gateway: GatewayProcess, job_id: str, **fields: Any) -> None:
    """Change a job."""
    url = f"{gateway.base_url}/api/v1/cron/jobs/{job_id}"
    assert httpx.put(url, json=fields, trust_env=False).is_success


def start_run(gateway: GatewayProcess, job_id: str, *, wait_seconds: float = 30) -> str:
    """Run a job; the run's id."""
    run_id: str = send(gateway, f"jobs/{job_id}/run", wait_seconds=wait_seconds)["run"]["run_id"]
    return run_id


# -- jobs


def test_a_new_job_is_echoed_in_words_with_its_next_slots_in_both_zones(
    shared: GatewayProcess,
) -> None:
    answer = done(
        shared.ua("job", "add", "every weekday at 9am", "true", "--timezone", "Asia/Kathmandu")
    )
    lines = answer.splitlines()
    assert lines[0].startswith("enabled true  job_")
    assert lines[1] == "schedule  at 09:00 on weekdays, Asia/Kathmandu"
    assert lines[2].split() == ["next", "Asia/Kathmandu", "UTC"]
    slots = [line.split() for line in lines[3:6]]
    assert [local[10:] for local, _ in slots] == ["T09:00:00+05:45"] * 3
    assert [utc[10:] for _, utc in slots] == ["T03:15:00+00:00"] * 3
    assert lines[6].split() == ["zone", "Asia/Kathmandu", "(as", "given)"]


def test_every_option_of_a_job_reaches_it(shared: GatewayProcess) -> None:
    answer = shared.ua(
        *("job", "add", _NEVER, "true", "--json"),
        *("--title", "Everything", "--runner", "shell", "--model", "m1", "--session", "s1"),
        *("--priority", "low", "--user", "ada", "--metadata", '{"channel": "ops"}'),
        *("--overlap", "queue_one", "--on-miss", "run_latest", "--grace", "2m"),
        *("--useful-for", "1h30m", "--timeout", "90", "--retries", "2", "--jitter", "10s"),
        *("--auto-pause-after", "0", "--retry-interrupted", "--disabled"),
    )
    job = document(answer)["job"]
    expected = {
        "title": "Everything",
        "runner": "shell",
        "model": "m1",
        "user_id": "ada",
        "metadata": {"channel": "ops", "session_id": "s1", "priority": "low"},
        "overlap": "queue_one",
        "on_miss": "run_latest",
        "misfire_grace_seconds": 120,
        "useful_for_seconds": 5400,
        "timeout_seconds": 90,
        "retries": 2,
        "jitter_seconds": 10,
        "auto_pause_after": 0,
        "retry_interrupted": True,
        "enabled": False,
    }
    assert {name: job[name] for name in expected} == expected


def test_a_one_shot_may_go_when_it_has_run(shared: GatewayProcess) -> None:
    answer = shared.ua("job", "add", "in 20 hours", "true", "--delete-after-run", "--json")
    assert document(answer)["job"]["delete_after_run"] is True


def test_words_of_a_command_are_kept_apart_as_the_shell_had_them(shared: GatewayProcess) -> None:
    answer = document(
        shared.ua("job", "add", _NEVER, "--json", "--", "printf", "%s|", "one two", "three")
    )
    ran = document(shared.ua("job", "run", answer["job"]["job_id"], "--json"))
    assert ran["run"]["output_preview"] == "one two|three|"


def test_times_are_read_in_the_zone_that_the_environment_names(shared: GatewayProcess) -> None:
    answer = shared.ua("job", "add", _NEVER, "true", "--json", UA_TIMEZONE="Europe/Paris")
    assert document(answer)["job"]["timezone"] == "Europe/Paris"


def test_a_job_goes_by_its_title_and_by_either_end_of_its_id(shared: GatewayProcess) -> None:
    job_id = add(shared, "true", title="either end")
    for name in (job_id, job_id[:-4], job_id[-10:], "either end"):
        found = document(shared.ua("job", "show", name, "--json"))
        assert found["job"]["job_id"] == job_id, name


def test_a_name_that_means_two_jobs_is_refused_with_both(shared: GatewayProcess) -> None:
    ids = [add(shared, "true", title="twins") for _ in range(2)]
    refused = shared.ua("job", "show", "twins")
    assert refused.returncode == 2
    assert all(job_id in refused.stderr for job_id in ids)


def test_an_unknown_job_is_five_and_one_sentence(shared: GatewayProcess) -> None:
    refused = shared.ua("job", "show", "nobody")
    assert (refused.returncode, refused.stderr) == (5, "ua: There is no job 'nobody'.\n")


def test_a_schedule_that_is_not_understood_is_two_and_one_sentence(
    shared: GatewayProcess,
) -> None:
    refused = shared.ua("job", "add", "whenever you like", "true")
    assert refused.returncode == 2
    assert refused.stderr.startswith("ua: this was not understood; expected a schedule ")
    assert refused.stderr.count("\n") == 1


def test_list_and_next_show_a_job_in_a_stable_line(shared: GatewayProcess) -> None:
    job_id = add(shared, "true", title="in line", cron_expr="5 5 5 5 *")
    row = rf"^{job_id} +enabled +20..-05-05T05:05:00\+00:00 +in line "
    assert re.search(row, done(shared.ua("job", "list")), re.MULTILINE)
    row = rf"^20..-05-05T05:05:00\+00:00 +{job_id} +in line "
    assert re.search(row, done(shared.ua("next", "--limit", "500")), re.MULTILINE)


def test_a_job_is_edited_paused_resumed_and_deleted(shared: GatewayProcess) -> None:
    job_id = add(shared, "true", metadata={"keep": 1, "drop": 2})
    edited = document(
        shared.ua(
            *("job", "edit", job_id, "--schedule", "every 3 hours", "--command", "false"),
            *("--useful-for", "none", "--metadata", '{"drop": null}', "--priority", "low"),
            "--json",
        )
    )["job"]
    assert edited["every_seconds"] == 3 * 3600
    assert edited["command"] == "false"
    assert edited["metadata"] == {"keep": 1, "priority": "low"}
    paused = document(shared.ua("job", "pause", job_id, "--json"))["job"]
    assert (paused["enabled"], paused["off_label"]) == (False, "paused")
    resumed = document(shared.ua("job", "resume", job_id, "--json"))["job"]
    assert resumed["enabled"] is True
    assert done(shared.ua("job", "rm", job_id, "--yes")) == f"deleted {job_id}\n"
    assert shared.ua("job", "show", job_id).returncode == 5


@pytest.mark.parametrize("piped", ["", "n\n", "y\n"])
def test_nothing_is_deleted_without_a_terminal_unless_yes_is_said(
    shared: GatewayProcess, piped: str
) -> None:
    job_id = add(shared, "true", title="still here")
    session_id = document(shared.ua("session", "new", "--json"))["session_id"]
    for kind, name in (("job", job_id), ("session", session_id)):
        refused = shared.ua(kind, "rm", name, stdin=piped)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "--yes" in refused.stderr
        done(shared.ua(kind, "show", name))


def test_the_runs_of_a_deleted_job_are_reached_by_its_id(shared: GatewayProcess) -> None:
    job_id = add(shared, "echo remembered")
    run_id = start_run(shared, job_id)
    done(shared.ua("job", "rm", job_id, "--yes"))
    for name in (job_id, job_id[-10:], run_id):
        assert run_id in done(shared.ua("job", "runs", name)), name
    assert done(shared.ua("job", "logs", job_id)) == "remembered\n"
    assert done(shared.ua("ledger", "--job", job_id)).endswith("accounted for\n")


def test_an_edit_without_a_change_is_bad_usage(shared: GatewayProcess) -> None:
    assert shared.ua("job", "edit", add(shared, "true")).returncode == 2


# -- runs


def test_a_run_that_is_waited_for_shows_its_output_and_fails_with_the_run(
    shared: GatewayProcess,
) -> None:
    fine = done(shared.ua("job", "run", add(shared, "echo all fine")))
    assert fine.startswith("success\n")
    assert fine.endswith("\nall fine\n")
    failed = shared.ua("job", "run", add(shared, "echo not fine; exit 3"))
    assert failed.returncode == 1
    assert "exit code  3\n" in failed.stdout


def test_a_run_that_goes_on_is_no_success_unless_nobody_waits(shared: GatewayProcess) -> None:
    job_id = add(shared, "exec sleep 1000", overlap="allow")
    for options, code in ((("--wait", "0.1"), 1), (("--no-wait",), 0)):
        answer = shared.ua("job", "run", job_id, "--json", *options)
        assert answer.returncode == code
        run_id = json.loads(answer.stdout)["run"]["run_id"]
        cancelled = document(shared.ua("run", "cancel", run_id, "--json"))
        assert cancelled["run"]["run_id"] == run_id


def test_a_run_in_execution_can_be_cancelled(shared: GatewayProcess) -> None:
    job_id = add(shared, "echo up; exec sleep 1000")
    run_id = start_run(shared, job_id, wait_seconds=0)
    with shared.going_on("run", "logs", run_id, "--follow") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "up\n"
        done(shared.ua("run", "cancel", run_id))
        assert following.wait(PATIENCE_SECONDS) == 0
    shown = document(shared.ua("run", "show", run_id[-12:], "--json"))
    assert shown["run"]["status"] == "cancelled"
    assert shared.ua("run", "cancel", run_id).returncode == 5


def test_runs_are_listed_newest_first_with_what_they_said(shared: GatewayProcess) -> None:
    job_id = add(shared, "echo from $UA_TRIGGER")
    ids = [document(shared.ua("job", "run", job_id, "--json"))["run"]["run_id"] for _ in range(2)]
    rows = [row.split() for row in done(shared.ua("job", "runs", job_id)).splitlines()[1:]]
    assert [row[0] for row in rows] == ids[::-1]
    assert {(row[1], row[-2], row[-1]) for row in rows} == {("success", "from", "manual")}
    everything = document(shared.ua("job", "runs", "--status", "success", "--json"))
    assert {run["status"] for run in everything["runs"]} == {"success"}


def test_a_log_is_followed_while_it_grows_and_until_the_run_ends(
    shared: GatewayProcess, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job_id = add(shared, f"echo one; while [ ! -e {go} ]; do sleep 0.02; done; printf two; exit 7")
    run_id = start_run(shared, job_id, wait_seconds=0)
    with shared.going_on("run", "logs", run_id, "--follow") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "one\n"
        go.touch()
        assert following.stdout.read() == "two"
        assert following.wait(PATIENCE_SECONDS) == 0
    assert done(shared.ua("job", "logs", job_id)) == "one\ntwo"


def test_a_job_that_is_followed_shows_run_after_run(shared: GatewayProcess) -> None:
    job_id = add(shared, "echo run $UA_RUN_ID")
    ids = [start_run(shared, job_id)]
    with shared.going_on("job", "logs", job_id, "--follow") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == f"run {ids[0]}\n"
        ids += [start_run(shared, job_id) for _ in range(2)]
        assert following.stdout.readline() == f"run {ids[1]}\n"
        assert following.stdout.readline() == f"run {ids[2]}\n"


def test_a_log_cannot_act_on_the_terminal(shared: GatewayProcess) -> None:
    job_id = add(shared, r"printf '\033]0;owned\007\033[31mred\033[0m\n'")
    start_run(shared, job_id)
    assert done(shared.ua("job", "logs", job_id)) == "red\n"


# -- what happened


def test_events_are_shown_from_where_one_left_off(shared: GatewayProcess) -> None:
    job_id = add(shared, "true")
    seq = document(shared.ua("events", "--limit", "1", "--json"))["event_bus_seq"]
    edit(shared, job_id, enabled=False, off_label="paused")
    (line,) = done(shared.ua("events", "--since", str(seq))).splitlines()
    assert line.split()[0] == str(seq + 1)
    assert line.split()[2:5] == ["cron_job_updated", "paused", job_id]


def test_events_are_followed_as_they_come(shared: GatewayProcess) -> None:
    job_id = add(shared, "true")
    seq = document(shared.ua("events", "--limit", "1", "--json"))["event_bus_seq"]
    with shared.going_on("events", "--since", str(seq), "--follow", "--json") as following:
        assert following.stdout is not None
        for state in ("disabled", "enabled"):
            edit(shared, job_id, enabled=state == "enabled")
            event = json.loads(following.stdout.readline())
            assert (event["source_ref"], event["status"]) == (job_id, state)


def test_the_ledger_says_that_every_slot_is_accounted_for(shared: GatewayProcess) -> None:
    answer = done(shared.ua("ledger"))
    assert answer.splitlines()[-1] == "ok every expected slot is accounted for"
    assert document(shared.ua("ledger", "--json"))["unaccounted"] == []


# -- gateways that are down, closed or switched off


def test_reading_goes_on_while_the_gateway_is_down_and_writing_does_not(
    gateway: GatewayProcess,
) -> None:
    start_run(gateway, add(gateway, "echo kept", title="kept"))
    reads = (
        ("job", "list"),
        ("job", "logs", "kept"),
        ("events",),
    )
    before = [done(gateway.ua(*command, "--json")) for command in reads]
    gateway.kill()
    for command, answer in zip(reads, before, strict=True):
        read = gateway.ua(*command, "--json")
        assert read.returncode == 0, read.stderr
        assert read.stderr == "ua: gateway is down; reading .ua directly\n"
        assert read.stdout == answer
    for command in (("pause", "kept"), ("add", _NEVER, "true")):
        refused = gateway.ua("job", *command)
        assert refused.returncode == 3, command
        assert f"nothing answers at {gateway.base_url}" in refused.stderr
        assert "ua serve" in refused.stderr
    gateway.start()
    assert done(gateway.ua("job", "list", "--json")) == before[0]


def test_following_goes_on_after_a_restart_of_the_gateway(gateway: GatewayProcess) -> None:
    add(gateway, "true")
    with gateway.going_on("events", "--follow", "--json") as following:
        assert following.stdout is not None and following.stderr is not None
        first = json.loads(following.stdout.readline())
        assert first["type"] == "cron_job_created"
        gateway.kill()
        assert "Waiting for it, from event" in following.stderr.readline()
        gateway.start()
        add(gateway, "false")
        while (event := json.loads(following.stdout.readline()))["type"] != "cron_job_created":
            assert event["seq"] > first["seq"]
        assert event["seq"] > first["seq"]


def test_a_gateway_that_was_named_is_not_replaced_by_files(gateway: GatewayProcess) -> None:
    gateway.stop()
    refused = gateway.ua("job", "list", "--url", gateway.base_url)
    assert refused.returncode == 3
    assert "reading" not in refused.stderr


def test_data_in_use_by_a_gateway_elsewhere_are_left_alone(gateway: GatewayProcess) -> None:
    refused = gateway.ua("job", "list", UA_GATEWAY_PORT="1")
    assert refused.returncode == 3
    assert f"pid {gateway.pid}" in refused.stderr


def test_without_a_gateway_and_without_data_there_is_nothing_to_read(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    refused = gateway.ua("job", "list")
    assert refused.returncode == 3
    assert "there is no database" in refused.stderr
    assert not gateway.data_dir.exists()


def test_a_service_that_is_switched_off_is_six(make_gateway: MakeGateway) -> None:
    gateway = make_gateway(UA_ENABLE_CRON="0")
    gateway.start()
    refused = gateway.ua("job", "list")
    assert (refused.returncode, refused.stderr) == (6, "ua: Cron service not available.\n")


# -- doctor and token


def test_a_sound_installation_passes_the_doctor(gateway: GatewayProcess) -> None:
    checks = document(gateway.ua("doctor", "--json"))["checks"]
    assert {check["name"]: check["status"] for check in checks} == dict.fromkeys(
        ("gateway", "token", "clock", "data", "database", "disk", "runners", "zones", "channels"),
        "ok",
    )


def test_the_doctor_looks_at_what_is_there_while_the_gateway_is_down(
    gateway: GatewayProcess,
) -> None:
    gateway.kill()
    answer = document(gateway.ua("doctor", "--json"))
    status = {check["name"]: check["status"] for check in answer["checks"]}
    assert (answer["ok"], status["gateway"], status["database"]) == (True, "warn", "ok")


def test_the_doctor_fails_and_says_what_to_do(gateway: GatewayProcess) -> None:
    gateway.stop()
    (gateway.data_dir / "ua.db").write_bytes(b"nonsense" * 1000)
    answer = gateway.ua("doctor")
    assert answer.returncode == 1
    assert "fail  database" in answer.stdout
    assert "Put a backup in its place" in answer.stdout


def test_a_token_is_made_once_and_found_by_every_command(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    made = gateway.ua("token", "new", "--json")
    token = json.loads(made.stdout)["token"]
    file = Path(done(gateway.ua("token", "path")).strip())
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(token) >= 43
    assert done(gateway.ua("token", "show")) == token + "\n"
    again = gateway.ua("token", "new")
    assert (again.returncode, file.read_text()) == (5, token + "\n")
    assert gateway.ua("token", "new", "--force").returncode == 0
    assert file.read_text() != token + "\n"
