"""Parsers for the output of known agent programs: claude, codex, gemini, opencode.

Each program has two output formats. Plain text is the reply itself, unless its first line is one
of the program's error messages. With the program's JSON option, the reply is extracted from the
JSON, and the run fails unless the program reports that the reply is complete. The argv tells the
format. That of a program that a job names, such as a wrapper script, is detected in its stdout.
docs/runners.md lists the versions that this was verified with.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from universal_agent.domain.fail_on import NO_PRESET
from universal_agent.runners.answers import reason_in
from universal_agent.runners.output import RunOutput, one_line
from universal_agent.runners.thoughts import AnswerWriter

#: Package names in an argv, and the preset of each.
_PACKAGES = {
    "@anthropic-ai/claude-code": "claude",
    "@openai/codex": "codex",
    "@google/gemini-cli": "gemini",
    "opencode-ai": "opencode",
}
#: Programs that start another program, named later in the argv.
_LAUNCHERS = frozenset(
    {
        "npx",
        "pnpx",
        "bunx",
        "bun",
        "pnpm",
        "yarn",
        "npm",
        "env",
        "nice",
        "timeout",
        "stdbuf",
        "sudo",
    }
)
_JSON_WORDS = frozenset({"json", "stream-json", "--json"})

#: Prefixes of the first line of a plain reply that mark it as an error message; lower case.
_COMPLAINTS: Mapping[str, tuple[str, ...]] = {
    "claude": (
        "not logged in",
        "invalid api key",
        "api error:",
        "failed to authenticate",
        "credit balance is too low",
        "prompt is too long",
        "execution error",
        "error: reached max turns",
        "claude ai usage limit reached",
        "claude usage limit reached",
        "you've hit your",
        "5-hour limit reached",
        "weekly limit reached",
        "limit reached",
    ),
    "codex": ("not logged in", "error: ", "you've hit your usage limit"),
    "gemini": (
        "please set an auth method",
        "[api error:",
        "error: ",
        "please visit the following url to authorize",
    ),
    "opencode": ("error: ",),
}
_FIRST_LINE_BYTES = 4096
#: The longest JSON document, and the longest line of JSON.
_JSON_BYTES = 4 * 1024 * 1024

#: The beginning of a line that begins a JSON object, or a list of them; and what may become one.
_JSON_BEGINS = re.compile(rb'\s*(?:\[\s*)?\{\s*["}]')
_MAY_BEGIN_JSON = re.compile(rb"\s*(?:\[\s*)?(?:\{\s*)?")

#: Types of events that the programs print, and the fields of gemini's.
_CLAUDE_EVENTS = frozenset({"system", "assistant", "user", "result", "stream_event"})
_GEMINI_EVENTS = frozenset({"init", "message", "tool_use", "tool_result", "error", "result"})
_GEMINI_KEYS = frozenset({"model", "role", "status", "session_id", "severity", "tool_name"})


class ProgramReply(ABC):
    """Receives a program's stdout and forwards the reply in it."""

    #: Whether the reply, and so the reason of a failure, is inside JSON.
    is_json = False

    def __init__(self, name: str, output: RunOutput) -> None:
        self.name = name
        self._output = output
        self._answer = AnswerWriter(output)

    @property
    def has_answer(self) -> bool:
        return self._answer.has_answer

    @property
    def has_thoughts(self) -> bool:
        return self._answer.has_thoughts

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Take the next piece of stdout."""

    def end(self) -> None:
        """Mark the end of stdout."""
        self._answer.end()

    @abstractmethod
    def problem(self) -> str | None:
        """Why this is not a complete reply, in one sentence; None when no problem is known."""


class PlainReply(ProgramReply):
    """A reply in plain text: stdout itself."""

    def __init__(self, name: str, output: RunOutput) -> None:
        super().__init__(name, output)
        self._beginning = b""

    def write(self, data: bytes) -> None:
        self._beginning += data[: _FIRST_LINE_BYTES - len(self._beginning)]
        self._answer.write(data)

    def problem(self) -> str | None:
        line = one_line(self._beginning.decode("utf-8", "replace").lstrip().partition("\n")[0])
        if line.lower().startswith(_COMPLAINTS.get(self.name, ())):
            return f"{self.name} says: {line}"
        return None


class JsonReply(ProgramReply):
    """A reply inside JSON: one document, or one event per line."""

    is_json = True

    def __init__(self, name: str, output: RunOutput) -> None:
        super().__init__(name, output)
        #: The part received so far of an incomplete document or line.
        self._buffer = bytearray()
        self._is_document = False
        #: The last line that is not JSON, such as an error message in plain text.
        self._stray = ""
        self.is_complete = False
        self.failure: str | None = None

    def write(self, data: bytes) -> None:
        self._output.write_apart(data)
        scanned = len(self._buffer)
        self._buffer += data
        while not self._is_document and (end := self._buffer.find(b"\n", scanned)) >= 0:
            scanned = 0
            if self._take_text(bytes(self._buffer[:end]), may_go_on=True):
                del self._buffer[: end + 1]
            else:
                self._is_document = True  # it spans several lines and is parsed at the end
        if len(self._buffer) > _JSON_BYTES:
            self._fail(f"more than {_JSON_BYTES} bytes of JSON")
            self._buffer.clear()

    def end(self) -> None:
        self._take_text(bytes(self._buffer), may_go_on=False)
        self._buffer.clear()
        super().end()

    def problem(self) -> str | None:
        if self.failure is not None:
            return f"{self.name} says: {self.failure}"
        if not self.is_complete:
            said = f": {self._stray}" if self._stray else ""
            return f"{self.name} did not say that its reply is complete{said}"
        return None

    def _take_text(self, text: bytes, *, may_go_on: bool) -> bool:
        """Process the events in a piece of JSON; False when the piece is incomplete."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            if may_go_on and text.lstrip()[:1] in (b"{", b"["):
                return False
            self._stray = one_line(text.decode("utf-8", "replace")) or self._stray
            return True
        for event in document if isinstance(document, list) else [document]:
            if isinstance(event, dict):
                self._take(event)
        return True

    def _take(self, event: dict[str, Any]) -> None:
        if self._output.life is not None:
            for tool, is_over in _tools_in(self.name, event):
                (self._output.life.tool_ended if is_over else self._output.life.tool_began)(tool)
        match self.name:
            case "claude":
                self._take_claude(event)
            case "codex":
                self._take_codex(event)
            case "gemini":
                self._take_gemini(event)
            case _:
                self._take_opencode(event)

    def _take_claude(self, event: dict[str, Any]) -> None:
        if event.get("type") != "result":
            return
        result = event.get("result")
        if event.get("is_error") or event.get("subtype") != "success":
            self._fail(result or event.get("subtype") or "an error")
        elif event.get("stop_reason") in ("max_tokens", "refusal"):
            self._fail(f"stop_reason {event['stop_reason']}")
        else:
            self._say(result)
            self.is_complete = True

    def _take_codex(self, event: dict[str, Any]) -> None:
        item = event.get("item")
        match event.get("type"):
            case "item.completed" if isinstance(item, dict):
                if item.get("type") == "agent_message":
                    self._say(item.get("text"))
            case "turn.completed":
                self.is_complete = True
            case "turn.failed":
                self._fail(reason_in(event) or "the turn failed")

    def _take_gemini(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            self._fail(reason_in(event) or "an error")
        elif "response" in event:
            self._say(event["response"])
            self.is_complete = True
        elif event.get("type") == "message" and event.get("role") == "assistant":
            self._say(event.get("content"))
        elif event.get("type") == "result":
            self.is_complete = event.get("status") == "success"

    def _take_opencode(self, event: dict[str, Any]) -> None:
        part = event.get("part")
        part = part if isinstance(part, dict) else {}
        match event.get("type"):
            case "text":
                self._say(part.get("text"))
            case "error":
                error = event.get("error")
                data = error.get("data") if isinstance(error, dict) else None
                self._fail(reason_in({"error": data}) or reason_in(event) or "an error")
            case "step_finish" if part.get("reason") == "stop":
                self.is_complete = True
            case "step_finish" if part.get("reason") != "tool-calls":
                self._fail(f"the reply ended with {part.get('reason')!r}")

    def _say(self, text: object) -> None:
        if isinstance(text, str):
            self._answer.write(text.encode("utf-8", "replace"))

    def _fail(self, reason: object) -> None:
        self.failure = self.failure or one_line(str(reason))


#: Items of codex's events that are no tools.
_CODEX_WORDS = frozenset({"agent_message", "reasoning", "todo_list", "error", None})


def _tools_in(name: str, event: dict[str, Any]) -> Iterator[tuple[object, bool]]:
    """The tools that an event is about, each with whether it is over.

    opencode prints a tool when it is over, and nothing when it begins.
    """
    kind = event.get("type")
    match name:
        case "claude" if kind in ("assistant", "user"):
            message = event.get("message")
            content = message.get("content") if isinstance(message, dict) else None
            for block in content if isinstance(content, list) else ():
                if isinstance(block, dict) and block.get("type") == "tool_use":
                    yield block.get("id"), False
                elif isinstance(block, dict) and block.get("type") == "tool_result":
                    yield block.get("tool_use_id"), True
        case "codex" if kind in ("item.started", "item.completed"):
            item = event.get("item")
            if isinstance(item, dict) and item.get("type") not in _CODEX_WORDS:
                yield item.get("id"), kind == "item.completed"
        case "gemini" if kind in ("tool_use", "tool_result"):
            yield event.get("tool_id"), kind == "tool_result"


class DetectedReply(ProgramReply):
    """A reply in the format that stdout has: JSON, or else plain text.

    It is JSON when the first document on stdout is the program's. Lines before it are not part of
    the reply.
    """

    def __init__(self, name: str, output: RunOutput) -> None:
        super().__init__(name, output)
        self._plain = PlainReply(name, output)
        #: The receiver of the rest, once the format is known.
        self._decided: ProgramReply | None = None
        #: The beginning of a line that may begin a document, or of that document.
        self._held = b""
        self._is_in_line = False
        self._is_in_document = False

    @property
    def is_json(self) -> bool:  # type: ignore[override]
        return self._decided is not None and self._decided.is_json

    @property
    def has_answer(self) -> bool:
        return (self._decided or self._plain).has_answer

    @property
    def has_thoughts(self) -> bool:
        return (self._decided or self._plain).has_thoughts

    def problem(self) -> str | None:
        return (self._decided or self._plain).problem()

    def write(self, data: bytes) -> None:
        if self._decided is not None:
            self._decided.write(data)
            return
        self._held += data
        while self._held and self._decided is None:
            if self._is_in_line or _MAY_BEGIN_JSON.fullmatch(self._held) is None:
                if self._is_in_line or _JSON_BEGINS.match(self._held) is None:
                    line, newline, self._held = self._held.partition(b"\n")
                    self._plain.write(line + newline)
                    self._is_in_line = not newline
                    continue
                # A document ends with its line, or else spans lines and is parsed at the end.
                if not self._is_in_document and b"\n" in self._held.lstrip():
                    self._is_in_document = True
                    self._decide(is_last=False)
                if len(self._held) > _JSON_BYTES:
                    self._decide(is_last=True)
            return

    def end(self) -> None:
        if self._decided is None:
            self._decide(is_last=True)
        (self._decided or self._plain).end()

    def _decide(self, *, is_last: bool) -> None:
        """Choose the format by the first document; a document that is cut off is the program's."""
        held = self._held
        is_json = _JSON_BEGINS.match(held) is not None and not self._is_in_line
        if is_json:
            try:
                text = held.decode("utf-8", "replace").lstrip()
                is_json = _is_of_program(self.name, json.JSONDecoder().raw_decode(text)[0])
            except (ValueError, RecursionError):
                if not is_last:
                    return
        if is_json:
            if self._plain.has_answer:
                self._output.restart()
            self._decided = JsonReply(self.name, self._output)
        else:
            self._decided = self._plain
        self._held = b""
        self._decided.write(held)


def _is_of_program(name: str, document: object) -> bool:
    """Whether the first JSON document on stdout has the shape that the program prints."""
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        return False
    kind = str(first.get("type"))
    match name:
        case "claude":
            known = {"subtype", "is_error", "session_id", "message"}
            return kind in _CLAUDE_EVENTS and not known.isdisjoint(first)
        case "codex":
            is_error = kind == "error" and "message" in first
            return is_error or kind.startswith(("thread.", "turn.", "item."))
        case "gemini":
            is_event = kind in _GEMINI_EVENTS and not _GEMINI_KEYS.isdisjoint(first)
            return is_event or "response" in first or isinstance(first.get("error"), dict)
        case _:
            is_error = kind == "error" and isinstance(first.get("error"), dict)
            return is_error or "sessionID" in first or isinstance(first.get("part"), dict)


def recognized(argv: Sequence[str]) -> str | None:
    """The preset of the program that an argv starts, directly or through a launcher such as npx."""
    for place, word in enumerate(argv):
        # A package may carry a version: @openai/codex@0.171.0.
        package = word.rpartition("@")[0] if word.rfind("@") > 0 else word
        name = _PACKAGES.get(package) or PurePath(package).stem
        if name in _COMPLAINTS:
            return name
        if place == 0 and name not in _LAUNCHERS:
            return None
    return None


def reply_of(argv: Sequence[str], preset: str | None, output: RunOutput) -> ProgramReply:
    """The receiver of a program's stdout, chosen by the preset or else by the program's name.

    An argv with a JSON option means JSON. Without one, a program that a job names by its preset may
    have the option inside, and its format is detected.
    """
    name = preset or recognized(argv) or NO_PRESET
    words = {word.rpartition("=")[2] for word in argv}
    if name == NO_PRESET:
        return PlainReply(name, output)
    if words & _JSON_WORDS:
        return JsonReply(name, output)
    return PlainReply(name, output) if preset is None else DetectedReply(name, output)
