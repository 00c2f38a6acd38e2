"""Parser for one reply of an OpenAI-compatible endpoint, as it arrives.

A reply is complete only if the endpoint marks it so: with a `finish_reason` that means a natural
end, or with `[DONE]` and no finish_reason. Everything else raises ReplyFailed with the reason.
"""

from collections.abc import AsyncIterator, Callable

import httpx
from httpx_sse import ServerSentEvent

from universal_agent.domain.ending import Ending
from universal_agent.runners.answers import page_words, parse_json, reason_in
from universal_agent.runners.event_stream import EventTooLong, read_events
from universal_agent.runners.output import one_line
from universal_agent.runners.thoughts import AnswerWriter, ReplySink

#: The longest reply that does not come as a stream.
_WHOLE_BYTES = 1024 * 1024
#: How much is read of a body that is not a reply.
_OTHER_BYTES = 8 * 1024

_DONE = "[DONE]"
#: Each `finish_reason` that means a natural end; compared case-insensitively.
_COMPLETE = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
_TOKEN_LIMIT = "the reply was cut at the model's token limit"  # noqa: S105 - a sentence
_FILTERED = "the reply was stopped by the endpoint's content filter"
_TOOL = "the model asked for a tool, and there is none"
_FINISHED_BADLY = {
    "length": _TOKEN_LIMIT,
    "max_tokens": f"{_TOKEN_LIMIT} (max_tokens)",
    "model_length": f"{_TOKEN_LIMIT} (model_length)",
    "content_filter": _FILTERED,
    "safety": f"{_FILTERED} (safety)",
    "tool_calls": _TOOL,
    "tool_use": f"{_TOOL} (tool_use)",
    "function_call": _TOOL,
    "refusal": "the model refused to answer (finish_reason refusal)",
}
#: Keys that hold the text of a part of a message.
_TEXT_FIELDS = ("text", "content", "thinking", "refusal", "summary")
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")

_STREAM_FIELDS = (b"data:", b"event:", b"id:", b"retry:")
_BLANK = b" \t\r\n\xef\xbb\xbf"


class ReplyFailed(Exception):
    """The endpoint gave no complete reply; the message says why in one sentence."""

    def __init__(
        self, reason: str, status: int | None = None, ending: Ending | None = None
    ) -> None:
        super().__init__(reason)
        #: The HTTP status of the response; None when there was none.
        self.status = status
        #: Why it failed, where that is known.
        self.ending = ending


class EndpointFailed(ReplyFailed):
    """The endpoint reports an error within its reply."""

    def __init__(self, reason: str, answer: object, said: str) -> None:
        super().__init__(reason)
        self.answer = answer
        self.said = said


def endpoint_failure(answer: object, said: str) -> ReplyFailed:
    """The failure that an error object in a reply describes."""
    words = reason_in(answer) or one_line(said)
    return EndpointFailed(f"the endpoint failed: {words or 'it does not say why'}", answer, said)


