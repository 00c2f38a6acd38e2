"""Rows of change requests. Each is decided once."""

from datetime import datetime, timedelta

from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.domain.slot import from_epoch
from universal_agent.errors import AlreadyResolved
from universal_agent.store.keyed import Companion
from universal_agent.store.tx import Tx, from_json, to_json

#: How long a change request is kept, whatever became of it.
_KEPT = timedelta(days=30)


def insert_proposal(tx: Tx, proposal: Proposal) -> None:
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


def get_proposal(tx: Tx, proposal_id: str) -> Proposal | None:
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


def deciding(
    proposal: Proposal,
    status: ProposalStatus,
    *,
    of: tuple[type[object], ...],
    by: str,
    now: datetime,
) -> Companion:
    """Decides a pending proposal in the transaction of the change, whose result is one of `of`.

    That transaction raises AlreadyResolved when somebody else has decided the proposal.
    """

    def put(tx: Tx, _: object) -> None:
        if not decide_proposal(
            tx,
            proposal.proposal_id,
            expected=ProposalStatus.PENDING,
            status=status,
            by=by,
            now=now,
        ):
            raise AlreadyResolved("Somebody else has decided the proposal at this moment.")

    return Companion(of, put)


def decide_proposal(
    tx: Tx,
    proposal_id: str,
    *,
    expected: ProposalStatus,
    status: ProposalStatus,
    by: str,
    now: datetime,
) -> bool:
    return bool(
        tx.run(
            "decide_proposal",
            proposal_id=proposal_id,
            expected=expected,
            status=status,
            by=by,
            now=now.timestamp(),
        )
    )
