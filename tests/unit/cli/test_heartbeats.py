"""What do `ua heartbeat status`, `last`, `wake` and `suppressed` say?"""

from typing import Any

import pytest

from tests.unit.cli.gateways import invocation_with
from universal_agent.cli.heartbeats import last, status, suppressed, wake

LAST = "/api/v1/heartbeat/last"


def summary(**given: Any) -> dict[str, Any]:
    return {
        "session_id": "ses_1",
        "timestamp": "2026-01-14T12:00:00+00:00",
        "text": "disk: exit code 1\n    $ df",
        "sent": False,
        "suppressed_reason": "no_connected_targets",
        "delivery": {"connected_targets": []},
        **given,
    }


def heartbeat(**given: Any) -> dict[str, Any]:
    return {
        "session_id": "ses_1",
        "last_run": 1768392000.0,
        "next_run": 1768393500.0,
        "last_summary": summary(),
        "busy": False,
        "enabled": True,
        "off_label": None,
        "config_error": None,
        "schedule": {
            "description": "every 25 minutes",
            "active_hours": "08:00-22:00",
            "timezone": "UTC",
        },
        "delivery": {"mode": "last"},
        **given,
    }


def test_each_heartbeat_is_a_line_with_what_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    beats = {
        "ses_1": heartbeat(),
        "ses_2": heartbeat(enabled=False, off_label="auto_paused", last_summary=None),
    }
    status(invocation_with({LAST: {"heartbeats": beats}}))
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["ses_1", "enabled"]
    assert first.endswith("disk: exit code 1     $ df")
    assert second.split()[:2] == ["ses_2", "auto_paused"]


def test_without_sessions_there_is_nothing_to_list(capsys: pytest.CaptureFixture[str]) -> None:
    status(invocation_with({LAST: {"heartbeats": {}}}))
    assert capsys.readouterr().out == "No session has a heartbeat yet.\n"


def test_a_heartbeat_is_shown_with_who_was_told_and_what_is_wrong_with_its_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    last(invocation_with({LAST: heartbeat(busy=True, config_error="every: expected ...")}), "ses_1")
    text = capsys.readouterr().out
    assert "status        running\n" in text
    assert "active hours  08:00-22:00 UTC\n" in text
    assert "problem       HEARTBEAT.json: every: expected ...\n" in text
    assert "told          nobody: no_connected_targets\n" in text
    assert text.endswith("\ndisk: exit code 1\n    $ df\n")


def test_a_report_that_was_sent_says_to_whom(capsys: pytest.CaptureFixture[str]) -> None:
    sent = summary(sent=True, delivery={"connected_targets": ["a", "b"]})
    last(invocation_with({LAST: heartbeat(last_summary=sent)}), "ses_1")
    assert "told          sent to a, b\n" in capsys.readouterr().out


def test_what_was_held_back_comes_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/api/v1/heartbeat/suppressed"
    suppressed(invocation_with({path: {"suppressed": [summary()]}}))
    assert "ses_1    no_connected_targets  disk: exit code 1" in capsys.readouterr().out
    suppressed(invocation_with({path: {"suppressed": []}}))
    assert capsys.readouterr().out == "Nothing was held back.\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"session_id": "ses_1", "mode": "now"}, "ok ses_1: as soon as it is free\n"),
        ({"count": 3, "mode": "next"}, "ok 3 sessions: with the next beat\n"),
    ],
)
def test_a_wake_says_who_was_woken_and_when(
    answer: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wake(invocation_with({"/api/v1/heartbeat/wake": answer}))
    assert capsys.readouterr().out == said
