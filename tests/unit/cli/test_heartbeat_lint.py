"""What does `ua heartbeat lint` say about a HEARTBEAT.md?"""

import io
import json
import sys
from pathlib import Path

import pytest

from universal_agent.cli.main import run
from universal_agent.domain.checklist import CHECKLIST_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "HEARTBEAT.md"


def test_a_checklist_without_findings_is_summed_up(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("# All day\n- [ ] disk: `true`\n- mail\n")
    assert run(["heartbeat", "lint", str(file)]) == 0
    assert capsys.readouterr().out == "ok 1 check, 1 line for an agent\n"


def test_findings_come_with_file_and_line_and_the_answer_is_no(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("\n- disk: `true`\n- [ ] load: `uptime\n")
    assert run(["heartbeat", "lint", str(file)]) == 1
    first, second, summary = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{file}:2: only an item with a check box")
    assert second.startswith(f"{file}:3: the code is not closed")
    assert summary == "warn 0 checks, 2 lines for an agent"


def test_an_empty_checklist_says_that_its_beats_are_skipped(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("# Title\n- [ ]\n")
    assert run(["heartbeat", "lint", str(file)]) == 0
    assert "empty_checklist" in capsys.readouterr().out


def test_scripts_get_the_checks_and_the_findings_as_json(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("- [ ] disk: `df -h`\n")
    assert run(["heartbeat", "lint", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["checks"] == [{"line": 1, "name": "disk", "command": "df -h"}]
    assert document["findings"] == []


def test_a_checklist_that_no_beat_would_read_is_found(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("x" * (CHECKLIST_BYTES + 1))
    assert run(["heartbeat", "lint", str(file)]) == 1
    assert f"expected at most {CHECKLIST_BYTES} bytes" in capsys.readouterr().out


def test_the_checklist_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"- [ ] disk: `true`\n")))
    assert run(["heartbeat", "lint", "-"]) == 0
    assert capsys.readouterr().out == "ok 1 check\n"


def test_a_file_that_cannot_be_read_is_named(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["heartbeat", "lint", str(file)]) == 2
    assert f"cannot read {file}" in capsys.readouterr().err
    file.write_bytes(b"\xff\xfe")
    assert run(["heartbeat", "lint", str(file)]) == 2
    assert "is not UTF-8 at byte 0" in capsys.readouterr().err
