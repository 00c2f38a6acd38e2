"""The short form of `./ua chaos`, and the faults that it must find.

One clean run's evidence is tampered with, one fault at a time: a rig that stays green then proves
nothing.
"""

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from chaos.checker import LOST, OTHER, TWICE, UNACCOUNTED, check
from chaos.client import Line
from chaos.durability import watch_syncs
from chaos.evidence import Evidence
from chaos.follower import PollingFollower
from chaos.gateway import Gateway
from chaos.rig import Options, Report, Rig, collect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

#: Starts a gateway that does not wait for the disk.
RELAXED = """
import sys
from functools import partial
from universal_agent import runtime
from universal_agent.cli.main import main
runtime.sqlite_store = partial(runtime.sqlite_store, synchronous="NORMAL")
sys.argv = ["ua", "serve"]
main()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Ten kills at random instants, and one at each failpoint."""
    options = Options(
        folder=tmp_path_factory.mktemp("chaos"),
        seed=7,
        kills=10,
        failpoint_kills=1,
        jobs=40,
        writes_per_second=30,
        writers=3,
    )
    return asyncio.run(Rig(options).run())


@pytest.fixture
def evidence(report: Report, tmp_path: Path) -> Evidence:
    """A copy of what the short form has left, to tamper with."""
    shutil.copytree(report.options.folder / "evidence", tmp_path / "evidence")
    return Evidence(tmp_path / "evidence")


def test_after_eighteen_kills_nothing_is_lost_twice_or_unaccounted(report: Report) -> None:
    assert report.verdict.faults == []
    assert report.summary == "18 kills, seed 7: 0 lost, 0 twice, 0 unaccounted"
    assert report.ok


def test_the_short_form_has_looked_at_something_of_everything(report: Report) -> None:
    figures = report.verdict.figures
    assert figures["acknowledged"].keys() == {"create", "decide", "delete", "edit", "run"}
    assert figures["runs"].keys() >= {"success", "error", "interrupted"}
    assert figures["sent_again"] > 0
    assert figures["slots_missed"] > 0
    assert figures["slots_skipped"] > 0
    assert figures["slots_demanded"] > 100


# -- planted in the evidence


def write_a_line_twice(evidence: Evidence) -> None:
    line = evidence.lines.read_text().splitlines(keepends=True)[0]
    evidence.lines.write_text(evidence.lines.read_text() + line)


def admit_a_slot_twice(evidence: Evidence) -> None:
    runs = list(evidence.read("runs"))
    run = next(run for run in runs if run["event_id"] and run["attempt"] == 1)
    evidence.append("runs", run | {"run_id": "run_planted"})


def forget_what_a_success_did(evidence: Evidence) -> None:
    run_id = next(r["run_id"] for r in evidence.read("runs") if r["status"] == "success")
    lines = evidence.lines.read_text().splitlines(keepends=True)
    evidence.lines.write_text("".join(line for line in lines if run_id not in line))


def forget_a_run_that_was_asked_for(evidence: Evidence) -> None:
    runs = list(evidence.read("runs"))
    gone = next(run for run in runs if run["trigger"] == "manual")
    evidence.replace("runs", [run for run in runs if run is not gone])


def forget_a_slot(evidence: Evidence) -> None:
    runs = list(evidence.read("runs"))
    settled = {"success", "error"}
    gone = next(r for r in runs if r["trigger"] == "schedule" and r["status"] in settled)
    evidence.replace("runs", [run for run in runs if run["event_id"] != gone["event_id"]])


def run_a_slot_off_the_grid(evidence: Evidence) -> None:
    runs = list(evidence.read("runs"))
    run = next(run for run in runs if run["trigger"] == "schedule")
    early = f"cron|{run['job_id']}|1000000000"
    evidence.append("runs", run | {"run_id": "run_planted", "event_id": early})


def leave_a_run_running(evidence: Evidence) -> None:
    runs = list(evidence.read("runs"))
    runs[0]["status"] = "running"
    evidence.replace("runs", runs)


def run_what_nobody_approved(evidence: Evidence) -> None:
    run = next(run for run in evidence.read("runs") if run["trigger"] == "schedule")
    evidence.append("runs", run | {"run_id": "run_planted", "trigger": "approved", "attempt": 2})


