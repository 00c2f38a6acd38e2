"""The config of a session's heartbeats: interval, active hours, prompt, delivery, visibility.

The gateway's settings apply to all sessions; a HEARTBEAT.json in a session's workspace overrides
the values that it contains. Both are validated strictly: an invalid value is refused with the name
of its key, and affects that session only.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.local_time import load_zone
from universal_agent.domain.phrases import parse_duration
from universal_agent.domain.slot import REF_PATTERN
from universal_agent.errors import InvalidInput

#: The files of a workspace that the heartbeat reads.
CHECKLIST_FILE = "HEARTBEAT.md"
OVERRIDES_FILE = "HEARTBEAT.json"

#: The longest HEARTBEAT.json, in characters.
OVERRIDES_CHARS = 64 * 1024

DEFAULT_PROMPT = (
    "This is a heartbeat: a regular check of your workspace. Follow the checklist of HEARTBEAT.md "
    "below strictly. Do not take up tasks of earlier conversations. If nothing needs attention, "
    "reply HEARTBEAT_OK. Otherwise say what needs attention, and do not write HEARTBEAT_OK."
)

_LONGEST_PROMPT = 16 * 1024
_LONGEST_ACK = 10_000
_LONGEST_EXEC = 86_400
_LONGEST_DEDUPE = 366 * 86_400
_MOST_NAMES = 100

_TOKEN = re.compile(r"\w{1,64}", re.ASCII)


class DeliveryMode(StrEnum):
    """The recipients of a heartbeat's report."""

    #: The session's own clients.
    LAST = "last"
    #: The clients of the listed sessions.
    EXPLICIT = "explicit"
    #: No recipient; the report is stored.
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatConfig:
    """The config of one session's heartbeats."""

    every: timedelta = timedelta(minutes=25)
    #: None: at any hour.
    active_hours: ActiveHours | None = None
    #: The zone of the active hours.
    timezone: str = "UTC"
    prompt: str = DEFAULT_PROMPT
    ok_tokens: tuple[str, ...] = ("HEARTBEAT_OK", "UA_HEARTBEAT_OK")
    ack_max_chars: int = 300
    #: Whether beats of a workspace without a HEARTBEAT.md are skipped.
    require_file: bool = False
    exec_timeout_seconds: int = 300
    delivery_mode: DeliveryMode = DeliveryMode.LAST
    explicit_session_ids: tuple[str, ...] = ()
    show_ok: bool = False
    show_alerts: bool = True
    #: The same alert is delivered once in this time.
    dedupe_window: timedelta = timedelta(days=1)
    #: Whether clients get a `heartbeat_indicator` where they get no summary.
    use_indicator: bool = False

    def is_active(self, now: datetime) -> bool:
        """Whether a scheduled beat may run at `now`."""
        if self.active_hours is None:
            return True
        return self.active_hours.contain(now, timezone=self.timezone)


def configured(values: Mapping[str, object]) -> HeartbeatConfig:
    """The config of these values by their variables. Raises InvalidInput that names one."""
    return _with(HeartbeatConfig(), values, _VARIABLES)


def overridden(config: HeartbeatConfig, json_text: str) -> HeartbeatConfig:
    """The config with the overrides of a HEARTBEAT.json.

    Raises InvalidInput that names the key (`delivery.mode`): it is unknown, or its value invalid.
    """
    return _with(config, _flat(_parsed(json_text)), _KEYS)


def in_force(config: HeartbeatConfig, metadata: Mapping[str, Any]) -> HeartbeatConfig:
    """The config of a session whose beats have this metadata.

    The metadata contains the last valid HEARTBEAT.json and the delivery mode that a person set.
    """
    text, mode = metadata.get("overrides"), metadata.get("delivery_mode")
    if text is not None:
        with suppress(InvalidInput):  # an earlier version of this product accepted it
            config = overridden(config, text)
    return config if mode is None else replace(config, delivery_mode=DeliveryMode(mode))


