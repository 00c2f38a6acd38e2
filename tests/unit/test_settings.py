"""Settings are typed, and one that does not fit stops the start by its name."""

import base64
import os
import shlex
from pathlib import Path

import pytest

from universal_agent.errors import SettingsError
from universal_agent.runners.base import load_runners
from universal_agent.setting_values import FALSY, TRUTHY
from universal_agent.settings import LOOPBACK_ONLY, SHORTEST_WIDE_TOKEN, load_settings

LONG_TOKEN = "t" * SHORTEST_WIDE_TOKEN


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("UA_OPS_TOKEN", "UA_GATEWAY_HOST", "UA_DATA_DIR", "UA_SCHED_PUSH_ENABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("word", sorted(TRUTHY))
def test_every_truthy_word_switches_on_in_any_case(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UA_SCHED_PROJECTION_SHADOW", f" {word.upper()} ")
    assert load_settings().sched_projection_shadow is True


@pytest.mark.parametrize("word", sorted(FALSY))
def test_every_falsy_word_switches_off_in_any_case(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UA_SCHED_PUSH_ENABLED", word.title())
    assert load_settings().sched_push_enabled is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UA_SCHED_PUSH_ENABLED", "maybe"),
        ("NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED", "2"),
        ("UA_SCHED_EVENT_BUS_MAX", "99"),
        ("UA_CRON_MAX_CONCURRENCY", "0"),
        ("UA_CRON_MAX_CONCURRENCY", "eight"),
        ("UA_GATEWAY_PORT", "65536"),
        ("UA_LOG_LEVEL", "loud"),
        ("UA_DATABASE_URL", "mysql://here"),
        ("UA_AGENT_COMMAND", "claude -p"),
        ("UA_CONTINUITY_RESUME_SUCCESS_MIN", "1.5"),
        ("USER_TIMEZONE", "Europe/Nowhere"),
        ("UA_TIMEZONE", "Europe/Nowhere"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name_with_what_came(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: ") as refused:
        load_settings()
    assert value in str(refused.value)


@pytest.mark.parametrize("name", ["UA_WATCHDOG_PING_URL", "UA_AGENT_BASE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://kim:hunter22@[::1/",
        "http:///ping",
        "monitor.example/ping",
        "//monitor.example/ping",
        "ftp://monitor.example/ping",
        "https://monitor example/ping",
        "https://monitor.example\n/ping",
        "https://monitor..example/ping",
        "https://monitor.example:0/ping",
        "https://monitor.example:99999/ping",
        f"https://{'é' * 70}.example/",
        "https://xn--zzzz-.example/",
        "https://*/ping",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_by_name_and_not_repeated(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError, match=f"^{name}: expected a URL such as ") as refused:
        load_runners(load_settings())
    assert url not in str(refused.value)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hc.example/ping/0b1f6a70-1234",
        "http://kim:pass@monitor.example:8080/?a=b",
        "http://[::1]:8080/",
        "http://127.0.0.1/",
        "http://münchen.example/",
        "http://localhost/",
        "http://gateway_1.internal./ping",
    ],
)
def test_a_url_that_can_be_used_is_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UA_WATCHDOG_PING_URL", url)
    assert load_settings().watchdog_ping_url == url


def test_what_is_no_notification_url_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UA_NOTIFY_URLS", "slack://TOKEN/a/b, hunter22")
    with pytest.raises(SettingsError, match=r"^UA_NOTIFY_URLS: .* number 2") as refused:
        load_settings()
    assert "hunter22" not in str(refused.value)


def test_a_database_url_is_repeated_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UA_DATABASE_URL", "postgresql://kim:hunter22@db/ua")
    with pytest.raises(SettingsError, match=r"got 'postgresql://\*\*\*@db/ua'"):
        load_settings()


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_token_file_without_a_token_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ops_token").write_bytes(content)
    with pytest.raises(SettingsError, match="ops_token: expected a token"):
        load_settings(data_dir=tmp_path)


@pytest.mark.parametrize("token", [f"{LONG_TOKEN}\nmore", "tab\tin it", f" {LONG_TOKEN}", "  "])
def test_a_token_that_no_header_can_carry_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("UA_OPS_TOKEN", token)
    with pytest.raises(SettingsError, match=r"^UA_OPS_TOKEN: expected one line"):
        load_settings()


def test_a_token_file_that_is_not_asked_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ops_token").write_text("")
    assert load_settings(data_dir=tmp_path, with_token_file=False).ops_token == ""
    monkeypatch.setenv("UA_OPS_TOKEN", LONG_TOKEN)
    assert load_settings(data_dir=tmp_path).ops_token == LONG_TOKEN


def test_a_token_says_whether_it_is_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ops_token").write_text("from-the-file\n")
    settings = load_settings(data_dir=tmp_path)
    assert (settings.ops_token, settings.source("ops_token")) == ("from-the-file", "default")
    monkeypatch.setenv("UA_OPS_TOKEN", "from-the-environment")
    settings = load_settings(data_dir=tmp_path)
    assert settings.source("ops_token") == "environment"


@pytest.mark.parametrize("token_in", ["environment", "file"])
@pytest.mark.parametrize("form", ["plain", "spaced", "prefixed", "encoded", "bare base64"])
def test_a_webhook_secret_that_is_the_token_is_refused_wherever_they_come_from(
    token_in: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = base64.b64encode(LONG_TOKEN.encode()).decode()
    secret = {
        "plain": LONG_TOKEN,
        "spaced": f" {LONG_TOKEN}\n",
        "prefixed": f"whsec_{LONG_TOKEN}",
        "encoded": f"whsec_{encoded}",
        "bare base64": encoded,
    }[form]
    monkeypatch.setenv("UA_WEBHOOK_SECRET", secret)
    if token_in == "file":
        (tmp_path / "ops_token").write_text(f"{LONG_TOKEN}\n")
    else:
        monkeypatch.setenv("UA_OPS_TOKEN", LONG_TOKEN)
    with pytest.raises(SettingsError, match=r"^UA_WEBHOOK_SECRET: ") as refused:
        load_settings(data_dir=tmp_path)
    assert LONG_TOKEN not in str(refused.value)


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UA_LOG_LEVEL", "loud")
    monkeypatch.setenv("UA_GATEWAY_PORT", "high")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "UA_LOG_LEVEL: " in str(refused.value)
    assert "UA_GATEWAY_PORT: " in str(refused.value)


def test_an_empty_value_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UA_GATEWAY_PORT", "")
    assert load_settings().gateway_port == 8002


def test_the_token_in_the_data_directory_counts_when_none_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ops_token").write_text("from the file\n", encoding="utf-8")
    assert load_settings(data_dir=tmp_path).ops_token == "from the file"
    monkeypatch.setenv("UA_OPS_TOKEN", "from the environment")
    assert load_settings(data_dir=tmp_path).ops_token == "from the environment"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "gateway.lan"])
def test_other_machines_are_let_in_only_with_a_token_that_cannot_be_guessed(host: str) -> None:
    with pytest.raises(SettingsError, match="so UA_OPS_TOKEN must be set"):
        load_settings(gateway_host=host)
    with pytest.raises(SettingsError, match=r"expected at least 32 characters.*got 31") as refused:
        load_settings(gateway_host=host, ops_token=LONG_TOKEN[1:])
    assert LONG_TOKEN[1:] not in str(refused.value)
    assert load_settings(gateway_host=host, ops_token=LONG_TOKEN).gateway_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert load_settings(gateway_host=host, allowed_hosts=(host,)).opened_by is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UA_ALLOWED_HOSTS", "agents.example.org"),
        ("UA_ALLOWED_HOSTS", "localhost agents.example.org:8443"),
        ("UA_ALLOWED_HOSTS", "192.0.2.7"),
        ("UA_PUBLIC_URL", "https://agents.example.org/ua/"),
        ("UA_TRUSTED_PROXIES", "127.0.0.1"),
    ],
)
def test_a_name_for_others_and_a_proxy_need_a_token_as_a_wide_address_does(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"{name}=.*so UA_OPS_TOKEN must be set"):
        load_settings()
    with pytest.raises(SettingsError, match=rf"at least 32 characters.*\({name}=.*got 31"):
        load_settings(ops_token=LONG_TOKEN[1:])
    assert load_settings(ops_token=LONG_TOKEN).ops_token == LONG_TOKEN
    assert load_settings(**LOOPBACK_ONLY).opened_by is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UA_TRUSTED_PROXIES", "proxy.example.org"),
        ("UA_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("UA_PUBLIC_URL", "agents.example.org/ua"),
        ("UA_PUBLIC_URL", "ftp://agents.example.org/"),
        ("UA_PUBLIC_URL", "https://agents.example.org/a/../b"),
        ("UA_PUBLIC_URL", "https://agents.example.org/ua?x=1"),
        ("UA_PUBLIC_URL", "https://agents.example.org:x/"),
        ("UA_PUBLIC_URL", "https://agents.example.org/a b"),
    ],
)
def test_an_address_of_a_proxy_that_is_none_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: expected .* such as .*, got "):
        load_settings(ops_token=LONG_TOKEN)


def test_webhooks_are_signed_with_a_secret_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UA_OPS_TOKEN", LONG_TOKEN)
    monkeypatch.setenv("UA_WEBHOOK_SECRET", LONG_TOKEN)
    with pytest.raises(SettingsError, match=r"^UA_WEBHOOK_SECRET: ") as refused:
        load_settings()
    assert LONG_TOKEN not in str(refused.value)


def test_a_tilde_is_the_home_of_this_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UA_DATA_DIR", "~/data")
    monkeypatch.setenv("UA_WORKSPACES_DIR", "~/work")
    monkeypatch.setenv("UA_DATABASE_URL", "sqlite:///~/db/ua.db")
    monkeypatch.setenv("UA_AGENT_COMMAND", "~/bin/agent --home ~/agents -p '{prompt}' '~'")
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.workspaces_root == tmp_path / "work"
    assert settings.database_path == tmp_path / "db" / "ua.db"
    assert shlex.split(settings.agent_command) == [
        f"{tmp_path}/bin/agent",
        "--home",
        f"{tmp_path}/agents",
        "-p",
        "{prompt}",
        str(tmp_path),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UA_DATA_DIR", "~nobody-has-this-name/x"),
        ("UA_DATABASE_URL", "sqlite:///~nobody-has-this-name/x"),
        ("UA_AGENT_COMMAND", "~nobody-has-this-name/agent {prompt}"),
    ],
)
def test_the_home_of_nobody_is_refused_by_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"{name}.*no such home"):
        load_settings()


def test_a_token_file_that_is_no_text_or_no_file_is_a_clear_error(tmp_path: Path) -> None:
    token = tmp_path / "ops_token"
    token.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="expected a token in UTF-8"):
        load_settings(data_dir=tmp_path)
    token.unlink()
    os.mkfifo(token)
    with pytest.raises(SettingsError, match="is a pipe"):
        load_settings(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("given", "jobs", "pages", "source"),
    [
        ({}, "Europe/Berlin", "Europe/Berlin", "host"),
        ({"UA_TIMEZONE": "Asia/Tokyo"}, "Asia/Tokyo", "Asia/Tokyo", "UA_TIMEZONE"),
        ({"USER_TIMEZONE": "Asia/Tokyo"}, "Europe/Berlin", "Asia/Tokyo", "host"),
    ],
)
def test_one_zone_is_the_default_of_everything_but_pages_that_have_their_own(
    given: dict[str, str], jobs: str, pages: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.default_timezone, settings.page_timezone) == (jobs, pages)
    assert settings.default_timezone_source == source


def test_a_zone_of_the_host_that_is_unknown_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert load_settings().default_timezone != "CET-1CEST"
