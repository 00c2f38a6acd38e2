"""What is a proposal: a change that was understood, and waits for a person's yes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ProposalStatus(StrEnum):
    """Where a proposal stands; the values are the wire's."""

    PENDING = "pending_confirmation"
    #: A yes has come and the change is being made.
    APPLYING = "applying"
    APPLIED = "applied"
    REJECTED = "rejected"
    #: The change could not be made; nothing was changed.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change request on its way."""

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
