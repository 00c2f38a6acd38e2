"""Processes that share a database: each claims runs under its own id."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that claims runs, from its start to its end."""

    process_id: str
    host: str
    started_at: datetime
    #: What the process does besides executing runs.
    kind: str = "gateway"
