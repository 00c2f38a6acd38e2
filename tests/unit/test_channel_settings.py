"""UA_NOTIFY_CHANNELS: what is accepted, and what is said about the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from universal_agent.channel_settings import ChannelSetting
from universal_agent.clock import SystemClock
from universal_agent.engine.channels import build_channels
from universal_agent.errors import SettingsError
from universal_agent.settings import Settings, load_settings, secrets_of

HOOK = "https://hooks.example.org/in/abcdefgh-secret-path"


def loaded(monkeypatch: pytest.MonkeyPatch, value: str) -> Settings:
    monkeypatch.setenv("UA_NOTIFY_CHANNELS", value)
    return load_settings(with_token_file=False)


def refusal(monkeypatch: pytest.MonkeyPatch, *entries: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        build_channels(loaded(monkeypatch, json.dumps(entries)), SystemClock())
    return str(refused.value)


def test_a_list_of_channels_is_read_with_its_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    value = json.dumps([{"name": "ops", "webhook": HOOK}])
    assert loaded(monkeypatch, value).notify_channels == (ChannelSetting(name="ops", webhook=HOOK),)


def test_a_file_may_hold_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "channels.json"
    file.write_text(json.dumps([{"name": "ops", "webhook": HOOK}]), encoding="utf-8")
    assert loaded(monkeypatch, str(file)).notify_channels[0].name == "ops"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"UA_NOTIFY_CHANNELS: expected .* got '/nowhere'"):
        loaded(monkeypatch, "/nowhere")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise imports it
@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"webhook": HOOK}, "channel 1: expected a name"),
        ({"name": "a b", "webhook": HOOK}, "channel 1: expected a name"),
        ({"name": "ops"}, "got neither"),
        ({"name": "ops", "webhook": HOOK, "url": "json://h/"}, "got both"),
        ({"name": "ops", "webhook": HOOK, "sever": "info"}, "expected one of name, url"),
        ({"name": "ops", "webhook": HOOK, "severity": "fatal"}, "expected a severity of info"),
        ({"name": "ops", "webhook": HOOK, "urgent": "yes"}, "expected true or false as urgent"),
        ({"name": "ops", "webhook": HOOK, "timezone": "Mars/Base"}, "expected an IANA zone"),
        ({"name": "ops", "webhook": HOOK, "quiet_hours": "22-7"}, "quiet_hours: expected"),
        ({"name": "ops", "webhook": HOOK, "digest": "25:00"}, "digest: expected"),
        ({"name": "ops", "webhook": HOOK, "secret": "whsec_!!"}, "expected a secret in base64"),
        ({"name": "ops", "webhook": "ftp://example.org/x"}, "expected a URL such as https"),
        ({"name": "ops", "url": "nothing://abcdefgh-secret-path"}, "does not understand"),
        ({"name": "ops", "url": "json://h/", "secret": "s"}, "expected secret only with webhook"),
        ("ops", "channel 1: expected an object"),
    ],
)
def test_what_is_wrong_is_named_without_repeating_a_secret(
    monkeypatch: pytest.MonkeyPatch, entry: Any, expected: str
) -> None:
    said = refusal(monkeypatch, entry)
    assert said.startswith("UA_NOTIFY_CHANNELS: ")
    assert expected in said
    assert "abcdefgh-secret-path" not in said


def test_two_channels_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"name": "ops", "webhook": HOOK}, {"name": "Ops", "webhook": HOOK}]
    assert "expected names that differ, got 'ops' twice" in refusal(monkeypatch, *entries)


@pytest.mark.parametrize("value", ["[", "[1", "[" * 100_000, "{}"])
def test_what_is_no_list_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(SettingsError, match="UA_NOTIFY_CHANNELS: expected a JSON list"):
        loaded(monkeypatch, value)


def test_addresses_and_secrets_of_channels_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"name": "ops", "webhook": HOOK, "secret": "whsec_c2VjcmV0LXNlY3JldA=="}
    secrets = secrets_of(loaded(monkeypatch, json.dumps([entry])), {})
    assert {HOOK, "whsec_c2VjcmV0LXNlY3JldA==", "c2VjcmV0LXNlY3JldA=="} <= set(secrets)
