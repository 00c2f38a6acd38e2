"""The verbs of flags and change requests, over a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain.flags import FlagOverride
from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.store import flag_verbs, proposal_rows
from universal_agent.store.keyed import Effect
from universal_agent.store.tx import Database, Tx


class SqlChanges:
    """Flags and proposals over a SQL database."""

    _db: Database

    # -- flags

    async def flag_overrides(self) -> Sequence[FlagOverride]:
        return await self._db.read(flag_verbs.flag_overrides)

    async def set_flag(
        self, name: str, override: FlagOverride | None, *, value: bool, by: str, now: datetime
    ) -> None:
        await self._db.write(
            lambda tx: flag_verbs.set_flag(tx, name, override, value=value, by=by, now=now)
        )

    # -- change requests

    async def insert_proposal(self, proposal: Proposal) -> None:
        def put(tx: Tx) -> Effect[Proposal]:
            proposal_rows.insert_proposal(tx, proposal)
            return Effect(proposal)

        await self._db.write(put)

    async def get_proposal(self, proposal_id: str) -> Proposal | None:
        return await self._db.read(lambda tx: proposal_rows.get_proposal(tx, proposal_id))

    async def decide_proposal(
        self,
        proposal_id: str,
        *,
        expected: ProposalStatus,
        status: ProposalStatus,
        by: str,
        now: datetime,
    ) -> bool:
        def put(tx: Tx) -> Effect[ProposalStatus] | bool:
            decided = proposal_rows.decide_proposal(
                tx, proposal_id, expected=expected, status=status, by=by, now=now
            )
            # A failure is no answer to the request that asked for the change.
            return Effect(status) if decided and status is not ProposalStatus.FAILED else decided

        return bool(await self._db.write(put))
