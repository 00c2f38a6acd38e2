"""Proposals: change requests that were understood and wait for confirmation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ProposalStatus(StrEnum):
    """The state of a proposal; the values are the wire's."""

    PENDING = "pending_confirmation"
    APPLIED = "applied"
    REJECTED = "rejected"
    #: The change could not be made; nothing was changed.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change request and its state."""

    proposal_id: str
    event_id: str
    job_id: str
    #: The version that the person saw; the change is void when the job has another one by then.
    job_version: int
    #: instruction, summary, before, after, operation, arguments, warnings, confidence
    record: Mapping[str, Any]
    status: ProposalStatus
    created_at: datetime
    expires_at: datetime
