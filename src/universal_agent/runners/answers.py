"""The reason in the HTTP response of a failed request."""

import json
import re
from html import unescape

from universal_agent.runners.output import one_line

#: Keys that hold the reason, the most specific first.
_REASON_KEYS = ("error", "errors", "message", "detail", "msg", "error_description", "title")
_NESTED_KEYS = ("message", "msg", "detail", "description", "reason", "error")

#: Codes and types of errors that last until a person pays.
_QUOTA = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "credit_balance_too_low",
        "402",
    }
)

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|head)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def parse_json(text: str) -> object:
    """The parsed value; None when the text is not JSON."""
    try:
        answer: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer


def reason_in(answer: object) -> str:
    """The reason in an error body, on one line; empty when there is none."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict):
        return ""
    for key in _REASON_KEYS:
        if words := _words(answer.get(key)):
            return one_line(words)
    error = answer.get("error")
    return _words(error.get("type")) if isinstance(error, dict) else ""


def body_words(text: str) -> str:
    """A summary of an error body on one line: its reason, a page's title, or its beginning."""
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return page_words(text)
    return reason_in(parse_json(text)) or one_line(text)


def page_words(html: str) -> str:
    """The title of a page, or its first words where it has none; on one line."""
    title = _TITLE.search(html)
    words = title[1] if title and title[1].strip() else _TAG.sub(" ", _HIDDEN.sub(" ", html))
    return one_line(unescape(words))


def is_quota(answer: object) -> bool:
    """Whether an error reports that the account has no credit left."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict):
        return False
    nested = answer.get("error")
    errors = [answer, nested] if isinstance(nested, dict) else [answer]
    return any(str(error.get(key)) in _QUOTA for error in errors for key in ("code", "type"))


def _words(value: object, depth: int = 4) -> str:
    """The text of one part of an error body."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and depth:
        return next((w for key in _NESTED_KEYS if (w := _words(value.get(key), depth - 1))), "")
    return value.strip() if isinstance(value, str) else ""