def drop_an_event(evidence: Evidence) -> None:
    events = list(evidence.read("follower-stream-1"))
    del events[len(events) // 2]
    evidence.replace("follower-stream-1", events)


def show_an_event_again(evidence: Evidence) -> None:
    events = list(evidence.read("follower-stream-1"))
    evidence.replace("follower-stream-1", [*events[:10], *events[9:]])


def change_the_stream(evidence: Evidence) -> None:
    events = list(evidence.read("follower-stream-1"))
    events[-1]["stream_id"] = "another"
    evidence.replace("follower-stream-1", events)


def leave_a_slot_out_of_the_ledger(evidence: Evidence) -> None:
    ledgers = list(evidence.read("ledgers"))
    ledgers[0]["unaccounted"] = [f"cron|{ledgers[0]['job_id']}|1"]
    evidence.replace("ledgers", ledgers)


def refuse_a_write(evidence: Evidence) -> None:
    writes = list(evidence.read("writes"))
    edit = next(w for w in writes if w["operation"] == "edit" and w["phase"] == "acknowledged")
    edit |= {"phase": "refused", "status": 404}
    evidence.replace("writes", writes)


@pytest.mark.parametrize(
    ("plant", "sort"),
    [
        (write_a_line_twice, TWICE),
        (admit_a_slot_twice, TWICE),
        (forget_what_a_success_did, LOST),
        (forget_a_run_that_was_asked_for, LOST),
        (forget_a_slot, UNACCOUNTED),
        (run_a_slot_off_the_grid, OTHER),
        (leave_a_run_running, UNACCOUNTED),
        (run_what_nobody_approved, TWICE),
        (drop_an_event, LOST),
        (show_an_event_again, TWICE),
        (change_the_stream, LOST),
        (leave_a_slot_out_of_the_ledger, UNACCOUNTED),
        (refuse_a_write, LOST),
    ],
)
def test_the_checker_finds_a_fault_that_was_planted_in_the_evidence(
    evidence: Evidence, plant: Callable[[Evidence], None], sort: str
) -> None:
    plant(evidence)
    assert sort in {fault.sort for fault in check(evidence).faults}


# -- planted in the product


def newest_seq(gateway: Gateway) -> int:
    page = httpx.get(f"{gateway.base_url}/api/v1/ops/scheduling/events?limit=1").json()
    return int(page["event_bus_seq"])


async def look_again(gateway: Gateway, evidence: Evidence) -> None:
    """Replace what the gateway had said by what it says now."""
    for name in evidence.followers():
        evidence.replace(name, [])
    line = Line(gateway.base_url)
    line.up.set()
    follower = PollingFollower("poll-0", line=line, evidence=evidence)
    follower.stop(newest_seq(gateway))
    await follower.run()
    await collect(gateway.base_url, evidence)


@pytest.mark.parametrize(
    ("statement", "sort"),
    [
        pytest.param("DELETE FROM events WHERE seq = 100", LOST, id="an event is gone"),
        pytest.param(
            "INSERT INTO runs (run_id, source, source_ref, scheduled_at, has_slot, job_version,"
            " status, trigger, attempt, priority, serial, queued_at)"
            " SELECT 'run_0', source, source_ref, scheduled_at, has_slot,"
            " job_version, status, trigger, attempt, priority, serial, queued_at"
            " FROM runs WHERE has_slot AND attempt = 1 AND status = 'success' LIMIT 1",
            TWICE,
            id="a slot has a second run",
        ),
    ],
)
def test_the_rig_finds_a_fault_that_was_planted_in_the_database(
    report: Report, evidence: Evidence, tmp_path: Path, statement: str, sort: str
) -> None:
    shutil.copytree(report.options.folder / "data", tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / "ua.db")) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()
    gateway = Gateway(tmp_path / "data")
    try:
        gateway.start()
        asyncio.run(look_again(gateway, evidence))
    finally:
        gateway.close()
    assert sort in {fault.sort for fault in check(evidence).faults}


def test_the_rig_sees_that_a_gateway_does_not_wait_for_the_disk(
    report: Report, tmp_path: Path
) -> None:
    assert report.durability is not None
    assert (report.durability.write_count, report.durability.unsynced_count) == (20, 0)
    relaxed = watch_syncs(tmp_path / "data", argv=(sys.executable, "-c", RELAXED))
    assert relaxed.unsynced_count == 20
