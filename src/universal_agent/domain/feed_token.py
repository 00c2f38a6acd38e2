"""Tokens of calendar programs: they read calendar.ics and nothing else."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

#: The beginning of such a token, by which people and scanners of secrets know it.
PREFIX = "uaf_"

#: The most that there can be.
MAX_TOKENS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedToken:
    """A token as it is kept: by name, without what the program shows."""

    name: str
    digest: str
    created_at: datetime
    created_by: str


def digest_of(secret: bytes) -> str:
    """The form in which a token is kept. It is random, so a plain hash does."""
    return hashlib.sha256(secret).hexdigest()
