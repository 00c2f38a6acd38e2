"""The messages with which known agent programs report limits."""

from datetime import UTC, datetime, timedelta

import pytest

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.runners.program_limits import classify_message

NOW = datetime(2026, 1, 14, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("program", "message", "kind", "hours"),
    [
        ("claude", "claude says: Claude AI usage limit reached|1768388400", "quota", 2),
        ("claude", "last line: API Error: Request rejected (429)", "rate_limited", None),
        ("claude", "exit code 1; last line: API Error: 529 overloaded", "unreachable", None),
        ("claude", "API Error: Connection refused", "unreachable", None),
        ("claude", "Failed to authenticate. API Error: 401 bad key", "refused", None),
        ("claude", "Not logged in · Please run /login", "refused", None),
        ("claude", "Credit balance is too low", "quota", None),
        ("codex", "You've hit your usage limit. Try again in 3 hours.", "quota", 3),
        ("codex", "ERROR: unexpected status 401 Unauthorized", "refused", None),
        ("gemini", "[API Error: Your quota will reset after 5h0m0s.]", "quota", 5),
        ("opencode", "Cannot connect to API", "unreachable", None),
    ],
)  # fmt: skip
def test_a_message_that_a_program_is_known_to_print_is_classified(
    program: str, message: str, kind: str, hours: int | None
) -> None:
    until = None if hours is None else NOW + timedelta(hours=hours)
    assert classify_message(program, message, now=NOW) == Ending(kind=EndClass(kind), until=until)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("claude", "claude says: prompt is too long"),
        ("claude", "exit code 1; last line: error: unknown option"),
        ("none", "usage limit reached"),
        ("wrapper", "API Error: Request rejected (429)"),
    ],
)
def test_what_is_not_known_is_not_guessed(program: str, message: str) -> None:
    assert classify_message(program, message, now=NOW) is None
