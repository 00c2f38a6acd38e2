"""The class of a response that is not a success: a limit, a refusal, an outage, or a failure.

Sources are the status, the headers (`Retry-After`, those about rate limits), and the error
document, by the codes and fields that endpoints really send.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.runners.answers import is_quota, parse_json
from universal_agent.runners.said_reset import (
    bounded,
    reset_in_document,
    reset_in_text,
    reset_value,
)

#: Statuses of a service, or of a proxy before it, that cannot serve.
_AWAY = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 529, 530})

#: Codes and types in error documents, in lower case.
_CODES = {
    EndClass.RATE_LIMITED: frozenset(
        {
            "429", "rate_limit_error", "rate_limit_exceeded", "rate_limited", "ratelimited",
            "too_many_requests", "throttling_error", "throttlingexception", "requests", "tokens",
            "resource_exhausted", "1302", "1303", "1305",
        }
    ),
    EndClass.QUOTA: frozenset(
        {
            "usage_limit_reached", "usage_limit_exceeded", "usage_not_included", "quota_exceeded",
            "1113", "1304", "1308", "1309", "1310", "1313",
        }
    ),
    EndClass.UNREACHABLE: frozenset(
        {
            "overloaded_error", "overloaded", "unavailable", "service_unavailable",
            "server_overloaded", "engine_overloaded", "engine_overloaded_error", "502", "503",
            "504", "529",
        }
    ),
    EndClass.REFUSED: frozenset(
        {
            "401", "402", "403", "authentication_error", "permission_error", "invalid_api_key",
            "invalid_authentication", "permission_denied", "unauthenticated", "billing_error",
        }
    ),
}  # fmt: skip
_BY_CODE = {code: kind for kind, codes in _CODES.items() for code in codes}

#: Words of a message about an allowance of a day or longer, rather than a rate.
_QUOTA_WORDS = re.compile(
    r"\b(?:usage|weekly|monthly|daily|\d+[- ]?hours?|spend(?:ing)?)\b[\w/ -]{0,20}\b(?:limit|quota)"
    r"|limit exhausted|per[- ]?(?:day|month)\b|perday|credit balance is too low"
    r"|insufficient (?:balance|credits?|quota)|out of credits?",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(r"credit balance is too low|insufficient balance", re.IGNORECASE)

#: Services whose messages name times of their own zone without saying so.
_ZONES: Mapping[str, tzinfo] = {
    "z.ai": timezone(timedelta(hours=8)),
    "bigmodel.cn": timezone(timedelta(hours=8)),
}

_RESET = re.compile(r"(?:^|-)ratelimit(?:-.+)?-reset(?:-.+)?$")
_FIELDS = re.compile(r"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)


def classify_response(
    status: int, headers: Mapping[str, str], text: str, *, host: str, now: datetime
) -> Ending | None:
    """The class of an HTTP response that is not a success; None for a failure of the work.

    A failure of the work has a class where the server names a time for the next attempt.
    """
    answer = parse_json(text)
    until = _until(headers, answer, text, host=host, now=now)
    return _ending(_kind(status, headers, answer, text, until), until)


def classify_document(answer: object, text: str, *, host: str, now: datetime) -> Ending | None:
    """The class of an error that a service reports within a response of success; None: failed."""
    kind = EndClass.QUOTA if is_quota(answer) else _by_code(answer)
    if kind is EndClass.RATE_LIMITED and _QUOTA_WORDS.search(text):
        kind = EndClass.QUOTA
    until = _until({}, answer, text, host=host, now=now) if kind.is_outage else None
    return _ending(kind, until)


def _ending(kind: EndClass, until: datetime | None) -> Ending | None:
    if kind is EndClass.FAILED and until is None:
        return None
    return Ending(kind=kind, until=until)


def _kind(
    status: int, headers: Mapping[str, str], answer: object, text: str, until: datetime | None
) -> EndClass:
    is_out_of_credit = is_quota(answer) or bool(_NO_CREDIT.search(text))
    match status:
        case 401 | 402:
            return EndClass.REFUSED
        case 403 if not (is_out_of_credit or until is not None or _is_used_up(headers)):
            return EndClass.REFUSED
        case 429 | 403:
            words = is_out_of_credit or _QUOTA_WORDS.search(text) or _is_rejected(headers)
            is_long = words or _by_code(answer) is EndClass.QUOTA
            return EndClass.QUOTA if is_long else EndClass.RATE_LIMITED
        case _ if status in _AWAY:
            return EndClass.UNREACHABLE
    if is_out_of_credit:
        return EndClass.QUOTA
    kind = _by_code(answer)
    return kind if kind in (EndClass.QUOTA, EndClass.UNREACHABLE) else EndClass.FAILED


def _by_code(answer: object) -> EndClass:
    """The class that an error document's code, type or status names."""
    for error in _errors(answer):
        for key in ("code", "type", "status"):
            value = error.get(key)
            if isinstance(value, str | int) and (kind := _BY_CODE.get(str(value).lower())):
                return kind
    return EndClass.FAILED


