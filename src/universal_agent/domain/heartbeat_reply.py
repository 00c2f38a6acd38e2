"""The verdict on a heartbeat's reply: an acknowledgement or an alert.

Only a reply that *begins* with an OK token, with little after it, is an acknowledgement. A token
elsewhere silences nothing: it is removed, and the rest is delivered.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Accepted in addition to the configured tokens.
NO_REPLY = "NO_REPLY"

#: Decoration around a token: white space, Markdown, quotes, invisible marks, HTML tags.
_MARKS = " \t\n\r*_`~#>|\"'“”„‘’«»-\ufeff\u200b\u200c\u200d\u2060"
_TAG = (
    r"</?(?:b|i|u|s|em|strong|code|pre|p|div|span|br|mark|h[1-6]|blockquote)(?:\s[^<>]{0,60})?/?>"
)
_MARKUP = rf"(?:[{re.escape(_MARKS)}]|{_TAG})*"
_EMPHASIS = r"[*_`~\"']{0,8}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of a reply."""

    #: It is an acknowledgement, and nothing else.
    ok_only: bool
    #: The reply without tokens.
    text: str
    #: The token it began with; None for an alert.
    token: str | None


def judge_reply(text: str, *, ok_tokens: Sequence[str], ack_max_chars: int) -> Verdict | None:
    """The verdict on a beat's final reply; None when the reply is empty, which is a failure."""
    leading, anywhere = _patterns((*ok_tokens, NO_REPLY))
    if not _undressed(text):
        return None
    rest = anywhere.sub("", text).strip()
    begins = leading.match(text)
    if begins is not None and len(_undressed(rest)) <= ack_max_chars:
        return Verdict(ok_only=True, text=rest, token=begins["token"])
    return Verdict(ok_only=False, text=rest, token=None)


@lru_cache(maxsize=256)
def _patterns(tokens: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A token at the beginning of a reply, and a token anywhere with its decoration.

    A token is a whole word: HEARTBEAT_OKAY is not one. Of two that match, the longer one counts.
    """
    words = "|".join(map(re.escape, sorted(set(tokens), key=len, reverse=True)))
    word = rf"(?P<token>{words})(?![^\W_]|_+[^\W_])"
    return (
        re.compile(_MARKUP + word),
        re.compile(rf"(?<!\w){_EMPHASIS}{word}{_EMPHASIS}"),
    )


def _undressed(text: str) -> str:
    """The text without tags, and without marks and punctuation at its ends."""
    return re.sub(_TAG, "", text).strip(_MARKS + ".,;:!")
