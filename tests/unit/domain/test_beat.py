"""What is a beat's report, who is told of it, and in which words is it asked for and answered?"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.beat import (
    BeatReport,
    Delivery,
    KeptReport,
    SuppressedReason,
    is_hidden,
    reason_to_withhold,
    waits,
)
from universal_agent.domain.beat_words import (
    CheckFailure,
    checklist_verdict,
    news_of,
    prompt_for,
)
from universal_agent.domain.checklist import Check
from universal_agent.domain.heartbeat import DeliveryMode, HeartbeatConfig
from universal_agent.domain.heartbeat_reply import Verdict
from universal_agent.domain.system_event import SystemEvent, WakeMode, wake

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
OK = Verdict(ok_only=True, text="fine", token="HEARTBEAT_OK")
ALERT = Verdict(ok_only=False, text="disk full", token=None)


def report(verdict: Verdict, **rules: Any) -> BeatReport:
    return BeatReport.of(verdict, HeartbeatConfig(**rules), "ses_1", about=["disk"])


def event(text: str) -> SystemEvent:
    return SystemEvent(
        session_id="ses_1", event_type="mail", payload={"text": text}, created_at=NOON
    )


def kept(verdict: Verdict, delivery: Delivery | None = None) -> KeptReport:
    return KeptReport(
        run_id="run_1",
        session_id="ses_1",
        ended_at=NOON,
        report=report(verdict),
        delivery=delivery,
    )


@pytest.mark.parametrize(
    ("verdict", "rules", "told_before", "reason"),
    [
        (ALERT, {}, False, None),
        (ALERT, {}, True, "dedupe"),
        (ALERT, {"show_alerts": False}, True, "alerts_suppressed"),
        (ALERT, {"delivery_mode": DeliveryMode.NONE, "show_alerts": False}, True, "delivery_none"),
        (ALERT, {"delivery_mode": DeliveryMode.EXPLICIT}, False, "no_targets"),
        (OK, {}, False, "ok_suppressed"),
        (OK, {"show_ok": True}, True, None),
        (OK, {"delivery_mode": DeliveryMode.NONE, "show_ok": True}, False, "delivery_none"),
    ],
)
def test_each_reason_to_tell_nobody_has_its_place(
    verdict: Verdict, rules: dict[str, Any], told_before: bool, reason: str | None
) -> None:
    assert reason_to_withhold(report(verdict, **rules), told_before=told_before) == reason


def test_only_what_is_held_back_for_what_it_is_leaves_room_for_an_indicator() -> None:
    hidden = {reason for reason in SuppressedReason if is_hidden(reason)}
    assert hidden == {SuppressedReason.OK_SUPPRESSED, SuppressedReason.ALERTS_SUPPRESSED}


def test_only_alerts_wait_for_somebody_to_attach() -> None:
    nobody = Delivery(sent=False, reason=SuppressedReason.NO_CONNECTED_TARGETS)
    assert waits(report(ALERT), nobody)
    assert not waits(report(OK), nobody)
    assert not waits(report(ALERT), Delivery(sent=False, reason=SuppressedReason.DEDUPE))


def test_a_summary_has_the_shape_of_the_contract() -> None:
    assert kept(OK).summary() == {
        "run_id": "run_1",
        "session_id": "ses_1",
        "timestamp": "2026-01-14T12:00:00+00:00",
        "ok_only": True,
        "text": "fine",
        "token": "HEARTBEAT_OK",
        "sent": False,
        "artifacts": {"writes": [], "work_products": [], "bash_commands": []},
        "delivery": {
            "mode": "last",
            "targets": ["ses_1"],
            "connected_targets": [],
            "indicator_only": False,
        },
        "suppressed_reason": None,
    }


def test_an_acknowledgement_without_words_is_summed_up_by_its_token() -> None:
    summary = kept(Verdict(ok_only=True, text="", token="NO_REPLY")).summary()
    assert summary["text"] == "NO_REPLY"


@given(
    text=st.text(max_size=30),
    ok=st.booleans(),
    mode=st.sampled_from(DeliveryMode),
    seconds=st.integers(0, 10**7),
)
def test_a_report_comes_back_from_its_record_as_it_was(
    text: str, ok: bool, mode: DeliveryMode, seconds: int
) -> None:
    verdict = Verdict(ok_only=ok, text=text, token="HEARTBEAT_OK" if ok else None)
    made = report(
        verdict,
        delivery_mode=mode,
        explicit_session_ids=("a", "b"),
        dedupe_window=timedelta(seconds=seconds),
    )
    assert BeatReport.from_record(json.loads(json.dumps(made.record()))) == made


def test_an_agents_prompt_has_only_what_there_is() -> None:
    config = HeartbeatConfig(prompt="Look.")
    assert prompt_for(config, None, ()) == "Look."
    assert prompt_for(config, "- mail\n", ()) == (
        'Look.\n\n<file name="HEARTBEAT.md">\n- mail\n</file>'
    )


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_no_event_can_end_the_block_that_it_stands_in_nor_be_two_lines(texts: list[str]) -> None:
    prompt = prompt_for(HeartbeatConfig(), None, [event(text) for text in texts])
    block = prompt.split("<system_events>\n")[1].split("\n</system_events>")
    assert block[1] == ""
    assert [json.loads(line)["payload"]["text"] for line in block[0].split("\n")] == texts


def test_of_very_many_events_the_latest_are_told_and_the_others_counted() -> None:
    events = [event(f"{number} " + "x" * 1000) for number in range(50)]
    prompt = prompt_for(HeartbeatConfig(), None, events)
    assert len(prompt) < 20_000
    assert '"49 xxx' in prompt
    assert "earlier ones are left out)" in prompt


def test_one_very_long_event_is_cut_and_still_one_line_of_json() -> None:
    prompt = prompt_for(HeartbeatConfig(), None, [event("x" * 100_000)])
    line = prompt.split("<system_events>\n")[1].split("\n")[0]
    assert len(json.loads(line)["payload"]) < 2_100


def test_a_wake_is_no_news_of_its_own() -> None:
    woken = wake("ses_1", WakeMode.NOW, reason="x", by="ann", now=NOON)
    assert news_of([woken, event("hi")]) == (event("hi"),)


@pytest.mark.parametrize(
    ("checked", "failed", "agent_items", "text"),
    [
        (1, 0, 0, "1 check is fine."),
        (3, 0, 2, "3 checks are fine.\n\n(2 lines are for an agent, and none is configured.)"),
        (1, 1, 0, "1 of 1 check needs attention.\n\na: exit code 1\n    $ false\n    why"),
        (
            3,
            2,
            0,
            (
                "2 of 3 checks need attention.\n\na: exit code 1\n    $ false\n    why\n\n"
                "a: exit code 1\n    $ false\n    why"
            ),
        ),
    ],
)
def test_a_checklist_answers_in_words_that_a_person_can_act_on(
    checked: int, failed: int, agent_items: int, text: str
) -> None:
    failure = CheckFailure(check=Check("a", "false", 1), ending="exit code 1", last_lines=("why",))
    verdict = checklist_verdict(
        checked, [failure] * failed, (), agent_items=agent_items, ok_token="FINE"
    )
    assert (verdict.ok_only, verdict.text) == (failed == 0, text)
    assert verdict.token == (None if failed else "FINE")
