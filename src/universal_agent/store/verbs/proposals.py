"""Proposals of changes. Each is decided once."""

from datetime import datetime, timedelta

from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.domain.slot import from_epoch
from universal_agent.store.effects import effect_unless
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.tx import Tx

#: How long a proposal is kept, whatever its status.
_KEPT = timedelta(days=30)


@effect_unless()
def insert_proposal(tx: Tx, proposal: Proposal) -> Proposal:
    """Insert a proposal."""
    tx.run("forget_proposals", before=(proposal.created_at - _KEPT).timestamp())
    tx.run(
        "insert_proposal",
        proposal_id=proposal.proposal_id,
        event_id=proposal.event_id,
        job_id=proposal.job_id,
        job_version=proposal.job_version,
        record=to_json(proposal.record),
        status=proposal.status,
        created_at=proposal.created_at.timestamp(),
        expires_at=proposal.expires_at.timestamp(),
    )
    return proposal


def get_proposal(tx: Tx, proposal_id: str) -> Proposal | None:
    """The proposal, or None."""
    row = tx.one("get_proposal", proposal_id=proposal_id)
    if row is None:
        return None
    found_id, event_id, job_id, job_version, record, status, created_at, expires_at = row
    return Proposal(
        proposal_id=found_id,
        event_id=event_id,
        job_id=job_id,
        job_version=job_version,
        record=from_json(record),
        status=ProposalStatus(status),
        created_at=from_epoch(created_at),
        expires_at=from_epoch(expires_at),
    )


#: A failure is no answer to the request that asked for the change.
@effect_unless(None, ProposalStatus.FAILED)
def decide_proposal(
    tx: Tx,
    proposal_id: str,
    *,
    expected: ProposalStatus,
    status: ProposalStatus,
    by: str,
    now: datetime,
) -> ProposalStatus | None:
    """Move a proposal from status `expected` to `status`; None when it was in another."""
    decided = tx.run(
        "decide_proposal",
        proposal_id=proposal_id,
        expected=expected,
        status=status,
        by=by,
        now=now.timestamp(),
    )
    return status if decided else None