def _errors(answer: object) -> Iterator[Mapping[str, object]]:
    """The error objects of a document, the innermost first."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if isinstance(answer, dict):
        yield from _errors(answer.get("error"))
        yield answer


def _until(
    headers: Mapping[str, str], answer: object, text: str, *, host: str, now: datetime
) -> datetime | None:
    """The latest time that the response names for the next call; None when it names none."""
    zone = next((zone for name, zone in _ZONES.items() if _is_of(host, name)), UTC)
    found = [*_header_resets(headers, now)]
    if answer is None:
        found.append(reset_in_text(text, now=now, zone=zone))
    else:
        found.append(reset_in_document(answer, now=now, zone=zone))
        found += [at for inner in _inner_headers(answer) for at in _header_resets(inner, now)]
    return bounded(max((at for at in found if at is not None), default=None), now=now)


def _is_of(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _inner_headers(answer: object) -> Iterator[Mapping[str, str]]:
    """Headers of an upstream that a proxy quotes in its error document, as OpenRouter does."""
    for error in _errors(answer):
        metadata = error.get("metadata")
        inner = metadata.get("headers") if isinstance(metadata, dict) else None
        if isinstance(inner, dict):
            yield {str(name).lower(): str(value) for name, value in inner.items()}


def _header_resets(headers: Mapping[str, str], now: datetime) -> list[datetime | None]:
    waits = [
        wait for prefix in ("", "llm_provider-") for wait in _retry_after(headers, prefix, now)
    ]
    resets = [
        reset_value(value, now=now)
        for name, value in headers.items()
        if _RESET.search(name.lower()) and _applies(headers, name.lower(), has_wait=bool(waits))
    ]
    return [*waits, *resets, *_combined(headers, now)]


def _retry_after(headers: Mapping[str, str], prefix: str, now: datetime) -> Iterator[datetime]:
    for name, unit in ((f"{prefix}retry-after-ms", 1000), (f"{prefix}retry-after", 1)):
        value = headers.get(name)
        if value is None:
            continue
        if re.fullmatch(r"\s*\d{1,12}(\.\d{0,9})?\s*", value):
            yield now + min(timedelta(seconds=float(value) / unit), timedelta(days=400))
            return
        if unit == 1 and (at := reset_value(value, now=now)) is not None:
            yield at


def _applies(headers: Mapping[str, str], name: str, *, has_wait: bool) -> bool:
    """Whether a header about a reset is about the allowance that is used up."""
    state = headers.get(f"{name.removesuffix('-reset')}-status")
    if state is not None:
        return state == "rejected"
    remaining = headers.get(name.replace("-reset", "-remaining"))
    if remaining is None:
        return not has_wait
    return _is_nothing(remaining)


def _is_nothing(remaining: str) -> bool:
    try:
        return float(remaining) <= 0
    except ValueError:
        return False


def _combined(headers: Mapping[str, str], now: datetime) -> Iterator[datetime]:
    """The header `RateLimit` of the IETF drafts: `remaining=0, reset=50` or `"a";r=0;t=50`."""
    fields = {
        name.lower()[:3]: value for name, value in _FIELDS.findall(headers.get("ratelimit", ""))
    }
    left, wait = fields.get("r", fields.get("rem")), fields.get("t", fields.get("res"))
    if left is not None and wait is not None and _is_nothing(left):
        yield now + timedelta(seconds=min(float(wait), 1e8))


def _is_used_up(headers: Mapping[str, str]) -> bool:
    return any(
        "ratelimit-remaining" in name.lower() and _is_nothing(value)
        for name, value in headers.items()
    )


def _is_rejected(headers: Mapping[str, str]) -> bool:
    """Whether a subscription's window of hours or days is used up, as Anthropic reports it."""
    return headers.get("anthropic-ratelimit-unified-status") == "rejected"