def _parsed(json_text: str) -> dict[str, Any]:
    if len(json_text) > OVERRIDES_CHARS:
        raise InvalidInput(
            f"{OVERRIDES_FILE}: expected at most {OVERRIDES_CHARS} characters, got {len(json_text)}"
        )
    try:
        parsed = json.loads(json_text, object_pairs_hook=_each_once)
    except RecursionError:
        raise InvalidInput(f"{OVERRIDES_FILE}: expected a JSON object, got a deep nest") from None
    except ValueError as error:
        raise InvalidInput(f"{OVERRIDES_FILE}: expected a JSON object: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidInput(f"{OVERRIDES_FILE}: expected a JSON object, got {_shown(parsed)}")
    return parsed


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without duplicate keys: it would be ambiguous which value applies."""
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"{twice[:60]}: expected once, got it twice", field=twice[:60])
    return dict(pairs)


def _flat(parsed: Mapping[str, Any]) -> dict[str, object]:
    """The values by dotted key, such as `delivery.mode`."""
    values: dict[str, object] = {}
    for name, value in parsed.items():
        if name not in _SECTIONS:
            # A key with a dot is not valid: it would be a second way to name a nested value.
            values[name if "." not in name else f"{name!r}"] = value
        elif isinstance(value, dict):
            values.update({f"{name}.{inner}": v for inner, v in value.items()})
        else:
            raise InvalidInput(f"{name}: expected an object, got {_shown(value)}", field=name)
    return values


def _with(
    config: HeartbeatConfig, values: Mapping[str, object], readers: "Mapping[str, _Reader]"
) -> HeartbeatConfig:
    read: dict[str, Any] = {}
    for key, value in values.items():
        reader = readers.get(key)
        if reader is None:
            raise InvalidInput(
                f"{key[:60]}: expected one of {', '.join(sorted(readers))}", field=key[:60]
            )
        read[reader.field] = reader.read(value, key)
    return replace(config, **read)


# -- one reader per kind of value: (value, key) -> value; raises InvalidInput that names the key


def _refused(key: str, expected: str, value: object) -> InvalidInput:
    return InvalidInput(f"{key}: expected {expected}, got {_shown(value)}", field=key)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(expected: str, longest: int) -> "Callable[[object, str], str]":
    def read(value: object, key: str) -> str:
        if isinstance(value, str) and value.strip() and len(value) <= longest:
            return value
        raise _refused(key, expected, value)

    return read


def _number(lowest: int, highest: int) -> Callable[[object, str], int]:
    def read(value: object, key: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise _refused(key, f"a whole number from {lowest} to {highest}", value)

    return read


def _names(pattern: re.Pattern[str], expected: str) -> Callable[[object, str], tuple[str, ...]]:
    def read(value: object, key: str) -> tuple[str, ...]:
        if (
            isinstance(value, list | tuple)
            and len(value) <= _MOST_NAMES
            and all(isinstance(name, str) and pattern.fullmatch(name) for name in value)
        ):
            return tuple(dict.fromkeys(value))
        raise _refused(key, f"a list of {expected}", value)

    return read


def _flag(value: object, key: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _refused(key, "true or false", value)


def _interval(value: object, key: str) -> timedelta:
    text = _text("an interval such as 25m or 2h", 200)(value, key)
    try:
        return parse_duration(text, field=key)
    except InvalidInput as error:
        raise InvalidInput(f"{key}: {error.message}", field=key) from None


def _hours(value: object, key: str) -> ActiveHours | None:
    if value is None:
        return None
    text = _text("HH:MM-HH:MM such as 08:00-22:00, or null", 40)(value, key)
    return ActiveHours.parse(text, field=key)


def _zone(value: object, key: str) -> str:
    text = _text("an IANA time zone such as Europe/Berlin", 64)(value, key)
    try:
        return load_zone(text).key
    except InvalidInput as error:
        raise InvalidInput(f"{key}: {error.message}", field=key) from None


def _mode(value: object, key: str) -> DeliveryMode:
    for mode in DeliveryMode:
        if value == mode:
            return mode
    raise _refused(key, " or ".join(DeliveryMode), value)


def _seconds(value: object, key: str) -> timedelta:
    return timedelta(seconds=_number(0, _LONGEST_DEDUPE)(value, key))


def _tokens(value: object, key: str) -> tuple[str, ...]:
    tokens = _names(_TOKEN, "words of letters, digits and _")(value, key)
    if not tokens:
        raise _refused(key, "at least one word", value)
    return tokens


@dataclass(frozen=True, slots=True)
class _Reader:
    """The field of the config that a key sets, and the reader of its value."""

    field: str
    read: Callable[[object, str], object]
    variable: str


_prompt = _text(f"a prompt of at most {_LONGEST_PROMPT} characters", _LONGEST_PROMPT)
_ids = _names(REF_PATTERN, "session ids")

_KEYS: Mapping[str, _Reader] = {
    "every": _Reader("every", _interval, "UA_HEARTBEAT_EVERY"),
    "active_hours": _Reader("active_hours", _hours, "UA_HEARTBEAT_ACTIVE_HOURS"),
    "timezone": _Reader("timezone", _zone, "UA_HEARTBEAT_TIMEZONE"),
    "prompt": _Reader("prompt", _prompt, "UA_HEARTBEAT_PROMPT"),
    "ok_tokens": _Reader("ok_tokens", _tokens, "UA_HEARTBEAT_OK_TOKENS"),
    "ack_max_chars": _Reader(
        "ack_max_chars", _number(0, _LONGEST_ACK), "UA_HEARTBEAT_ACK_MAX_CHARS"
    ),
    "require_file": _Reader("require_file", _flag, "UA_HEARTBEAT_REQUIRE_FILE"),
    "exec_timeout_seconds": _Reader(
        "exec_timeout_seconds", _number(1, _LONGEST_EXEC), "UA_HEARTBEAT_EXEC_TIMEOUT"
    ),
    "delivery.mode": _Reader("delivery_mode", _mode, "UA_HB_DELIVERY_MODE"),
    "delivery.explicit_session_ids": _Reader(
        "explicit_session_ids", _ids, "UA_HB_EXPLICIT_SESSION_IDS"
    ),
    "visibility.show_ok": _Reader("show_ok", _flag, "UA_HB_SHOW_OK"),
    "visibility.show_alerts": _Reader("show_alerts", _flag, "UA_HB_SHOW_ALERTS"),
    "visibility.dedupe_window_seconds": _Reader("dedupe_window", _seconds, "UA_HB_DEDUPE_WINDOW"),
    "visibility.use_indicator": _Reader("use_indicator", _flag, "UA_HB_USE_INDICATOR"),
}
_VARIABLES = {reader.variable: reader for reader in _KEYS.values()}
_SECTIONS = frozenset(key.partition(".")[0] for key in _KEYS if "." in key)
