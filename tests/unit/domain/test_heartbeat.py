"""How do the settings and a HEARTBEAT.json say how heartbeats behave?"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.heartbeat import (
    DeliveryMode,
    HeartbeatConfig,
    overridden,
)
from universal_agent.errors import InvalidInput, SettingsError
from universal_agent.runners.heartbeat_settings import config_from
from universal_agent.settings import load_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("UA_DATA_DIR", str(tmp_path))
    return monkeypatch


def test_the_defaults_of_the_settings_are_those_of_the_config(
    environment: pytest.MonkeyPatch,
) -> None:
    assert config_from(load_settings()) == HeartbeatConfig(timezone="UTC")


def test_every_setting_of_the_heartbeat_is_read(environment: pytest.MonkeyPatch) -> None:
    given = {
        "UA_HEARTBEAT_INTERVAL": "1h30m",
        "UA_HEARTBEAT_ACTIVE_HOURS": "22:00-06:00",
        "UA_HEARTBEAT_TIMEZONE": "Europe/Berlin",
        "UA_HEARTBEAT_OK_TOKENS": "FINE, GOOD",
        "UA_HEARTBEAT_ACK_MAX_CHARS": "5",
        "UA_HEARTBEAT_REQUIRE_FILE": "yes",
        "UA_HEARTBEAT_PROMPT": "Look around.",
        "UA_HEARTBEAT_EXEC_TIMEOUT": "7",
        "UA_HB_DELIVERY_MODE": "explicit",
        "UA_HB_EXPLICIT_SESSION_IDS": "one,two",
        "UA_HB_SHOW_OK": "true",
        "UA_HB_SHOW_ALERTS": "off",
        "UA_HB_DEDUPE_WINDOW": "60",
        "UA_HB_USE_INDICATOR": "1",
    }
    for name, value in given.items():
        environment.setenv(name, value)
    assert config_from(load_settings()) == HeartbeatConfig(
        every=timedelta(minutes=90),
        active_hours=ActiveHours(22 * 60, 6 * 60),
        timezone="Europe/Berlin",
        prompt="Look around.",
        ok_tokens=("FINE", "GOOD"),
        ack_max_chars=5,
        require_file=True,
        exec_timeout_seconds=7,
        delivery_mode=DeliveryMode.EXPLICIT,
        explicit_session_ids=("one", "two"),
        show_ok=True,
        show_alerts=False,
        dedupe_window=timedelta(minutes=1),
        use_indicator=True,
    )


def test_one_end_of_the_active_hours_is_enough(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UA_HEARTBEAT_ACTIVE_START", "09:00")
    assert str(config_from(load_settings()).active_hours) == "09:00-24:00"
    environment.delenv("UA_HEARTBEAT_ACTIVE_START")
    environment.setenv("UA_HEARTBEAT_ACTIVE_END", "17:30")
    assert str(config_from(load_settings()).active_hours) == "00:00-17:30"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UA_HEARTBEAT_EVERY", "99999999999 days"),
        ("UA_HEARTBEAT_EVERY", "now and then"),
        ("UA_HEARTBEAT_ACTIVE_HOURS", "08:00-08:00"),
        ("UA_HEARTBEAT_ACTIVE_START", "8am"),
        ("UA_HEARTBEAT_ACTIVE_END", "00:00"),
        ("UA_HEARTBEAT_TIMEZONE", "Mars/Olympus"),
        ("UA_HEARTBEAT_OK_TOKENS", "all-is-well"),
        ("UA_HEARTBEAT_ACK_MAX_CHARS", "-1"),
        ("UA_HEARTBEAT_ACK_MAX_CHARS", "10001"),
        ("UA_HEARTBEAT_REQUIRE_FILE", "perhaps"),
        ("UA_HEARTBEAT_EXEC_TIMEOUT", "0"),
        ("UA_HB_DELIVERY_MODE", "everybody"),
        ("UA_HB_EXPLICIT_SESSION_IDS", "../other"),
        ("UA_HB_SHOW_OK", "2"),
        ("UA_HB_DEDUPE_WINDOW", "a day"),
        ("UA_HB_USE_INDICATOR", "perhaps"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        config_from(load_settings())


def test_active_hours_are_not_said_twice(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("UA_HEARTBEAT_ACTIVE_HOURS", "08:00-22:00")
    environment.setenv("UA_HEARTBEAT_ACTIVE_END", "23:00")
    with pytest.raises(SettingsError, match="UA_HEARTBEAT_ACTIVE_HOURS: expected it alone"):
        config_from(load_settings())


def test_a_heartbeat_json_overrides_what_it_names_and_nothing_else() -> None:
    base = HeartbeatConfig(ack_max_chars=7, active_hours=ActiveHours(60, 120))
    text = json.dumps(
        {
            "every": "10m",
            "active_hours": None,
            "timezone": "Asia/Tokyo",
            "delivery": {"mode": "none"},
            "visibility": {"show_ok": True, "dedupe_window_seconds": 0},
        }
    )
    assert overridden(base, text) == HeartbeatConfig(
        every=timedelta(minutes=10),
        timezone="Asia/Tokyo",
        ack_max_chars=7,
        delivery_mode=DeliveryMode.NONE,
        show_ok=True,
        dedupe_window=timedelta(0),
    )
    assert overridden(base, "{}") == base


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"every": "99999999999 days"}, "every"),
        ({"every": 1500}, "every"),
        ({"every": "0 minutes"}, "every"),
        ({"active_hours": "08:00-08:00"}, "active_hours"),
        ({"active_hours": ["08:00", "22:00"]}, "active_hours"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 20_000}, "prompt"),
        ({"ok_tokens": []}, "ok_tokens"),
        ({"ok_tokens": "HEARTBEAT_OK"}, "ok_tokens"),
        ({"ok_tokens": [""]}, "ok_tokens"),
        ({"ack_max_chars": True}, "ack_max_chars"),
        ({"ack_max_chars": 1e9}, "ack_max_chars"),
        ({"exec_timeout_seconds": 0}, "exec_timeout_seconds"),
        ({"delivery": "none"}, "delivery"),
        ({"delivery": {"mode": "loud"}}, "delivery.mode"),
        ({"delivery": {"explicit_session_ids": ["../other"]}}, "delivery.explicit_session_ids"),
        ({"visibility": {"show_ok": "yes"}}, "visibility.show_ok"),
        ({"visibility": {"dedupe_window_seconds": -1}}, "visibility.dedupe_window_seconds"),
        ({"visibility": {"shown": True}}, "visibility.shown"),
        ({"intervall": "5m"}, "intervall"),
        ({"delivery.mode": "none"}, "'delivery.mode'"),
    ],
)
def test_pitfalls_22_and_24_a_bad_heartbeat_json_is_refused_by_the_name_of_its_key(
    said: dict[str, Any], key: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        overridden(HeartbeatConfig(), json.dumps(said))
    assert refused.value.field == key
    assert refused.value.message.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", "[" * 60_000, " " * 70_000, '{"every": "1m", "every": "2m"}']
)
def test_a_heartbeat_json_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        overridden(HeartbeatConfig(), text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_KEYS = st.sampled_from(
    ["every", "active_hours", "timezone", "ok_tokens", "delivery", "visibility", "prompt"]
)


@given(st.dictionaries(_KEYS | st.text(max_size=8), _JSON, max_size=4))
def test_whatever_a_heartbeat_json_says_it_is_a_config_or_refused(said: dict[str, Any]) -> None:
    try:
        config = overridden(HeartbeatConfig(), json.dumps(said))
    except InvalidInput:
        return
    assert config.is_active(datetime(2026, 1, 1, tzinfo=UTC)) in (True, False)
