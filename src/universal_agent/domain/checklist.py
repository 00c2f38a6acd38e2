"""The checklist that a HEARTBEAT.md contains.

A line of a small part of Markdown is one of these:

- ``- [ ] disk: `df -h / | ./below 90` `` is a *check*: a name and one span of code, a shell line;
- any other item, check box or not, and any other text is for an agent;
- `- [x] ...` is done, and inactive;
- headings, rules, blank lines, empty items, `<!-- comments -->`, front matter and lines that are
  only a Markdown link are ignored.

If nothing remains, the checklist is empty and no agent is asked. A code block is text for an agent,
never a check; comments (`# ...`) in it are ignored.
"""

import re
from dataclasses import dataclass, field

#: The longest HEARTBEAT.md, in bytes of UTF-8.
CHECKLIST_BYTES = 32 * 1024

_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s+(?P<rest>.*))?$")
_BOX = re.compile(r"\[(?P<mark>[ xX]?)\](?P<text>\s.*|)$")
_LIKE_A_BOX = re.compile(r"\[[^\]]{0,3}\](?!\()")
_TICKS = re.compile("`+")
_CODE = re.compile("`[^`]+`")
_NOTHING = re.compile(r"\s*(#{1,6}(\s.*)?|(?:[-*_]\s*){3,}|=+|>+)?\s*$")
#: A comment in a code block.
_CODE_COMMENT = re.compile(r"\s*(#.*|//.*)?$")
#: One Markdown link or image and nothing else, or the definition of one.
_LINK = re.compile(r"!?\[[^\[\]]*\]\([^()]*(?:\([^()]*\)[^()]*)*\)[.,;]?$|\[[^\[\]]+\]:\s+\S+")
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(?:[ \t]*\n|#.*\n)*[A-Za-z_][\w .-]*:(?:[ \t].*)?\n"
    r"(?:(?:[A-Za-z_][\w .-]*:(?:[ \t].*)?|[ \t]+\S.*|- .*|#.*|[ \t]*)\n)*?"
    r"(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Check:
    """An active item that is a shell command."""

    name: str
    command: str
    #: Its line number, from 1.
    line: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a checklist that may not do what its author expects."""

    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """What is to be checked."""

    checks: tuple[Check, ...]
    #: The lines of everything active that only an agent can do.
    agent_lines: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a check nor text for an agent."""
        return not (self.checks or self.agent_lines)


def read_checklist(text: str) -> Checklist:
    """The checklist of a HEARTBEAT.md; any text is one."""
    return _Reading(text).checklist()


@dataclass(slots=True)
class _Reading:
    """The state of reading a checklist."""

    text: str
    checks: list[Check] = field(default_factory=list)
    agent_lines: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def checklist(self) -> Checklist:
        self._note_lost_comment()
        fence: tuple[int, str] | None = None
        for number, line in enumerate(_what_counts(self.text).split("\n"), start=1):
            found = _FENCE.match(line)
            if fence is not None:
                closes = found is not None and found["fence"].startswith(fence[1])
                if closes and not (found and found["info"].strip()):
                    fence = None
                elif not _CODE_COMMENT.match(line):
                    self.agent_lines.append(number)
            elif found is not None and "`" not in found["info"]:
                fence = (number, found["fence"])
            else:
                self._read(line, number)
        if fence is not None:
            self._note(fence[0], "this code block is never closed, so no item after it is a check")
        self._note_names_used_twice()
        return Checklist(
            tuple(self.checks),
            tuple(self.agent_lines),
            tuple(sorted(self.findings, key=lambda finding: finding.line)),
        )

    def _read(self, line: str, number: int) -> None:
        if _NOTHING.match(line):
            return
        item = _ITEM.match(line)
        rest = (line if item is None else item["rest"] or "").strip()
        if _LINK.match(rest):
            self._note(number, "a link alone asks for nothing; say what is to be done with it")
            return
        if item is None:
            self.agent_lines.append(number)
            return
        box = _BOX.match(rest)
        if box is not None:
            self._read_box(box, number)
        elif rest:
            self.agent_lines.append(number)
            if _LIKE_A_BOX.match(rest):
                self._note(number, "a check box is `[ ]`, or `[x]` when it is done, and a space")
            elif _name_and_command(rest) is not None:
                self._note(
                    number, "only an item with a check box, `- [ ]`, is run; this is for an agent"
                )

    def _read_box(self, box: "re.Match[str]", number: int) -> None:
        text = box["text"].strip()
        if box["mark"] in ("x", "X") or not text:
            return
        check = _name_and_command(text)
        if check is not None:
            self._read_check(*check, number)
            return
        self.agent_lines.append(number)
        if text.count("`") % 2:
            self._note(number, "the code is not closed by a backtick; this is for an agent")
        elif _CODE.search(text):
            self._note(
                number,
                "a check is ``name: `command` `` and nothing more; this is for an agent",
            )

    def _read_check(self, name: str, command: str, number: int) -> None:
        if not command:
            self._note(number, "there is no command between the backticks; nothing is run")
            return
        if not name:
            self._note(number, "a name ahead of the command, `name:`, would be in the alert")
        self.checks.append(Check(name or command, command, number))

    def _note(self, line: int, sentence: str) -> None:
        self.findings.append(Finding(line, sentence))

    def _note_lost_comment(self) -> None:
        last = self.text.rfind("<!--")
        if last >= 0 and "-->" not in self.text[last:]:
            line = self.text.count("\n", 0, last) + 1
            self._note(line, "this comment is never closed, so nothing after it counts")

    def _note_names_used_twice(self) -> None:
        lines: dict[str, int] = {}
        for check in self.checks:
            if check.name in lines:
                self._note(
                    check.line, f"line {lines[check.name]} has the same name, {check.name!r}"
                )
            lines.setdefault(check.name, check.line)


def _name_and_command(text: str) -> tuple[str, str] | None:
    """Both parts of ``name: `command` ``, the name empty where there is none; else None."""
    opening = _TICKS.search(text)
    if opening is None:
        return None
    name, ticks = text[: opening.start()].strip(), opening[0]
    if name and not name.endswith(":"):
        return None
    runs = _TICKS.findall(text, opening.end())
    # The code ends with the first run of as many backticks, and with it the item.
    if runs.count(ticks) != 1 or runs[-1] != ticks or not text.endswith("`"):
        return None
    return name.strip(":*_~ "), text[opening.end() : -len(ticks)].strip()


def _what_counts(text: str) -> str:
    """The text with line breaks in place of front matter and comments: lines keep their numbers."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = _FRONT_MATTER.sub(_line_breaks, text, count=1)
    return _COMMENT.sub(_line_breaks, text)


def _line_breaks(found: "re.Match[str]") -> str:
    return "\n" * found[0].count("\n")
