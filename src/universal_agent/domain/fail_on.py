"""Rules by which a job's run counts as failed, in addition to what its runner detects.

Many programs exit with 0 although they failed: they print a limit, ask for a login, or stop
halfway. A job can name the output, the exit codes and the JSON fields that mean failure. Patterns
are plain text with `*`, not regular expressions, so that matching takes linear time on any output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from universal_agent.errors import InvalidInput

#: Agent programs whose ways of failing are known; `none` switches their recognition off.
PRESETS = ("claude", "codex", "gemini", "opencode")
NO_PRESET = "none"

_KEYS = ("preset", "output", "stderr", "missing", "exit_codes", "json")
_MOST = 20
_PATTERN_CHARS = 200

#: Which of them make sense for a runner; others know their output alone.
_KEYS_OF = {
    "agent": frozenset(_KEYS),
    "shell": frozenset({"output", "missing", "exit_codes", "json"}),
}
_KEYS_OF_OTHERS = frozenset({"output", "missing", "json"})

#: A JSON value that means "there, and not false, zero, null or empty".
ANYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOn:
    """The rules of one job; any rule that applies makes the run a failure."""

    preset: str | None = None
    #: A line of the output matches one of these.
    output: tuple[str, ...] = ()
    #: A line of an agent program's stderr matches one of these.
    stderr: tuple[str, ...] = ()
    #: No line of the output matches one of these.
    missing: tuple[str, ...] = ()
    #: The exit codes that mean failure; None: all but 0.
    exit_codes: tuple[int, ...] | None = None
    #: Paths in the JSON that is printed, and the values there that mean failure.
    json: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def reads_output(self) -> bool:
        """Whether a rule needs to see what is printed."""
        return bool(self.output or self.stderr or self.missing or self.json)

    def record(self) -> dict[str, Any]:
        """The wire and stored form, without what is not set."""
        record: dict[str, Any] = {
            "preset": self.preset,
            "output": list(self.output),
            "stderr": list(self.stderr),
            "missing": list(self.missing),
            "exit_codes": None if self.exit_codes is None else list(self.exit_codes),
            "json": {path: list(values) for path, values in self.json.items()},
        }
        return {key: value for key, value in record.items() if value not in (None, [], {})}


def read_fail_on(value: Any) -> FailOn | None:
    """The rules that a person gave: an object, or the name of a preset. Raises InvalidInput."""
    if value is None or value == {}:
        return None
    if isinstance(value, str):
        value = {"preset": value}
    if not isinstance(value, Mapping):
        raise _bad("an object or the name of a preset", value)
    for key in value:
        if key not in _KEYS:
            raise _bad(f"keys among {', '.join(_KEYS)}", key)
    given = {key: value[key] for key in value if value[key] is not None}
    rules: dict[str, Any] = {
        key: _patterns(key, given[key]) for key in ("output", "stderr", "missing") if key in given
    }
    if "preset" in given:
        rules["preset"] = _preset(given["preset"])
    if "exit_codes" in given:
        rules["exit_codes"] = _exit_codes(given["exit_codes"])
    if "json" in given:
        rules["json"] = _json_rules(given["json"])
    return FailOn(**rules)


def check_fail_on(rules: FailOn, runner: str) -> None:
    """Raise InvalidInput when a rule can never apply to runs of `runner`."""
    sensible = _KEYS_OF.get(runner, _KEYS_OF_OTHERS)
    for key in rules.record():
        if key not in sensible:
            raise InvalidInput(
                f"expected {' or '.join(k for k in _KEYS if k in sensible)} for the runner "
                f"{runner}, got {key}",
                field=f"fail_on.{key}",
            )


def matches(pattern: str, line: str) -> bool:
    """Whether a line contains a pattern: letter case does not matter, `*` is any text.

    The first place of each part is as good as any other, so nothing is tried twice.
    """
    line, place = line.lower(), 0
    for part in pattern.lower().split("*"):
        found = line.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _preset(value: Any) -> str:
    if value not in (*PRESETS, NO_PRESET):
        raise _bad(f"one of {', '.join((*PRESETS, NO_PRESET))}", value, "preset")
    return str(value)


def _patterns(key: str, value: Any) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, Sequence) or not 1 <= len(patterns) <= _MOST:
        raise _bad(f"1 to {_MOST} patterns", value, key)
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern.strip("* \t"):
            raise _bad("a pattern with some text in it", pattern, key)
        if len(pattern) > _PATTERN_CHARS or not pattern.isprintable():
            raise _bad(f"one line of at most {_PATTERN_CHARS} characters", pattern, key)
    return tuple(patterns)


def _exit_codes(value: Any) -> tuple[int, ...]:
    codes = [value] if isinstance(value, int) else value
    if not isinstance(codes, Sequence) or isinstance(codes, str) or not 1 <= len(codes) <= _MOST:
        raise _bad(f"1 to {_MOST} exit codes", value, "exit_codes")
    for code in codes:
        if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code <= 255:
            raise _bad("exit codes of 0 to 255", code, "exit_codes")
    return tuple(codes)


def _json_rules(value: Any) -> dict[str, tuple[Any, ...]]:
    if not isinstance(value, Mapping) or not 1 <= len(value) <= _MOST:
        raise _bad('an object such as {"is_error": true}', value, "json")
    rules = {}
    for path, wanted in value.items():
        if not all(path.split(".")) or len(path) > _PATTERN_CHARS or not path.isprintable():
            raise _bad("a path of names with dots between them", path, "json")
        values = wanted if isinstance(wanted, list) else [wanted]
        if not 1 <= len(values) <= _MOST or any(isinstance(v, dict | list) for v in values):
            raise _bad("a value, or a list of them", wanted, f"json.{path}")
        rules[path] = tuple(values)
    return rules


def _bad(expected: str, got: Any, key: str | None = None) -> InvalidInput:
    said = repr(got)
    said = said if len(said) <= 80 else said[:79] + "…"
    field_name = "fail_on" if key is None else f"fail_on.{key}"
    return InvalidInput(f"expected {expected}, got {said}", field=field_name)
