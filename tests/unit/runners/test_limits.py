"""The class of responses that are not a success, and the time of return that they name."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.runners.limits import classify_document, classify_response
from universal_agent.runners.said_reset import LONGEST_WAIT, reset_in_text

NOW = datetime(2026, 1, 14, 9, tzinfo=UTC)
RATE, QUOTA = EndClass.RATE_LIMITED, EndClass.QUOTA
AWAY, REFUSED = EndClass.UNREACHABLE, EndClass.REFUSED


def classified(
    status: int, headers: dict[str, str] | None = None, body: Any = "", host: str = "api.example"
) -> tuple[EndClass | None, float | None]:
    """The class, and the seconds until the time that is named."""
    text = body if isinstance(body, str) else json.dumps(body)
    ending = classify_response(status, httpx.Headers(headers or {}), text, host=host, now=NOW)
    if ending is None:
        return None, None
    return ending.kind, None if ending.until is None else (ending.until - NOW).total_seconds()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, None), (401, REFUSED), (402, REFUSED), (403, REFUSED), (404, None), (408, None),
        (409, None), (422, None), (429, RATE), (500, None), (501, None), (502, AWAY), (503, AWAY),
        (504, AWAY), (522, AWAY), (529, AWAY), (301, None),
    ],
)  # fmt: skip
def test_the_status_alone_gives_the_class(status: int, kind: EndClass | None) -> None:
    assert classified(status) == (kind, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, 1.5),
        ({"llm_provider-retry-after": "30"}, 30),
        ({"Retry-After": "Wed, 14 Jan 2026 09:01:00 GMT"}, 60),
        ({"Retry-After": "2026-01-14T09:01:00Z"}, 60),
        ({"Retry-After": "Wed, 14 Jan 2026 08:00:00 GMT"}, 0),
        ({"Retry-After": "99999999999"}, LONGEST_WAIT.total_seconds()),
        ({"Retry-After": "Wed, 14 Jan 2096 09:01:00 GMT"}, LONGEST_WAIT.total_seconds()),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "9" * 400}, None),
        # OpenAI: a duration for each allowance, of which one is used up.
        (
            {
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "9h",
            },
            360,
        ),
        ({"x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"x-ratelimit-reset-requests": "340ms"}, 0.34),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "6m"}, None),
        # Anthropic: instants.
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-01-14T09:02:00Z",
                "anthropic-ratelimit-tokens-remaining": "5000",
                "anthropic-ratelimit-tokens-reset": "2026-01-14T12:00:00Z",
                "retry-after": "100",
            },
            120,
        ),
        # Epoch seconds (GitHub), epoch milliseconds, seconds to wait.
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1768381260"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1768381260000"}, 60),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "60"}, 60),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"ratelimit": '"default";r=0;t=50'}, 50),
        ({"ratelimit": '"default";r=4;t=50'}, None),
    ],
)  # fmt: skip
def test_the_time_of_return_is_read_from_the_headers_and_capped(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert classified(429, headers) == (RATE, seconds)


@pytest.mark.parametrize(
    ("status", "body", "kind", "seconds"),
    [
        # OpenAI
        (429, {"error": {"message": "Rate limit reached for m. Please try again in 6m0s.",
                         "type": "requests", "code": "rate_limit_exceeded"}}, RATE, 360),
        (429, {"error": {"message": "Please try again in 340ms. Visit x"}}, RATE, 0.34),
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded"}}, QUOTA, None),
        (429, {"error": {"type": "usage_limit_reached", "message": "The usage limit has been "
                         "reached", "resets_at": 1768388400, "resets_in_seconds": 7200}},
         QUOTA, 7200),
        # Anthropic
        (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "exceed"}},
         RATE, None),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, AWAY, None),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit "
               "balance is too low to access the Anthropic API."}}, QUOTA, None),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}},
         None, None),
        # Gemini
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded "
                "your current quota. Please retry in 34.07s.", "details": [
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}}],
         RATE, 34.07),
        (429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject-FreeTier"}]}]}},
         QUOTA, None),
        (429, {"error": {"message": "m", "details": [
            {"quotaResetDelay": "2h3m4s", "quotaResetTimeStamp": "2026-01-14T11:03:04Z"}]}},
         RATE, 7384),
        # OpenRouter
        (429, {"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-day",
               "metadata": {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0",
                                        "X-RateLimit-Reset": "1768388400000"}}}}, QUOTA, 7200),
        # others
        (429, {"detail": "slow down", "retry_after": 12}, RATE, 12),
        (429, {"retry_after_ms": 1500}, RATE, 1.5),
        (429, {"error": {"message": "Weekly limit reached, resets at 2026-01-16T09:00:00Z"}},
         QUOTA, 172800),
        (429, "Too many requests, retry after 90 seconds", RATE, 90),
        (503, "back in a moment", AWAY, None),
        (403, {"message": "API rate limit exceeded", "retry_after": 30}, RATE, 30),
        (403, {"error": {"code": "insufficient_quota"}}, QUOTA, None),
        (500, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, AWAY, None),
    ],
)  # fmt: skip
def test_error_documents_of_real_endpoints_are_read(
    status: int, body: Any, kind: EndClass | None, seconds: float | None
) -> None:
    assert classified(status, body=body) == (kind, seconds)


@pytest.mark.parametrize(("code", "kind"), [("1310", QUOTA), ("1308", QUOTA), ("1302", RATE)])
def test_times_of_z_ai_are_those_of_its_own_zone(code: str, kind: EndClass) -> None:
    message = "Limit Exhausted. Your limit will reset at 2026-01-14 18:00:00"
    body = {"error": {"code": code, "message": message if kind is QUOTA else "too many"}}
    seconds = 3600 if kind is QUOTA else None
    assert classified(429, body=body, host="api.z.ai") == (kind, seconds)
    elsewhere = 9 * 3600 if kind is QUOTA else None
    assert classified(429, body=body, host="gateway.example") == (kind, elsewhere)


def test_a_subscription_whose_window_is_used_up_is_a_quota() -> None:
    headers = {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": "1768388400",
        "anthropic-ratelimit-unified-5h-status": "rejected",
        "anthropic-ratelimit-unified-5h-reset": "1768388400",
        "anthropic-ratelimit-unified-7d-status": "allowed",
        "anthropic-ratelimit-unified-7d-reset": "1768900000",
    }
    assert classified(429, headers) == (QUOTA, 7200)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [({"x-ratelimit-remaining": "0"}, RATE), ({"x-ratelimit-remaining": "7"}, REFUSED)],
)
def test_a_403_about_a_used_up_rate_is_no_refusal(headers: dict[str, str], kind: EndClass) -> None:
    assert classified(403, headers)[0] is kind


@pytest.mark.parametrize(
    ("document", "ending"),
    [
        ({"error": {"type": "overloaded_error"}}, Ending(kind=AWAY)),
        (
            {"error": {"code": 429, "retry_after": 5}},
            Ending(kind=RATE, until=NOW + timedelta(seconds=5)),
        ),
        ({"error": {"code": "insufficient_quota"}}, Ending(kind=QUOTA)),
        ({"error": {"type": "authentication_error"}}, Ending(kind=REFUSED)),
        ({"error": {"code": 500, "message": "boom"}}, None),
        ({"error": {"message": "reset at 2026-01-15T00:00:00Z"}}, None),
        (None, None),
    ],
)
def test_an_error_within_a_reply_is_classified_by_its_codes(
    document: Any, ending: Ending | None
) -> None:
    said = json.dumps(document)
    assert classify_document(document, said, host="api.example", now=NOW) == ending


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Claude AI usage limit reached|1768388400", "2026-01-14T11:00:00"),
        ("5-hour limit reached ∙ resets 3pm", "2026-01-14T15:00:00"),
        ("5-hour limit reached · resets 3am", "2026-01-15T03:00:00"),
        ("You've hit your limit · resets 8am (America/New_York)", "2026-01-14T13:00:00"),
        ("You've hit your weekly limit · resets Jan 16 at 5pm", "2026-01-16T17:00:00"),
        ("Try again in 3 days 4 hours 12 minutes.", "2026-01-17T13:12:00"),
        ("Try again at Jan 20th, 2026 3:12 PM.", "2026-01-20T15:12:00"),
        ("try again at 3:12 PM", "2026-01-14T15:12:00"),
        ("Your quota will reset after 5h12m3s.", "2026-01-14T14:12:03"),
        ("limit will reset at 2026-01-15 10:30:00", "2026-01-15T10:30:00"),
        ("resets at 2026-01-15T10:30:00+02:00", "2026-01-15T08:30:00"),
        ("available again in 45 minutes", "2026-01-14T09:45:00"),
        ("Retry-After: 90 seconds", "2026-01-14T09:01:30"),
        ("retry after 90 seconds", "2026-01-14T09:01:30"),
        ("reset at 2026-01-13T00:00:00Z", None),
        ("resets at 2026-13-40", None),
        ("resets at 99:99", None),
        ("resets in the spring", None),
        ("resets", None),
        ("3 limits of 5 m reached", None),
    ],
)
def test_a_time_of_return_in_words_is_understood(text: str, at: str | None) -> None:
    expected = None if at is None else datetime.fromisoformat(f"{at}+00:00")
    assert reset_in_text(text, now=NOW) == expected
