"""Answers of the gateway: documents whose fields are checked when a command reads them.

A field that is missing, or has another type than the contract gives it, ends the command with one
sentence. So no command checks its answers itself.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from universal_agent import __version__
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.errors import InvalidSchedule

#: Seconds since 1970 that every time zone can show, and the longest span of time.
_LAST_SECOND = 253_000_000_000
_LONGEST_SECONDS = 86_400 * 999_999_999

#: How much of a wrong value a message shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that a field may have."""

    words: str
    fits: Callable[[Any], bool]
    #: The type of the entries of a list.
    entries: type | None = None

    def or_null(self) -> "Kind":
        """The same, or null."""
        return Kind(
            f"{self.words} or null", lambda value: value is None or self.fits(value), self.entries
        )


def _list_of(words: str, entries: type) -> Kind:
    def fits(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(one, entries) for one in value)

    return Kind(f"a list of {words}", fits, entries)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_epoch(value: object) -> bool:
    return _is_number(value) and 0 <= value < _LAST_SECOND  # type: ignore[operator]


def _is_time(value: object) -> bool:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return False
    return instant is not None and instant.tzinfo is not None and _is_epoch(instant.timestamp())


def _is_zone(value: object) -> bool:
    from universal_agent.domain.local_time import load_zone

    try:
        return isinstance(value, str) and load_zone(value) is not None
    except InvalidSchedule:
        return False


TEXT = Kind("text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("an integer", lambda v: isinstance(v, int) and not isinstance(v, bool))
SECONDS = Kind(
    "a number of seconds", lambda value: _is_number(value) and abs(value) < _LONGEST_SECONDS
)
EPOCH = Kind("a number of seconds since 1970", _is_epoch)
TIME = Kind("a time in ISO 8601, with its offset", _is_time)
ZONE = Kind("a time zone that this machine knows", _is_zone)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
OBJECTS = _list_of("objects", dict)
TEXTS = _list_of("texts", str)
OBJECTS_BY_NAME = Kind(
    "an object of objects",
    lambda value: isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()),
)
COUNTS = Kind(
    "an object of integers",
    lambda value: isinstance(value, dict) and all(INTEGER.fits(v) for v in value.values()),
)

#: The fields that commands read. A field that means different things in different objects has an
#: entry for each, after the field that holds the object.
_NAMES = {
    TEXT: (
        "cause client_turn_id code command confidence decision description "
        "detail event_id expected_hash "
        "hash id job_id kind message mode name on_miss outage_id outcome output_preview overlap "
        "origin process_id proposal_id recommended.reason resolution run_id runner session_id "
        "source source_ref status summary text timezone_source title trigger type url user_id "
        "version workspace_dir"
    ),
    TEXT.or_null(): (
        "active_hours agent by changed_by config_error error host last_sign_of_life model "
        "next_cursor off_label reason rephrased_as run.event_id runs.event_id .run_id "
        "suppressed_reason until "
        "data.action data.cause data.change data.client_turn_id data.event_id data.mode data.note"
    ),
    FLAG: (
        "auth_required busy changed_since cron delete_after_run enabled gap has_more heartbeat "
        "is_open mock_responses ok partial restart running sent truncated value"
    ),
    FLAG.or_null(): "data.value",
    INTEGER: (
        "attempt auto_pause_after clients consecutive_failures count cursor done event_bus_seq "
        "breaker.slots expected in_flight interrupted job.version jobs.version light_workers "
        "oldest_seq open_runs pools.running position refused retries seq size total waiting "
        "unaccounted_count"
    ),
    INTEGER.or_null(): "data.count exit_code",
    SECONDS: "jitter_seconds misfire_grace_seconds timeout_seconds",
    SECONDS.or_null(): (
        "duration_seconds idle_timeout_seconds oldest_wait_seconds useful_for_seconds"
    ),
    EPOCH: "at scheduled_at since",
    EPOCH.or_null(): (
        "breaker.probe_at last_run last_run_at last_sign_of_life_at next_run next_run_at started_at"
    ),
    TIME: (
        "created_at end_utc expired_at_utc last_active_at last_scheduled_at_utc "
        "local start_utc timestamp "
        "updated_at"
    ),
    TIME.or_null(): "changed_at useful_until_utc",
    ZONE: "timezone",
    OBJECT: (
        "data delivery deployment_profile echo event group job metadata outcomes pool proposal "
        "recommended run schedule"
    ),
    OBJECT.or_null(): "after breaker data.run fail_on last_summary",
    OBJECTS: (
        "entries events expired jobs next notifications pools results runs sessions stasis_queue "
        "suppressed"
    ),
    OBJECTS_BY_NAME: "flags heartbeats",
    COUNTS: "missed ran skipped",
    TEXTS: "connected_targets lines notes reasons sentences unaccounted warnings",
    TEXTS.or_null(): "data.changed",
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}


class AnswerObject(dict[str, Any]):
    """An object in an answer.

    Reading a field raises CommandFailed when it is not there, or is not of the kind in `KINDS`.
    """

    def __init__(self, fields: dict[str, Any], *, url: str) -> None:
        super().__init__(fields)
        self._url = url
        #: The field that holds the object; empty for the whole answer.
        self._place = ""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        kind = KINDS.get(f"{self._place}.{name}") or KINDS.get(name)
        if kind is None:
            return value
        if not kind.fits(value):
            self._refuse(name, f" to be {kind.words}, got {_shown(value, kind)}")
        held = value if isinstance(value, list) else [value]
        if kind is OBJECTS_BY_NAME:
            held = list(value.values())
        for one in held:
            if isinstance(one, AnswerObject):
                one._place = name
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or `default` when it is not there."""
        return self[name] if name in self else default  # noqa: SIM401 - it would call itself

    def __missing__(self, name: str) -> NoReturn:
        self._refuse(name, "; it is not there")

    def _refuse(self, name: str, problem: str) -> NoReturn:
        named = f"{self._place}.{name}" if self._place else name
        raise CommandFailed(
            f"Expected the field {named!r} in the answer of the gateway at {self._url}{problem}. "
            f"Bring the gateway and this command (version {__version__}) to one version.",
            ExitCode.UNAVAILABLE,
        )


def decode(text: str | bytes, *, url: str) -> AnswerObject | None:
    """The object that the text is in JSON; None for any other text."""
    try:
        answer = json.loads(text, object_hook=partial(AnswerObject, url=url))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, AnswerObject) else None


def _shown(value: object, kind: Kind) -> str:
    """A wrong value in short; of a list the entry that is wrong."""
    if isinstance(value, list) and kind.entries is not None:
        number, wrong = next(
            (number, one)
            for number, one in enumerate(value, 1)
            if not isinstance(one, kind.entries)
        )
        return f"a list whose entry {number} is {_short(wrong)}"
    return _short(value)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
