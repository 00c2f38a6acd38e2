"""Application of a job's `fail_on` rules to the output of its run."""

import codecs
import json
from collections.abc import Iterator
from typing import Any

from universal_agent.domain.fail_on import ANYTHING, FailOn, matches
from universal_agent.domain.run import RunStatus
from universal_agent.runners.answers import parse_json
from universal_agent.runners.base import RunResult
from universal_agent.runners.captured_output import CapturedOutput
from universal_agent.runners.output import RunOutput, one_line, plain_text

#: How much of a line is matched, and how much of the output is parsed as JSON.
_LINE_CHARS = 16 * 1024
_JSON_BYTES = 1024 * 1024


class WatchedOutput(CapturedOutput):
    """Forwards everything, and records the rules that the output violates."""

    def __init__(self, onto: RunOutput, rules: FailOn) -> None:
        super().__init__(onto, captured_bytes=_JSON_BYTES if rules.json else 0)
        self._rules = rules
        self._lines = _Lines()
        self._stderr_lines = _Lines()
        self._violation: str | None = None
        self._missing = set(rules.missing)
        #: Whether a runner gave an answer without running anything.
        self._is_shown = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self._scan(self._lines.split(data))

    def write_stderr(self, data: bytes) -> None:
        super().write_stderr(data)
        self._scan_stderr(self._stderr_lines.split(data))

    def show(self, text: str) -> None:
        super().show(text)
        self._is_shown = True

    def restart(self) -> None:
        super().restart()
        self._lines = _Lines()
        self._violation = None
        self._missing = set(self._rules.missing)

    def judge(self, result: RunResult) -> RunResult:
        """The result; a failure instead of a success that violates a rule."""
        self._scan(self._lines.end())
        self._scan_stderr(self._stderr_lines.end())
        if result.status is not RunStatus.SUCCESS or self._is_shown:
            return result
        problem = self._violation or self._without() or self._json_problem()
        if problem is None:
            return result
        return RunResult(status=RunStatus.ERROR, error=problem, exit_code=result.exit_code)

    def _scan(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._match("output", self._rules.output, line)
            self._missing = {p for p in self._missing if not matches(p, line)}

    def _scan_stderr(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._match("stderr", self._rules.stderr, line)

    def _match(self, rule: str, patterns: tuple[str, ...], line: str) -> None:
        for pattern in patterns:
            if self._violation is None and matches(pattern, line):
                self._violation = f"fail_on.{rule} {pattern!r} was printed: {one_line(line)}"

    def _without(self) -> str | None:
        left = [pattern for pattern in self._rules.missing if pattern in self._missing]
        return f"fail_on.missing {left[0]!r} was not printed{self.closing_words}" if left else None

    def _json_problem(self) -> str | None:
        if not self._rules.json:
            return None
        documents = list(_documents(self.text))
        if not documents:
            return f"fail_on.json expects JSON in the output{self.closing_words or ', got none'}"
        for path, wanted in self._rules.json.items():
            for document in documents:
                found, value = _at(document, path)
                if found and any(_means(value, one) for one in wanted):
                    return f"fail_on.json {path} is {one_line(json.dumps(value), 80)}"
        return None


class _Lines:
    """Splits pieces of bytes into lines of text; a very long line is truncated."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def split(self, data: bytes) -> Iterator[str]:
        text = self._decode(data).replace("\r", "\n")
        if "\n" not in text:
            self._rest = (self._rest + text)[:_LINE_CHARS]
            return
        first, *lines, rest = text.split("\n")
        yield plain_text((self._rest + first)[:_LINE_CHARS])
        self._rest = rest[:_LINE_CHARS]
        for line in lines:
            yield plain_text(line[:_LINE_CHARS])

    def end(self) -> Iterator[str]:
        yield from self.split(self._decode(b"", final=True).encode() + b"\n")


def _documents(text: str) -> Iterator[Any]:
    """The JSON in an output: all of it, or each line that is an object."""
    whole = parse_json(text)
    if isinstance(whole, dict | list):
        yield whole
        return
    for line in text.splitlines():
        if isinstance(document := parse_json(line), dict):
            yield document


def _at(document: Any, path: str) -> tuple[bool, Any]:
    """Whether a value exists at a path, and the value."""
    for name in path.split("."):
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            document = document[int(name)]
        else:
            return False, None
    return True, document


def _means(value: Any, wanted: Any) -> bool:
    if wanted == ANYTHING:
        return bool(value)
    # `True == 1` in Python; JSON distinguishes them.
    return type(value) is type(wanted) and bool(value == wanted)
