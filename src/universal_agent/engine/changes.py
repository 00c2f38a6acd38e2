"""Commands on change requests: propose, then confirm once.

A proposal changes nothing. Its yes is a compare-and-set in the transaction of the change, so that
three clicks make one change, and it is void when the job is not at the version that was shown.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.change_request import understand
from universal_agent.domain.change_sides import side
from universal_agent.domain.change_terms import EDITS, SWITCHES, Confidence, Operation, Understood
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.local_time import zone_of
from universal_agent.domain.proposal import Proposal, ProposalStatus
from universal_agent.domain.run import JobId, Run
from universal_agent.domain.slot import SlotKey, Source, from_epoch
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.engine.ids import new_id
from universal_agent.engine.jobs import Jobs
from universal_agent.engine.rephrasing import Rephraser
from universal_agent.engine.slot_overrides import SlotOverrides
from universal_agent.errors import (
    AlreadyResolved,
    Conflict,
    InvalidInput,
    InvalidPhrase,
    NotFound,
    StaleVersion,
    UniversalAgentError,
)
from universal_agent.store import verbs
from universal_agent.store.effects import Effect
from universal_agent.store.keyed import accompanied, deciding
from universal_agent.store.store import Store

#: How long a proposal waits for its yes.
VALID_FOR = timedelta(minutes=15)


class Changes:
    """Proposes changes in words, and makes those that are confirmed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        commands: Mapping[Source, Jobs],
        slot_overrides: SlotOverrides,
        rephraser: Rephraser | None = None,
    ) -> None:
        self._rephraser = rephraser
        self._store = store
        self._clock = clock
        self._commands = commands
        self._slot_overrides = slot_overrides

    async def propose(
        self, slot: SlotKey, instruction: str, *, timezone: str | None = None
    ) -> Proposal:
        """Understand an instruction, with a model's help where there is one.

        Raises JobNotFound, or InvalidPhrase with examples.
        """
        now = self._clock.now()
        job = await self._job(slot)
        zone = timezone or job.spec.timezone
        zone_of(zone)

        def read(text: str) -> tuple[Understood, JobSpec]:
            understood = understand(text, job.spec, slot.scheduled_at, now=now, timezone=zone)
            return understood, self._after(job, understood)

        rephrased_as = None
        try:
            understood, after = read(instruction)
        except InvalidPhrase as refusal:
            rephrased_as = await self._rephrased(instruction, job, slot, now=now, timezone=zone)
            if rephrased_as is None:
                raise
            try:
                understood, after = read(rephrased_as)
            except InvalidInput:
                raise refusal from None
            understood = _second_hand(understood, instruction, rephrased_as)
        proposal = Proposal(
            proposal_id=new_id("chg", now),
            event_id=slot.event_id,
            job_id=job.job_id,
            job_version=job.version,
            record={
                "instruction": instruction,
                "rephrased_as": rephrased_as,
                "summary": understood.summary,
                "before": side(job.spec, now=now),
                "after": _after_side(after, understood, slot.scheduled_at, now),
                "operation": understood.operation,
                "arguments": understood.arguments,
                "warnings": list(understood.warnings),
                "confidence": understood.confidence,
            },
            status=ProposalStatus.PENDING,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        await self._store.write(verbs.proposals.insert_proposal, proposal)
        return proposal

    async def _rephrased(
        self, instruction: str, job: Job, slot: SlotKey, *, now: datetime, timezone: str
    ) -> str | None:
        """The instruction in a model's words; None without a model, or if it has none."""
        if self._rephraser is None:
            return None
        return await self._rephraser.rephrase(
            instruction, job.spec, slot.scheduled_at, now=now, timezone=timezone
        )

    async def _job(self, slot: SlotKey) -> Job:
        return await self._commands[slot.source].get(JobId(slot.source_ref))

    def _after(self, job: Job, understood: Understood) -> JobSpec:
        """The spec as the change would leave it; checks that the change can be made."""
        draft = SWITCHES.get(understood.operation, understood.edit)
        if draft is None:
            return job.spec
        jobs = self._commands[job.source]
        return jobs.drafted(draft, base=job.spec, now=self._clock.now()).spec

    async def proposal(self, slot: SlotKey, proposal_id: str) -> Proposal:
        """The proposal. Raises NotFound, or InvalidInput when it is about another event."""
        proposal = await self._store.read(verbs.proposals.get_proposal, proposal_id)
        if proposal is None:
            raise NotFound(f"There is no proposal {proposal_id!r}.")
        if proposal.event_id != slot.event_id:
            raise InvalidInput(
                f"expected a proposal about {slot.event_id}, got one about {proposal.event_id}",
                field="proposal_id",
            )
        return proposal

    async def confirm(self, slot: SlotKey, proposal: Proposal, *, approve: bool, by: str) -> object:
        """Make the change, or reject it; one of CHANGES, for `outcome_of`.

        The proposal is decided in the transaction of its change. Raises AlreadyResolved, and
        Conflict when it has expired or the job changed since.
        """
        now = self._clock.now()
        if proposal.status is not ProposalStatus.PENDING:
            raise AlreadyResolved(f"The proposal was decided before: {proposal.status}.")
        if now > proposal.expires_at:
            raise Conflict("The proposal has expired; ask for the change again.")
        if not approve:
            if not await self._decide(proposal, ProposalStatus.REJECTED, by):
                raise AlreadyResolved("Another person has decided the proposal at this moment.")
            return Effect(ProposalStatus.REJECTED)
        decided = deciding(proposal, ProposalStatus.APPLIED, of=CHANGES, by=by, now=now)
        try:
            with accompanied(decided):
                change = await self._apply(slot, proposal, by)
        except UniversalAgentError:
            if not decided.is_written:
                # If another person has decided it, their decision stays.
                await self._decide(proposal, ProposalStatus.FAILED, by)
            raise
        # A change that leaves the job as it was writes nothing.
        if not decided.is_written and not await self._decide(proposal, ProposalStatus.APPLIED, by):
            raise AlreadyResolved("Another person has decided the proposal at this moment.")
        return change

    async def _decide(self, proposal: Proposal, status: ProposalStatus, by: str) -> bool:
        decided = await self._store.write(
            verbs.proposals.decide_proposal,
            proposal.proposal_id,
            expected=ProposalStatus.PENDING,
            status=status,
            by=by,
            now=self._clock.now(),
        )
        return decided is not None

    async def _apply(self, slot: SlotKey, proposal: Proposal, by: str) -> object:
        job_id = JobId(proposal.job_id)
        arguments = proposal.record["arguments"]
        version = proposal.job_version
        jobs = self._commands[slot.source]
        job = await self._job(slot)
        if job.version != version:
            raise StaleVersion(
                f"The job changed since the proposal was made (version {version}, now "
                f"{job.version}); ask for the change again."
            )
        at = arguments.get("slot_at")
        meant = slot if at is None else replace(slot, scheduled_at=from_epoch(at))
        operation = Operation(proposal.record["operation"])
        draft = JobDraft.of(arguments) if operation in EDITS else SWITCHES.get(operation)
        if draft is not None:
            return await jobs.edit(job_id, draft, version=version)
        match operation:
            case Operation.RUN_NOW:
                return await jobs.run_now(job_id)
            case Operation.SKIP_SLOT:
                return Effect(await self._slot_overrides.make(meant, OverrideKind.SKIP, by=by))
            case Operation.RUN_EARLY:
                return Effect(await self._slot_overrides.make(meant, OverrideKind.RUN_EARLY, by=by))
            case Operation.MOVE_SLOT:
                moved = await self._slot_overrides.make(
                    meant, OverrideKind.MOVE, by=by, move_to=arguments["move_to"]
                )
                return Effect(moved)
            case _:
                return await self._slot_overrides.undo(slot, by=by)


#: What the verbs return that make a change: a job, a run, or the effect on a slot or a proposal.
CHANGES = (Job, Run, Effect)


def outcome_of(proposal: Proposal, change: object) -> tuple[ProposalStatus, dict[str, Any]]:
    """What became of a proposal, and what the change made of its job."""
    match change:
        case Effect(value=ProposalStatus.REJECTED):
            return ProposalStatus.REJECTED, {}
        case Job():
            return ProposalStatus.APPLIED, {"job_id": change.job_id, "version": change.version}
        case Run() | Effect(value=Run()):
            run = change.value if isinstance(change, Effect) else change
            return ProposalStatus.APPLIED, {"run_id": run.run_id}
        case _:
            result = {"job_id": proposal.job_id, "version": proposal.job_version}
            return ProposalStatus.APPLIED, result


def _second_hand(understood: Understood, instruction: str, rephrased_as: str) -> Understood:
    """The understood request with a warning that it rests on a model's words."""
    warning = (
        f"“{instruction}” was not understood. The agent's model put it as “{rephrased_as}”: "
        "make sure that this is what you mean."
    )
    return replace(understood, confidence=Confidence.LOW, warnings=(warning, *understood.warnings))


def _after_side(
    spec: JobSpec, understood: Understood, slot: datetime, now: datetime
) -> dict[str, Any]:
    at = understood.slot.get("slot_at")
    meant = slot if at is None else from_epoch(at)
    match understood.operation:
        case Operation.SKIP_SLOT | Operation.RUN_EARLY:
            return side(spec, now=now, without=meant)
        case Operation.MOVE_SLOT:
            moved_to = from_epoch(understood.slot["move_to"])
            return side(spec, now=now, without=meant, moved_to=moved_to)
        case _:
            return side(spec, now=now)


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """A proposal's wire form (docs/contract.md, Calendar)."""
    source, source_ref, _ = proposal.event_id.split("|")
    return {
        "proposal_id": proposal.proposal_id,
        "event_id": proposal.event_id,
        "source": source,
        "source_ref": source_ref,
        **{name: value for name, value in proposal.record.items() if name != "arguments"},
        "status": proposal.status,
        "job_version": proposal.job_version,
        "created_at": proposal.created_at.isoformat(),
        "expires_at": proposal.expires_at.isoformat(),
    }
