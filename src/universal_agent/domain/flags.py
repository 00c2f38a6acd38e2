"""Flags that can be changed while the gateway runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

#: Environment name -> settings field, of the flags that PATCH /api/v1/ops/flags may override.
FLAGS = {
    "UA_SCHED_EVENT_PROJECTION_ENABLED": "sched_event_projection_enabled",
    "UA_SCHED_PUSH_ENABLED": "sched_push_enabled",
    "NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED": "client_push_enabled",
    "UA_SCHED_PROJECTION_SHADOW": "sched_projection_shadow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagOverride:
    """A value set at run time. It holds while the environment keeps the value that it overrides."""

    name: str
    value: bool
    covered: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagState:
    """A flag with the value in force."""

    value: bool
    source: Literal["default", "environment", "override"]
    changed_at: datetime | None = None
    changed_by: str | None = None
