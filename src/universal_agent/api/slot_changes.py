"""Changes to single slots: change requests in words, and skip, move and early runs."""

from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering
from universal_agent.api.problems import problem_responses
from universal_agent.api.slot_actions import ActionDone, EventId, done
from universal_agent.api.wire import Answer, Body, answer, operator, runtime_of
from universal_agent.domain.proposal import Proposal
from universal_agent.domain.run import Run
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.engine.changes import CHANGES, outcome_of, proposal_document
from universal_agent.errors import InvalidInput
from universal_agent.store.effects import Effect
from universal_agent.views.cron import run_document

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"], route_class=OnceRoute)


class ChangeRequest(Body):
    instruction: str = Field(min_length=1, max_length=300, examples=["every weekday at 9am"])
    timezone: str | None = Field(default=None, max_length=100)


class Proposed(Answer):
    proposal: dict[str, Any]


class Confirmation(Body):
    proposal_id: str = Field(min_length=1, max_length=64)
    approve: bool


class Confirmed(Answer):
    status: Literal["applied", "rejected"]
    event_id: str
    source: str
    source_ref: str
    proposal: dict[str, Any]
    result: dict[str, Any]


@router.post(
    "/calendar/events/{event_id}/change-request",
    summary="Propose a change in words; nothing changes yet",
    response_model=Proposed,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def request_change(request: Request, event_id: EventId, body: ChangeRequest) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    runtime.metrics.count("calendar_change_request_requests")

    def render(made: Proposal | Effect[Proposal]) -> dict[str, Any]:
        proposal = made.value if isinstance(made, Effect) else made
        return {"proposal": proposal_document(proposal)}

    with answering(request, Effect, render=render) as reply:
        proposal = await runtime.changes.propose(slot, body.instruction, timezone=body.timezone)
    return reply(proposal)


@router.post(
    "/calendar/events/{event_id}/change-request/confirm",
    summary="Make a proposed change, or reject it",
    response_model=Confirmed,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def confirm_change(request: Request, event_id: EventId, body: Confirmation) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    runtime.metrics.count("calendar_change_confirm_requests")
    proposal = await runtime.changes.proposal(slot, body.proposal_id)

    def render(effect: object) -> dict[str, Any]:
        status, result = outcome_of(proposal, effect)
        return {
            "status": status,
            "event_id": slot.event_id,
            "source": slot.source,
            "source_ref": slot.source_ref,
            "proposal": proposal_document(replace(proposal, status=status)),
            "result": result,
        }

    with answering(request, *CHANGES, render=render) as reply:
        effect = await runtime.changes.confirm(
            slot, proposal, approve=body.approve, by=operator(request)
        )
    return reply(effect)


class ExceptionBody(Body):
    """Exactly one of the three."""

    skip: Literal[True] | None = None
    move_to: str | int | float | None = Field(default=None, examples=["in 2 hours"])
    run_early: Literal[True] | None = None
    timezone: str | None = Field(default=None, max_length=100)


@router.post(
    "/calendar/events/{event_id}/exception",
    summary="Skip, move or run early a single future slot",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 413, 422, 503),
)
async def make_exception(request: Request, event_id: EventId, body: ExceptionBody) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    wanted = {
        OverrideKind.SKIP: body.skip,
        OverrideKind.MOVE: body.move_to,
        OverrideKind.RUN_EARLY: body.run_early,
    }
    kinds = [kind for kind, value in wanted.items() if value is not None]
    if len(kinds) != 1:
        raise InvalidInput("expected one of skip, move_to and run_early", field="skip")

    def render(made: Run | Effect[Run | None] | None) -> dict[str, Any]:
        run = made.value if isinstance(made, Effect) else made
        return {
            **done(slot, kinds[0]),
            **({} if run is None else {"run": run_document(run)}),
        }

    with answering(request, Effect, render=render) as reply:
        run = await runtime.slot_overrides.make(
            slot, kinds[0], by=operator(request), move_to=body.move_to, timezone=body.timezone
        )
    return reply(run)


@router.delete(
    "/calendar/events/{event_id}/exception",
    summary="Take back a skip or a move",
    response_model=ActionDone,
    responses=problem_responses(400, 404, 409, 422, 503),
)
async def undo_exception(request: Request, event_id: EventId) -> Response:
    runtime = runtime_of(request)
    slot = SlotKey.parse(event_id)
    runtime.require(slot.source)
    await runtime.slot_overrides.undo(slot, by=operator(request))
    return answer(done(slot, "undo"))
