"""The one decoder of JSON from outside, which every body and message passes first.

It accepts standard JSON in UTF-8: no byte order mark, no NaN or Infinity, no half of a surrogate
pair. What it accepts, later readers (json, pydantic) read alike; of a name that an object has
twice, all of them take the last value.
"""

import re

import orjson

from universal_agent.errors import InvalidInput, UniversalAgentError

#: Lists and objects inside each other.
MAX_DEPTH = 64
#: Values of a body, and names of its outermost object: what parsing and validating it costs.
MAX_VALUES = 50_000
MAX_NAMES = 1_000

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")


class MalformedRequest(UniversalAgentError):
    """The body is not JSON in UTF-8."""

    status = 422
    title = "Malformed request"


def check_json(body: bytes) -> None:
    """Raise MalformedRequest when `body` is not JSON, and InvalidInput when it is too complex."""
    if is_too_deep(body):
        raise InvalidInput(
            f"expected at most {MAX_DEPTH} lists and objects inside each other", field="body"
        )
    if body.count(b",") >= MAX_VALUES:
        raise InvalidInput(f"expected at most {MAX_VALUES} values in the body", field="body")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(
            f"body: expected JSON in UTF-8, got {error.msg!r} at character {error.pos}",
            field="body",
        ) from None
    if isinstance(content, dict) and len(content) > MAX_NAMES:
        raise InvalidInput(f"expected at most {MAX_NAMES} fields, got {len(content)}", field="body")


def is_too_deep(body: bytes) -> bool:
    """Whether JSON in UTF-8 has more than MAX_DEPTH lists and objects inside each other.

    Removes the innermost pairs of brackets until none is left or the layers are too many: a few
    passes at the speed of `bytes.replace`, where counting one by one would hold up the event loop.
    What is not JSON is left to the parser, unless it is deep too.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    layers = _STRING.sub(b"", body).translate(_AS_SQUARE, _OTHERS)
    for _ in range(MAX_DEPTH):
        peeled = layers.replace(b"[]", b"")
        if len(peeled) == len(layers):
            return layers.count(b"[") > MAX_DEPTH
        layers = peeled
    return b"[" in layers
