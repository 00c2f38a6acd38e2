"""What error bodies of servers say."""

import json
from typing import Any

import pytest

from universal_agent.runners.answers import body_words, is_quota


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
