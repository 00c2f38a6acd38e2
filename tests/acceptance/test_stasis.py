"""Ten slots of three jobs pass while the gateway is down; an operator decides with `ua`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos.faults.shift import Shift
from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MISSED = 10
EVERY = 300

#: How long ago the jobs are made: their tenth slot was half an interval ago, so that no slot is
#: near while the test goes on.
AGO = MISSED * EVERY + EVERY // 2

DOWN = "ua: gateway is down; reading .ua directly\n"

JOBS = ("backup", "report", "sweep")


def document(gateway: GatewayProcess, *arguments: str, code: int = 0) -> Any:
    """What a command answers, as JSON."""
    result = gateway.ua(*arguments, "--json")
    assert (result.returncode, result.stderr) == (code, "")
    return json.loads(result.stdout)


def ledger(gateway: GatewayProcess) -> dict[str, Any]:
    """Every expected slot and its outcome; the command itself fails when one has none."""
    found: dict[str, Any] = document(gateway, "ledger")
    assert found["unaccounted"] == []
    return found


def missed(gateway: GatewayProcess) -> dict[str, int]:
    """How the missed slots are decided, without what there is none of."""
    counts = ledger(gateway)["outcomes"]["missed"]
    return {status: count for status, count in counts.items() if count}


@pytest.fixture
def after_the_outage(make_gateway: MakeGateway, tmp_path: Path) -> GatewayProcess:
    """A gateway that was made, given three jobs, stopped over ten slots of each, and started."""
    gateway = make_gateway()
    shift = Shift(tmp_path)
    gateway.serve = shift.argv
    shift.set(-AGO)
    gateway.start()
    for title in JOBS:
        command = f"echo $UA_SCHEDULED_AT $UA_LATE_SECONDS >> '{tmp_path / title}'"
        added = gateway.ua("job", "add", "every 5m", command, "--title", title, "--runner", "shell")
        assert added.returncode == 0
    assert gateway.ua("ledger").returncode == 0
    assert gateway.stop() == 0
    shift.set(0)
    while_down = gateway.ua("ledger", "--json")
    assert (while_down.returncode, while_down.stderr) == (0, DOWN)
    assert json.loads(while_down.stdout)["outcomes"]["in_flight"] == len(JOBS) * MISSED
    gateway.start()
    return gateway


def test_what_was_missed_waits_and_each_decision_does_what_it_says(
    after_the_outage: GatewayProcess, tmp_path: Path
) -> None:
    gateway = after_the_outage
    assert "3 groups of slots, to be decided: `ua stasis list`" in gateway.log.read_text()
    queue = document(gateway, "stasis", "list")["stasis_queue"]
    assert document(gateway, "stasis")["stasis_queue"] == queue, "`list` need not be named"
    items = {item["event"]["title"]: item for item in queue}
    assert sorted(items) == sorted(JOBS)
    assert {item["group"]["count"] for item in queue} == {MISSED}
    assert {item["cause"] for item in queue} == {"process_down"}
    assert missed(gateway) == {"pending": 3 * MISSED}
    shown = gateway.ua("stasis").stdout
    assert all(title in shown for title in JOBS)
    assert not list(tmp_path.glob("backup")), "nothing ran by itself"

    # Approved: the latest runs once, late and told so, and the others are closed.
    approved = document(gateway, "stasis", "approve", "backup", "--note", "still needed")
    assert approved["event_id"] == items["backup"]["event_id"]
    followed = gateway.ua("run", "logs", "--follow", approved["run"]["run_id"])
    assert followed.returncode == 0
    (run,) = document(gateway, "job", "runs", "backup")["runs"]
    assert run["status"] == "success"
    (line,) = (tmp_path / "backup").read_text().splitlines()
    scheduled_at, late = line.split()
    assert items["backup"]["event_id"].endswith(f"|{scheduled_at}")
    assert int(late) >= EVERY // 2
    again = gateway.ua("stasis", "approve", items["backup"]["event_id"])
    assert again.returncode != 0
    assert "approved_and_run since" in again.stderr

    # Rescheduled: a one-shot job has it, at the time that was asked for.
    rescheduled = document(gateway, "stasis", "reschedule", "report", "in 3 hours")
    moved = rescheduled["job"]
    assert moved["metadata"]["backfill_for_job_id"] == items["report"]["event"]["source_ref"]
    ahead = moved["next_run_at"] - datetime.now(UTC).timestamp()
    # Whole seconds, and those that the command took.
    assert 2.9 * 3600 < ahead <= 3 * 3600 + 1

    # Deleted: closed without a run; taken back within a minute; and deleted for good.
    deleted = document(gateway, "stasis", "delete", "sweep")["event_id"]
    assert document(gateway, "stasis", "list")["stasis_queue"] == []
    assert gateway.ua("stasis", "undo", deleted).returncode == 0
    (waiting,) = document(gateway, "stasis", "list")["stasis_queue"]
    assert (waiting["event_id"], waiting["group"]["count"]) == (deleted, MISSED)
    assert gateway.ua("stasis", "delete", "sweep").returncode == 0

    assert missed(gateway) == {
        "approved_and_run": 1,
        "rescheduled": 1,
        "deleted": MISSED,
        "superseded": 2 * (MISSED - 1),
    }
    explained = gateway.ua("explain", deleted)
    assert "closed without a run" in explained.stdout

    # And none of it comes back.
    gateway.kill()
    gateway.start()
    assert document(gateway, "stasis", "list")["stasis_queue"] == []
    assert sum(missed(gateway).values()) == 3 * MISSED
    assert not (tmp_path / "report").exists()
    assert not (tmp_path / "sweep").exists()


def test_one_command_decides_everything_that_waits(after_the_outage: GatewayProcess) -> None:
    gateway = after_the_outage
    assert gateway.ua("stasis", "decide", "delete", "--all").returncode == 2
    assert missed(gateway) == {"pending": len(JOBS) * MISSED}, "without --yes nothing is deleted"
    for nonsense in (["delete"], ["delete", "--all", "backup"], ["approve", "--all", "--at", "1h"]):
        assert gateway.ua("stasis", "decide", *nonsense).returncode == 2, nonsense
    named = document(gateway, "stasis", "decide", "delete", "backup", "--yes")
    assert (named["done"], named["refused"]) == (1, 0)
    (outage,) = {i["outage_id"] for i in document(gateway, "stasis", "list")["stasis_queue"]}
    assert gateway.ua("stasis", "decide", "approve", "--outage", "none").returncode == 5
    by_outage = ["stasis", "decide", "approve", "--outage", outage[-8:], "--note", "all of them"]
    done = document(gateway, *by_outage)
    assert (done["done"], done["refused"]) == (2, 0)
    assert document(gateway, "stasis", "list")["stasis_queue"] == []
    counts = missed(gateway)
    assert counts == {"deleted": MISSED, "approved_and_run": 2, "superseded": 2 * (MISSED - 1)}
    assert document(gateway, "stasis", "decide", "--all", "delete")["done"] == 0
