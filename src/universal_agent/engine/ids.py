"""Ids of new things. They sort by the time at which they were made."""

import secrets
from datetime import datetime


def new_id(prefix: str, now: datetime) -> str:
    """`<prefix>_<12 hex digits of milliseconds><16 random hex digits>`."""
    return f"{prefix}_{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}"
