"""Text from outside, without what acts on a terminal.

Titles, commands and outputs may hold escape sequences; a terminal obeys them.
"""

import json
import re

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)"  # OSC and other strings: titles, links, clipboard
    r"|\x1b.",
    re.DOTALL,
)

#: Control characters except newline and tab, and marks that change the writing direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without escape sequences and control characters."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def to_json(document: object, *, indent: int | None = None) -> str:
    """A document as JSON in which such characters are escaped."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
