"""Secrets of this process, masked by value in all output.

Masking by name misses secrets without one: tracebacks, errors of client libraries and lines of the
server quote URLs and headers literally, so the values themselves are replaced.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, urlsplit

MASK = "***"

#: A shorter value is not masked: it is part of too many words.
SHORTEST = 4

#: A value shorter than this is masked only where it stands as a word of its own.
_SURELY_A_SECRET = 8


class Secrets:
    """Values to mask; each counts as long as one of its owners holds it."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._pattern: re.Pattern[str] | None = None

    def hold(self, values: Iterable[str]) -> None:
        """Mask these values from now on."""
        self._held.update(value for value in values if len(value) >= SHORTEST)
        self._compile()

    def release(self, values: Iterable[str]) -> None:
        """Undo a `hold` of the same values."""
        self._held -= Counter(value for value in values if len(value) >= SHORTEST)
        self._compile()

    def mask(self, text: str) -> str:
        """`text` with every secret replaced."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(MASK, text)

    def _compile(self) -> None:
        parts: set[str] = set()
        for value in self._held:
            for form in _forms(value):
                part = re.escape(form)
                if len(value) < _SURELY_A_SECRET:
                    part = rf"(?<![A-Za-z0-9_-]){part}(?![A-Za-z0-9_-])"
                parts.add(part)
        # The longest first: a secret that begins like another one is masked to its end.
        ordered = sorted(parts, key=lambda part: (-len(part), part))
        self._pattern = re.compile("|".join(ordered)) if ordered else None


def _forms(value: str) -> set[str]:
    """The ways in which a value is written: as it is, in a URL, in JSON, in a Python literal."""
    return {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }


#: The secrets of this process. One registry, since standard error is one.
SECRETS = Secrets()

mask = SECRETS.mask


def secrets_in_url(url: str) -> list[str]:
    """The parts of a URL that may be secret: the URL, user, password, path and query."""
    try:
        parts = urlsplit(url)
        userinfo = parts.netloc.rpartition("@")[0]
    except ValueError:
        return [url]
    user, _, password = userinfo.partition(":")
    found = [url, userinfo, user, password, parts.path, parts.query]
    if userinfo:
        # As the Authorization header has it.
        found.append(base64.b64encode(userinfo.encode()).decode())
    pieces = [*parts.path.split("/"), *(pair.partition("=")[2] for pair in parts.query.split("&"))]
    found += [piece for piece in pieces if len(piece) >= _SURELY_A_SECRET]
    if parts.scheme not in ("http", "https"):
        # A notification service keeps its key where a web address has its host.
        host = re.sub(r":\d+$", "", parts.netloc.rpartition("@")[2])
        if host != "localhost" and "." not in host and not host.startswith("["):
            found.append(host)
    return [part for part in found if len(part.strip("/")) >= SHORTEST]


def without_user(text: str) -> str:
    """The text with the users and passwords in its URLs masked."""
    return re.sub(r"//[^/@\s]*@", f"//{MASK}@", text)
