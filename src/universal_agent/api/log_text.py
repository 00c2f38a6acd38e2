"""How does text that a client chose get into a log line? On one line, and short."""

#: Characters of one field that are kept.
LONGEST_FIELD = 256


def log_text(text: str) -> str:
    """`text` with everything unprintable escaped, cut after LONGEST_FIELD characters.

    Line breaks, escape sequences, changes of writing direction and U+2028 would let a client write
    lines of its own, or hide some, for whoever reads the log next: a person, or an agent.
    """
    text = text[:LONGEST_FIELD]
    if text.isprintable():
        return text
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
    return escaped[:LONGEST_FIELD]