class Reply:
    """Reads a reply and forwards it to a sink."""

    def __init__(self, sink: ReplySink, *, on_progress: Callable[[], None]) -> None:
        """`on_progress` is called for each piece of text or reasoning."""
        self._answer = AnswerWriter(sink)
        self._on_progress = on_progress
        self._refusal = ""
        self._finish: str | None = None
        self._is_done = False
        self._is_stream = True
        #: The first chunk that is not a known part of a reply.
        self._stray: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the endpoint has sent a natural finish_reason; the stream may still be open."""
        return self._finish is not None and self._finish.lower() in _COMPLETE

    async def read(self, response: httpx.Response) -> None:
        """Read to the end. Raises ReplyFailed unless that is the end of a complete reply."""
        pieces = response.aiter_bytes()
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            head, kind = await _beginning(pieces, media_type)
            body = _joined(head, pieces)
            if kind == "stream":
                await self._read_stream(body)
            elif kind == "json":
                await self._read_whole(body, media_type)
            else:
                raise _no_reply(media_type, await _text(body, _OTHER_BYTES))
        except EventTooLong as error:
            raise ReplyFailed(str(error)) from None
        finally:
            self._answer.end()
        self._is_stream = kind == "stream"
        self.judge()

    def judge(self) -> None:
        """Raise ReplyFailed unless a complete reply was read."""
        if (problem := self._problem()) is not None:
            raise ReplyFailed(problem)

    async def _read_stream(self, body: AsyncIterator[bytes]) -> None:
        async for event in read_events(body):
            if event.data.strip() == _DONE:
                self._is_done = True
                return
            self._take_event(event)

    async def _read_whole(self, body: AsyncIterator[bytes], media_type: str) -> None:
        text = await _text(body, _WHOLE_BYTES + 1, on_piece=self._on_progress)
        if len(text.encode()) > _WHOLE_BYTES:
            raise ReplyFailed(f"expected a reply of at most {_WHOLE_BYTES} bytes")
        answer = parse_json(text)
        if answer is None:
            raise _no_reply(media_type, text)
        self._take(answer, text, part="message")

    def _take_event(self, event: ServerSentEvent) -> None:
        chunk = parse_json(event.data)
        if event.event == "error":
            raise endpoint_failure(chunk, event.data)
        if not event.data.strip():
            return
        if event.event != "message" and not (
            isinstance(chunk, dict) and ("choices" in chunk or reason_in(chunk))
        ):
            return  # a keep-alive such as `event: ping`
        self._take(chunk, event.data, part="delta")

    def _take(self, chunk: object, said: str, *, part: str) -> None:
        """Process a chunk of a stream (text in `delta`), or a whole reply (text in `message`)."""
        if isinstance(chunk, list) and chunk and isinstance(chunk[0], dict):
            chunk = chunk[0]  # some endpoints wrap an error object in a list
        if not isinstance(chunk, dict):
            raise ReplyFailed(f"expected a JSON object, got {one_line(said, 80)!r}")
        if chunk.get("error") or chunk.get("object") == "error" or chunk.get("type") == "error":
            raise endpoint_failure(chunk, said)
        if "choices" not in chunk:
            self._take_other(chunk, said)
            return
        # The last chunk of a stream may contain only the usage, and no choice.
        choices = chunk["choices"]
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._take_choice(choice, said, part)

    def _take_other(self, chunk: dict[str, object], said: str) -> None:
        """Process a chunk without `choices`: an error, usage, or something unknown."""
        if reason_in(chunk):
            raise endpoint_failure(chunk, said)
        if "usage" not in chunk and self._stray is None:
            self._stray = one_line(said, 80)

    def _take_choice(self, choice: dict[str, object], said: str, part: str) -> None:
        message = choice.get(part, choice.get("message", choice.get("delta")))
        if isinstance(message, dict):
            self._take_message(message)
        if choice.get("error"):
            raise endpoint_failure(choice, said)
        finish = choice.get("finish_reason")
        # A reason that is not a natural end is final, whatever follows it.
        if finish and (self._finish is None or self._finish.lower() in _COMPLETE):
            self._finish = str(finish)

    def _take_message(self, message: dict[str, object]) -> None:
        reasoning = next(
            (text for name in _REASONING_FIELDS if (text := _text_of(message.get(name)))), ""
        )
        self._reason(reasoning)
        self._take_content(message.get("content"))
        self._refuse(_text_of(message.get("refusal")))
        if message.get("tool_calls") or message.get("function_call"):
            self._on_progress()

    def _take_content(self, content: object) -> None:
        """Process text, or a list of parts as sent by the reasoning models of Mistral."""
        for item in content if isinstance(content, list) else (content,):
            kind = item.get("type") if isinstance(item, dict) else "text"
            if kind in ("thinking", "reasoning", "reasoning_text", "summary_text"):
                self._reason(_text_of(item))
            elif kind == "refusal":
                self._refuse(_text_of(item))
            elif text := _text_of(item):
                self._on_progress()
                self._answer.write(text.encode("utf-8", "replace"))

    def _reason(self, text: str) -> None:
        if text:
            self._on_progress()
            self._answer.reason(text.encode("utf-8", "replace"))

    def _refuse(self, text: str) -> None:
        if text:
            self._on_progress()
            self._refusal += text
            self._answer.write(text.encode("utf-8", "replace"))

    def _problem(self) -> str | None:
        """Why this is not a complete reply; None when it is."""
        if self._refusal.strip():
            return f"the model refused: {one_line(self._refusal)}"
        if not (self.has_ended or (self._finish is None and self._is_done)):
            return self._incompleteness()
        if self._stray is not None and self._finish is None:
            return f"expected a part of a reply, got {self._stray!r}"
        if self._answer.has_answer:
            return None
        if self._answer.has_thoughts:
            return "the model only reasoned and gave no answer"
        return "the reply was empty"

    def _incompleteness(self) -> str:
        if self._finish is not None:
            named = _FINISHED_BADLY.get(self._finish.lower())
            finish = one_line(self._finish, 40)
            return named or f"the reply is not complete: it ended with finish_reason {finish!r}"
        if self._stray is not None:
            return f"expected a part of a reply, got {self._stray!r}"
        if self._is_stream:
            return "the reply broke off before it was complete"
        return "the reply may not be complete: it has no finish_reason"


async def _beginning(pieces: AsyncIterator[bytes], media_type: str) -> tuple[bytes, str]:
    """The first bytes of a body, and its kind: `stream`, `json` or `other`."""
    head = b""
    async for piece in pieces:
        head += piece
        if (kind := _kind(head.lstrip(_BLANK), media_type)) is not None:
            return head, kind
        if not head.strip(_BLANK):
            head = b""  # white space sent as a keep-alive
    return head, _kind(head.lstrip(_BLANK) or b"\0", media_type) or "other"


def _kind(start: bytes, media_type: str) -> str | None:
    """The kind of a body that begins with `start`; None while it is undecided.

    Servers mislabel bodies, so the content takes precedence over the media type.
    """
    if not start:
        return None
    if media_type in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
        return "other"
    if start[:1] in (b"{", b"["):
        return "json"
    if start[:1] == b"<":
        return "other"
    if media_type == "text/event-stream" or start[:1] == b":":
        return "stream"
    if start.startswith(_STREAM_FIELDS):
        return "stream"
    return None if any(name.startswith(start) for name in _STREAM_FIELDS) else "other"


async def _joined(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in pieces:
        yield piece


async def _text(
    body: AsyncIterator[bytes], most: int, *, on_piece: Callable[[], None] | None = None
) -> str:
    """At most `most` bytes of a body, as text."""
    data = bytearray()
    async for piece in body:
        data += piece
        if on_piece is not None and piece.strip():
            on_piece()
        if len(data) >= most:
            break
    return bytes(data[:most]).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _no_reply(media_type: str, text: str) -> ReplyFailed:
    """The failure for a 200 that is not a reply: a web page, another API, an empty body."""
    is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
    words = page_words(text) if is_page else one_line(text, 120)
    kind = one_line(media_type, 60) or "no content type"
    got = f"{kind}: {words}" if words else f"{kind} with an empty body"
    return ReplyFailed(f"expected a stream or JSON, got {got}; is UA_AGENT_BASE_URL right?")


def _text_of(value: object, depth: int = 4) -> str:
    """The text of a field that is a string, a part, or a list of them."""
    if isinstance(value, list) and depth:
        return "".join(_text_of(item, depth - 1) for item in value)
    if isinstance(value, dict) and depth:
        texts = (_text_of(value.get(name), depth - 1) for name in _TEXT_FIELDS)
        return next((text for text in texts if text), "")
    return value if isinstance(value, str) else ""
