"""One brief round of each fault that `./ua chaos faults` brings about, and faults it must find.

F1's short form is in test_chaos, F6's in test_crashes, F7's in tests/unit/domain.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from chaos.__main__ import app
from chaos.checker import LOST, OTHER, TWICE, Fault
from chaos.faults import disk_error, lost_result, repeats
from chaos.faults.site import Site
from chaos.faults.table import ROWS
from chaos.faults.trial import Assignment, Round, in_rounds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 7


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        pytest.param("F3", 2, id="F3-the-disk-fails-for-ever-and-once"),
        pytest.param("F4", 1, id="F4-the-disk-is-full"),
        pytest.param("F5", 2, id="F5-the-clock-is-set-forward-and-back"),
        pytest.param("F8", 1, id="F8-off-for-ninety-days"),
        pytest.param("F16", 1, id="F16-runaway-children"),
        pytest.param("F17", 1, id="F17-a-crowd-behind-one-worker"),
        pytest.param("F19", 1, id="F19-a-damaged-database"),
        pytest.param("F22", 1, id="F22-fifty-approvals-at-once"),
        pytest.param("F25", 2, id="F25-the-clock-runs-ahead-and-is-put-right"),
        pytest.param("F26", 1, id="F26-a-zone-has-other-rules"),
        pytest.param("F23", 1, id="F23-a-crash-before-an-end-is-recorded"),
        pytest.param("F24", 1, id="F24-files-are-taken-away"),
        pytest.param("F27", 1, id="F27-clients-that-never-read"),
        pytest.param("F28", 1, id="F28-decisions-repeated-after-a-kill"),
    ],
)
def test_under_each_fault_nothing_is_lost_twice_or_unaccounted(
    tmp_path: Path, name: str, rounds: int
) -> None:
    outcome = ROWS[name].work(Assignment(tmp_path, rounds, SEED, brief=True))
    assert outcome.faults == []


# -- what the rows must find


def test_a_write_that_goes_through_though_the_disk_fails_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_error, "ERROR", "inject=fdatasync:delay_exit=1")
    outcome = in_rounds(disk_error.trial)(Assignment(tmp_path, 1, SEED, brief=True))
    assert {fault.sort for fault in outcome.faults} >= {LOST, OTHER}


def test_a_job_that_is_gone_after_the_crash_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Site.account

    def without_a_job(at: Site) -> Any:
        at.ask("DELETE", f"/api/v1/cron/jobs/{at.jobs[0]['job_id']}")
        return account(at)

    monkeypatch.setattr(Site, "account", without_a_job)
    outcome = in_rounds(lost_result.trial)(Assignment(tmp_path, 1, SEED, brief=True))
    assert [fault.sort for fault in outcome.faults] == [LOST]


def test_an_effect_that_is_there_twice_after_a_kill_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "KEY", "X-No-Key")
    outcome = in_rounds(repeats.trial)(Assignment(tmp_path, 1, SEED, brief=True))
    assert {fault.sort for fault in outcome.faults} >= {TWICE, OTHER}


def test_a_round_that_cannot_go_on_is_a_fault(tmp_path: Path) -> None:
    def trial(this: Round) -> Any:
        yield Fault(LOST, "something")
        raise TimeoutError("never came true: anything")

    outcome = in_rounds(trial)(Assignment(tmp_path, 1, SEED))
    assert outcome.faults == [
        Fault(LOST, "round 1: something"),
        Fault(OTHER, "round 1: TimeoutError: never came true: anything"),
    ]


def test_a_figure_over_its_limit_is_a_fault_of_the_long_form_alone(tmp_path: Path) -> None:
    work = in_rounds(lambda this: this.measure("seconds", 2.0, limit=1))
    assert work(Assignment(tmp_path / "brief", 1, SEED, brief=True)).faults == []
    assert work(Assignment(tmp_path / "long", 1, SEED)).count(OTHER) == 1


# -- the command


def test_the_command_lists_every_fault_with_its_rounds() -> None:
    listed = CliRunner().invoke(app, ["faults"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == list(ROWS)


def test_an_unknown_fault_is_refused_with_those_there_are() -> None:
    refused = CliRunner().invoke(app, ["faults", "F99"])
    assert refused.exit_code == 2
    assert "F23" in refused.output


def test_all_stands_for_every_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trial(this: Round) -> Any:
        yield from this.measure("seconds", 1.0)

    for name in ROWS:
        monkeypatch.setitem(ROWS, name, type(ROWS[name])(name, "nothing", 1, in_rounds(trial)))
    done = CliRunner().invoke(app, ["faults", "all", "--folder", str(tmp_path)])
    assert done.exit_code == 0
    rows = orjson.loads((tmp_path / "report.json").read_bytes())["rows"]
    assert [row["row"] for row in rows] == list(ROWS)


def test_the_report_has_rounds_seed_and_counts_of_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(this: Round) -> Any:
        yield from this.measure("seconds", this.rng.random())

    monkeypatch.setitem(ROWS, "F0", type(ROWS["F3"])("F0", "nothing", 3, in_rounds(trial)))
    out = tmp_path / "report.json"
    arguments = ["faults", "F0", "--seed", "7", "--folder", str(tmp_path), "--out-json", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "F0: 3 rounds, seed 7: 0 lost, 0 twice, 0 unaccounted" in done.stdout
    (row,) = orjson.loads(out.read_bytes())["rows"]
    assert (row["rounds"], row["seed"], row["ok"]) == (3, 7, True)
    assert (row["lost"], row["twice"], row["unaccounted"], row["other"]) == (0, 0, 0, 0)
    assert 0 < row["figures"]["seconds"]["median"] <= row["figures"]["seconds"]["max"] < 1
