"""What error bodies and headers of servers say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from universal_agent.runners.answers import LONGEST_WAIT, body_words, is_quota, retry_after

NOW = datetime(2026, 1, 14, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "bad model", "type": "x"}}, "bad model"),
        ({"error": "bad model"}, "bad model"),
        ({"object": "error", "message": "too long", "code": 400}, "too long"),
        ({"detail": "not found"}, "not found"),
        ({"detail": [{"loc": ["body", "model"], "msg": "field required"}]}, "field required"),
        ({"detail": {"error": "no"}}, "no"),
        ({"type": "about:blank", "title": "Too Many Requests", "status": 429}, "Too Many Requests"),
        ({"title": "Conflict", "detail": "it is locked"}, "it is locked"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, "first"),
        ({"code": 1, "msg": "busy"}, "busy"),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({"error": {"type": "overloaded_error"}}, "overloaded_error"),
        ({"odd": 1}, '{"odd": 1}'),
    ],
)
def test_the_reason_is_found_wherever_servers_put_it(body: Any, words: str) -> None:
    assert body_words(json.dumps(body)) == words


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            "<html><head><title>502 Bad\nGateway</title></head><body>x</body></html>",
            "502 Bad Gateway",
        ),
        (
            "<!DOCTYPE html><html><body><h1>Sign in</h1> to Wi-Fi &amp; more</body></html>",
            "Sign in to Wi-Fi & more",
        ),
        ("<html><style>p {}</style><script>var a</script><p>Hello</p>", "Hello"),
        ("<title></title><p>Hello", "Hello"),
    ],
)
def test_a_page_is_named_by_its_title_or_its_first_words(page: str, words: str) -> None:
    assert body_words(page) == words


def test_a_deeply_nested_body_is_no_trouble() -> None:
    assert body_words('{"error":' * 900 + "1" + "}" * 900).startswith('{"error"')


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, 1.5),
        ({"llm_provider-retry-after": "30"}, 30),
        ({"Retry-After": "Wed, 14 Jan 2026 09:01:00 GMT"}, 60),
        ({"Retry-After": "Wed, 14 Jan 2026 08:00:00 GMT"}, 0),
        ({"Retry-After": "99999999999"}, LONGEST_WAIT.total_seconds()),
        ({"Retry-After": "Wed, 14 Jan 2096 09:01:00 GMT"}, LONGEST_WAIT.total_seconds()),
        ({"Retry-After": "0"}, 0),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read_and_capped(
    headers: dict[str, str], seconds: float
) -> None:
    assert retry_after(httpx.Headers(headers), now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e99", "nan", "inf", "0x10", "9" * 400])
def test_a_wait_that_cannot_be_read_is_none(value: str) -> None:
    assert retry_after(httpx.Headers({"Retry-After": value}), now=NOW) is None


@pytest.mark.parametrize(
    ("body", "quota"),
    [
        ({"error": {"code": "insufficient_quota"}}, True),
        ({"error": {"type": "insufficient_quota", "code": None}}, True),
        ([{"error": {"code": 402}}], True),
        ({"error": {"code": "rate_limit_exceeded"}}, False),
        ({"error": "insufficient_quota"}, False),
        (None, False),
    ],
)
def test_a_quota_that_is_used_up_is_known_by_its_code(body: Any, quota: bool) -> None:
    assert is_quota(body) is quota
