"""Separation of a model's thoughts from its answer.

Many models write their reasoning before the answer, between `<think>` and `</think>`. Some chat
templates put the opening tag into the prompt, so the reply contains only the closing tag: the text
before it is then retracted. Thoughts go to the run log and are never part of the reply.
"""

import re
from typing import Protocol

#: Opening tag -> closing tag, in lower case.
_TAGS = {
    b"<think>": b"</think>",
    b"<thinking>": b"</thinking>",
    b"<thought>": b"</thought>",
    b"<reasoning>": b"</reasoning>",
    b"<seed:think>": b"</seed:think>",
    b"[think]": b"[/think]",
    "◁think▷".encode(): "◁/think▷".encode(),
    b"<|channel|>analysis<|message|>": b"<|channel|>final<|message|>",
}
#: Code fences, inside which a tag is plain text, and tags whose opening may be in the prompt.
_FENCE = b"```"
_OPENING = (b"<think>", b"<seed:think>", b"[think]", "◁think▷".encode())
_CLOSING = tuple(_TAGS[tag] for tag in _OPENING)
_TOKENS = (_FENCE, *_OPENING, *_CLOSING)
_TOKEN = re.compile(b"|".join(map(re.escape, _TOKENS)), re.IGNORECASE)
_LONGEST_TOKEN = max(map(len, _TOKENS))
_LONGEST_TAG = max(map(len, _TAGS))
_QUOTES = b"`'\"\\"
_BLANK = b" \t\r\n\xef\xbb\xbf"

#: How much white space is held back while it is undecided whether a tag follows.
_HELD_BYTES = 4096


class ReplySink(Protocol):
    """Receives a reply as it arrives."""

    def write(self, data: bytes) -> None:
        """Append to the reply, and to the log."""

    def write_apart(self, data: bytes) -> None:
        """Append to the log only."""

    def restart(self) -> None:
        """Retract the reply so far."""


class AnswerWriter:
    """Forwards an answer to `sink`, and writes the thoughts before it apart."""

    def __init__(self, sink: ReplySink) -> None:
        self._sink = sink
        #: Whether the answer so far contains more than white space.
        self.has_answer = False
        #: Whether there were thoughts so far.
        self.has_thoughts = False
        self._held = b""
        #: The tag that ends the current thoughts; empty outside of thoughts.
        self._closing = b""
        self._in_answer = False
        self._in_fence = False
        self._opened = False
        self._last_byte = b""
        self._in_reasoning = False

    def write(self, data: bytes) -> None:
        """Process the next piece of the reply; a tag may be split over pieces."""
        self._end_reasoning()
        self._take(self._held + data, is_last=False)

    def reason(self, data: bytes) -> None:
        """Process reasoning that the endpoint sends in a separate field."""
        if not data:
            return
        if not self._in_reasoning:
            self._in_reasoning = True
            self._sink.write_apart(b"<think>")
        self.has_thoughts = self.has_thoughts or bool(data.strip())
        self._sink.write_apart(data)

    def end(self) -> None:
        """Forward what was held back, at the end of the reply."""
        self._end_reasoning()
        self._take(self._held, is_last=True)

    def _end_reasoning(self) -> None:
        if self._in_reasoning:
            self._in_reasoning = False
            self._sink.write_apart(b"</think>\n")

    def _take(self, data: bytes, *, is_last: bool) -> None:
        self._held = b""
        while data:
            if self._closing:
                data = self._take_thoughts(data, is_last=is_last)
            elif self._in_answer:
                data = self._take_answer(data, is_last=is_last)
            else:
                data = self._take_beginning(data, is_last=is_last)

    def _take_beginning(self, data: bytes, *, is_last: bool) -> bytes:
        """Decide whether thoughts or the answer begin; returns the rest of the data."""
        text = data.lstrip(_BLANK)
        lower = text[:_LONGEST_TAG].lower()
        for opening, closing in _TAGS.items():
            if lower.startswith(opening):
                end = len(data) - len(text) + len(opening)
                self._sink.write_apart(data[:end])
                self._closing = closing
                return data[end:]
        undecided = not text or any(tag.startswith(lower) for tag in _TAGS)
        if undecided and not is_last and len(data) <= _HELD_BYTES:
            self._held = data
            return b""
        if self.has_thoughts and text:
            # Blank lines between the thoughts and the answer belong to neither.
            self._sink.write_apart(data[: len(data) - len(text)])
            data = text
        if text:
            self._in_answer = True
            return data
        self._sink.write(data)  # only white space so far
        return b""

    def _take_thoughts(self, data: bytes, *, is_last: bool) -> bytes:
        found = data.lower().find(self._closing)
        if found >= 0:
            end = found + len(self._closing)
            self._think(data[:found])
            self._sink.write_apart(data[found:end])
            self._closing = b""
            return data[end:]
        kept = 0 if is_last else min(len(data), len(self._closing) - 1)
        self._think(data[: len(data) - kept])
        self._held = data[len(data) - kept :]
        return b""

    def _think(self, data: bytes) -> None:
        self.has_thoughts = self.has_thoughts or bool(data.strip())
        if data:
            self._sink.write_apart(data)

    def _take_answer(self, data: bytes, *, is_last: bool) -> bytes:
        """Forward the answer up to a closing tag without an opening tag; returns the rest."""
        # A token at the end is held back as well: the next character decides whether it is quoted.
        ready = len(data) if is_last else len(data) - _open_end(data)
        for found in _TOKEN.finditer(data, 0, ready):
            token, start, end = found[0].lower(), found.start(), found.end()
            if token == _FENCE:
                self._in_fence = not self._in_fence
            elif token in _OPENING:
                self._opened = True
            elif self._opened:
                self._opened = False
            elif not self._in_fence and not self._is_quoted(data, start, end):
                self._answer(data[:start])
                self.has_thoughts = self.has_thoughts or self.has_answer
                self._sink.write_apart(data[start:end])
                self._sink.restart()
                self.has_answer = self._in_answer = False
                return data[end:]
        self._answer(data[:ready])
        self._held = data[ready:]
        return b""

    def _answer(self, data: bytes) -> None:
        if data:
            self.has_answer = self.has_answer or bool(data.strip(_BLANK))
            self._last_byte = data[-1:]
            self._sink.write(data)

    def _is_quoted(self, data: bytes, start: int, end: int) -> bool:
        before = data[start - 1 : start] if start else self._last_byte
        after = data[end : end + 1]
        return bool(before and before in _QUOTES) or bool(after and after in _QUOTES)


def _open_end(data: bytes) -> int:
    """How many bytes at the end are a token or the beginning of one."""
    end = data[-_LONGEST_TOKEN:].lower()
    for start in range(len(end)):
        suffix = end[start:]
        if any(token.startswith(suffix) for token in _TOKENS):
            return len(suffix)
    return 0
