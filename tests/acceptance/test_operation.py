"""Slots, notifications, flags and the audit on the command line, against a real gateway."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway for the tests that only add to it."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("operation"))
    gateway.start()
    yield gateway
    gateway.kill()


def document(result: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command answered with."""
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def next_run_at(gateway: GatewayProcess, name: str) -> float:
    at: float = document(gateway.ua("job", "show", name, "--json"))["job"]["next_run_at"]
    return at


def test_a_slot_is_skipped_moved_and_run_early_and_that_is_taken_back(
    shared: GatewayProcess,
) -> None:
    added = shared.ua("job", "add", "0 9 1 1 *", "true", "--title", "yearly", "--json")
    job_id = document(added)["job"]["job_id"]
    first = next_run_at(shared, "yearly")
    slot = f"cron|{job_id}|{int(first)}"

    assert document(shared.ua("slot", "skip", "yearly", "--json"))["event_id"] == slot
    assert next_run_at(shared, "yearly") > first
    assert document(shared.ua("slot", "undo", slot, "--json"))["action"] == "undo"
    assert next_run_at(shared, "yearly") == first

    moved = shared.ua("slot", "move", slot, "--to", "in 2 hours", "--json")
    assert document(moved)["action"] == "move"
    assert document(shared.ua("slot", "undo", slot, "--json"))["event_id"] == slot

    early = document(shared.ua("slot", "early", "yearly", "--json"))
    assert early["event_id"] == slot
    shown = document(shared.ua("run", "show", slot, "--json"))["run"]
    assert (shown["run_id"], shown["trigger"]) == (early["run"]["run_id"], "early")

    audited = document(shared.ua("audit", "--json"))["entries"]
    changes = [e["data"]["change"] for e in audited if e["type"] == "calendar_change_applied"]
    assert len(changes) == 5


def test_a_time_without_a_slot_and_an_undo_without_a_time_are_refused(
    shared: GatewayProcess,
) -> None:
    assert shared.ua("job", "add", "0 9 2 1 *", "true", "--title", "two").returncode == 0
    refused = shared.ua("slot", "skip", "two", "tomorrow 3:07am")
    assert refused.returncode in (2, 5), refused.stderr
    assert shared.ua("slot", "undo", "two").returncode == 2


def test_flags_are_turned_and_taken_back_and_the_audit_says_so(shared: GatewayProcess) -> None:
    name = "UA_SCHED_PUSH_ENABLED"
    turned = document(shared.ua("flag", "set", name, "off", "--json"))["flags"][name]
    assert (turned["value"], turned["source"]) == (False, "override")
    line = shared.ua("audit", "--limit", "1").stdout.splitlines()[1]
    assert f"{name} = 0" in line
    back = document(shared.ua("flag", "reset", name, "--json"))["flags"][name]
    assert (back["value"], back["source"]) == (True, "default")
    assert shared.ua("flag", "set", "UA_NO_FLAG", "1").returncode == 2


def test_notifications_are_listed_and_marked(shared: GatewayProcess) -> None:
    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = document(shared.ua("notification", "list", "--json"))[
            "notifications"
        ]
        return found

    added = shared.ua("job", "add", "every 1s", "exit 3", "--title", "fails", "--json")
    job_id = document(added)["job"]["job_id"]
    one = next(one for _ in range(100) for one in listed() if one["source_ref"] == job_id)
    assert shared.ua("job", "rm", job_id, "--yes").returncode == 0

    def status() -> str:
        return str({each["id"]: each["status"] for each in listed()}[one["id"]])

    assert shared.ua("notification", "ack", one["id"][-10:]).stdout == "marked 1\n"
    assert status() == "acknowledged"
    assert shared.ua("notification", "snooze", one["id"], "--for", "2h").returncode == 0
    assert status() == "snoozed"
    assert shared.ua("notification", "dismiss", "--all").returncode == 0
    assert status() == "dismissed"
    assert shared.ua("notification", "read").returncode == 2
    assert shared.ua("notification", "read", "nobody").returncode == 5


def test_waiting_ends_when_the_gateway_is_ready(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    assert gateway.ua("wait", "--seconds", "0").returncode == 3
    with gateway.going_on("wait") as waiting:
        assert waiting.stderr is not None and waiting.stdout is not None
        assert waiting.stderr.readline() == "ua: waiting for the gateway...\n"
        gateway.start()
        assert waiting.wait(PATIENCE_SECONDS) == 0
        assert waiting.stdout.read() == f"ready at {gateway.base_url}\n"
    assert gateway.ua("wait").stdout == f"ready at {gateway.base_url}\n"


def test_a_change_in_words_is_made_only_when_it_is_confirmed(shared: GatewayProcess) -> None:
    added = shared.ua("job", "add", "0 9 4 1 *", "true", "--title", "worded", "--json")
    version = document(added)["job"]["version"]
    shown = shared.ua("job", "change", "worded", "every", "weekday", "at", "8am", stdin="y\n")
    assert shown.returncode == 2 and "--yes" in shown.stderr
    assert shown.stdout.startswith("change ")
    assert document(shared.ua("job", "show", "worded", "--json"))["job"]["version"] == version
    done = shared.ua("job", "change", "worded", "every weekday at 8am", "--yes")
    assert (done.returncode, done.stdout[:8]) == (0, "applied:")
    changed = document(shared.ua("job", "show", "worded", "--json"))["job"]
    assert changed["cron_expr"] == "0 8 * * 1-5"


def test_bytes_that_are_no_text_are_bad_usage(shared: GatewayProcess) -> None:
    for words in ((b"every 1h", b"caf\xe9"), (b"every \xe9", b"true")):
        arguments = [os.fsdecode(word) for word in words]
        refused = shared.ua("job", "add", *arguments)
        assert refused.returncode == 2
        assert refused.stderr.startswith("ua: expected text in UTF-8, got other bytes in ")
    refused = shared.ua("job", "show", os.fsdecode(b"caf\xe9"))
    assert refused.returncode in (2, 5) and "Traceback" not in refused.stderr


def test_carriage_returns_of_a_command_become_line_feeds_and_the_echo_says_so(
    shared: GatewayProcess,
) -> None:
    line = "cd /does-not-exist\r\nexit $?\r\n"
    added = document(shared.ua("job", "add", "0 9 5 1 *", line, "--title", "crlf", "--json"))
    assert added["echo"]["notes"] == ["The carriage returns in the command became line feeds."]
    assert shared.ua("job", "run", "crlf").returncode == 1
