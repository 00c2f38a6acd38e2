"""Client-supplied text for log lines: escaped and shortened."""

#: Characters of one field that are kept.
LONGEST_FIELD = 256


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
