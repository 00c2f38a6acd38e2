"""Rules for text from outside: titles, commands, notes and metadata.

Control characters are refused: no terminal, log line or C string can carry them.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from universal_agent.errors import InvalidInput

#: Characters that text may not have, and those that a single line may not have.
_NOT_PLAIN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_NOT_PLAIN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

#: Characters of a title, and of a name in an object.
MAX_LINE = 200

#: The id of an owner.
USER_PATTERN = r"^[A-Za-z0-9_.@:-]{1,64}$"

#: Lists and objects inside each other, in free-form JSON that is kept.
_MAX_DEPTH = 32

_INTEGERS = range(-(2**63), 2**64)

#: Characters of one field that are kept.
LONGEST_FIELD = 256


def check_text(text: str, field: str) -> None:
    """Raise InvalidInput for a character that text cannot have; line breaks and tabs are text."""
    _check(_NOT_PLAIN, text, field)


def check_line(text: str, field: str, most: int = MAX_LINE) -> None:
    """Raise InvalidInput for text that is no single line of at most `most` characters."""
    if len(text) > most:
        raise InvalidInput(f"expected at most {most} characters, got {len(text)}", field=field)
    _check(_NOT_PLAIN_LINE, text, field)


def check_user(text: str, field: str) -> None:
    """Raise InvalidInput for text that is no id of an owner."""
    if re.fullmatch(USER_PATTERN, text) is None:
        raise InvalidInput(
            f"expected 1 to 64 letters, digits and any of _ . @ : -, got {text[:80]!r}", field=field
        )


def check_json(content: Mapping[str, Any], field: str, most_bytes: int) -> None:
    """Raise InvalidInput for an object that JSON cannot carry, or with text that breaks the rules.

    Names are lines, strings are text, numbers are finite and integers have 64 bits.
    """
    _check_value(content, field, depth=1)
    size = len(orjson.dumps(content))
    if size > most_bytes:
        raise InvalidInput(f"expected at most {most_bytes} bytes of JSON, got {size}", field=field)


def _check_value(value: Any, field: str, *, depth: int) -> None:
    match value:
        case str():
            check_text(value, field)
        case None | bool():
            pass
        case int():
            if value not in _INTEGERS:
                raise InvalidInput("expected integers of at most 64 bits", field=field)
        case float():
            if not math.isfinite(value):
                raise InvalidInput(f"expected finite numbers, got {value}", field=field)
        case dict() | list():
            if depth > _MAX_DEPTH:
                raise InvalidInput(
                    f"expected at most {_MAX_DEPTH} lists and objects inside each other",
                    field=field,
                )
            if isinstance(value, dict):
                for name in value:
                    check_line(name, field)
            for inner in value.values() if isinstance(value, dict) else value:
                _check_value(inner, field, depth=depth + 1)
        case _:
            raise InvalidInput(f"expected plain JSON, got {type(value).__name__}", field=field)


def _check(refused: re.Pattern[str], text: str, field: str) -> None:
    found = refused.search(text)
    if found is not None:
        raise InvalidInput(
            f"expected text without control characters, got {found[0]!r} in it", field=field
        )


def log_text(text: str) -> str:
    """`text` with everything unprintable escaped, cut after LONGEST_FIELD characters.

    Line breaks, escape sequences, bidirectional controls and U+2028 would let a client forge or
    hide lines for the next reader of the log, a person or an agent.
    """
    text = text[:LONGEST_FIELD]
    if text.isprintable():
        return text
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
    return escaped[:LONGEST_FIELD]
