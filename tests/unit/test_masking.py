"""Secrets are masked by value, however they are written."""

import pytest

from universal_agent.masking import Secrets, secrets_in_url, without_user
from universal_agent.settings import Settings, secrets_of

TOKEN = 'tök/en "of" 32+characters&more=x'


@pytest.fixture
def secrets() -> Secrets:
    found = Secrets()
    found.hold([TOKEN])
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"as it is: {TOKEN}",
        "in a URL: ?a=t%C3%B6k%2Fen%20%22of%22%2032%2Bcharacters%26more%3Dx",
        "in a form: ?a=t%C3%B6k%2Fen+%22of%22+32%2Bcharacters%26more%3Dx",
        'in JSON: {"a": "t\\u00f6k/en \\"of\\" 32+characters&more=x"}',
        f"in a traceback: {{'a': {TOKEN!r}}}",
        f"{TOKEN}{TOKEN} twice",
    ],
)
def test_a_secret_is_masked_in_every_form(secrets: Secrets, text: str) -> None:
    masked = secrets.mask(text)
    assert "characters" not in masked
    assert "***" in masked


def test_text_without_a_secret_stays_as_it_is(secrets: Secrets) -> None:
    assert secrets.mask("a token of more characters") == "a token of more characters"


def test_a_secret_is_masked_as_long_as_somebody_holds_it() -> None:
    secrets = Secrets()
    secrets.hold(["long-secret"])
    secrets.hold(["long-secret"])
    secrets.release(["long-secret"])
    assert secrets.mask("long-secret") == "***"
    secrets.release(["long-secret"])
    assert secrets.mask("long-secret") == "long-secret"


def test_a_short_secret_is_masked_as_a_word_and_a_tiny_one_not_at_all() -> None:
    secrets = Secrets()
    secrets.hold(["ping", "abc"])
    assert secrets.mask("ping, /ping? pinging abc") == "***, /***? pinging abc"


def test_of_two_secrets_with_one_beginning_the_longer_is_masked_whole() -> None:
    secrets = Secrets()
    secrets.hold(["abcdefgh", "abcdefghijkl"])
    assert secrets.mask("abcdefghijkl") == "***"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://hc.example/ping/0b1f6a70-1234", "0b1f6a70-1234"),
        ("https://kim:hunter22@monitor.example/", "hunter22"),
        ("https://kim:hunter22@monitor.example/", "a2ltOmh1bnRlcjIy"),
        ("https://monitor.example/?k=abcdefghij", "abcdefghij"),
        ("slack://T0KENA/T0KENB/aaaaaaaaaaaaaaaaaaaaaaaa", "T0KENA"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "123456789:abcdefg_hijklmnop"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_the_secret_parts_of_a_url_are_known(url: str, secret: str) -> None:
    assert secret in secrets_in_url(url)


def test_users_and_passwords_in_urls_are_masked_whoever_they_are() -> None:
    text = "nothing at http://kim:hunter22@127.0.0.1:1/x, mail to kim@example.org"
    assert without_user(text) == "nothing at http://***@127.0.0.1:1/x, mail to kim@example.org"


def test_a_host_and_a_port_are_no_secret() -> None:
    assert secrets_in_url("https://monitor.example:8443/") == ["https://monitor.example:8443/"]
    assert secrets_in_url("json://127.0.0.1:8080/") == ["json://127.0.0.1:8080/"]


def test_every_secret_of_the_settings_is_known_and_none_is_in_their_text() -> None:
    settings = Settings(
        ops_token="the-operators-token",
        agent_api_key="sk-of-the-agent",
        webhook_secret="of-the-webhooks",
        agent_base_url="https://user:of-the-endpoint@llm.example/v1",
        watchdog_ping_url="https://hc.example/of-the-ping",
        notify_urls=("slack://of-the-chat/x/y",),
        child_env=("OPENAI_API_KEY", "LANG"),
    )
    known = secrets_of(settings, {"OPENAI_API_KEY": "of-the-child", "LANG": "en_GB.UTF-8"})
    for secret in (
        "the-operators-token",
        "sk-of-the-agent",
        "of-the-webhooks",
        "of-the-endpoint",
        "of-the-ping",
        "of-the-chat",
        "of-the-child",
    ):
        assert secret in known
    assert "en_GB.UTF-8" not in known
    for secret in ("the-operators-token", "sk-of-the-agent", "of-the-webhooks", "of-the-ping"):
        assert secret not in repr(settings)
