"""The rollout's flags, and who changed what (docs/contract.md, Flags and settings)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import RootModel

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, answer_events, operator, runtime_of
from universal_agent.domain.flags import FlagState
from universal_agent.views.audit import audit as audit_of

router = APIRouter(prefix="/api/v1/ops", tags=["flags"])


class FlagsDocument(Answer):
    flags: dict[str, dict[str, Any]]


class FlagChanges(RootModel[dict[str, Literal["0", "1"] | None]]):
    """Environment names; null takes an override back."""


class Audit(Answer):
    entries: list[dict[str, Any]]
    has_more: bool


def _document(states: dict[str, FlagState]) -> Response:
    return answer(
        {
            "flags": {
                name: {
                    "value": state.value,
                    "source": state.source,
                    "changed_at": state.changed_at and state.changed_at.isoformat(),
                    "changed_by": state.changed_by,
                }
                for name, state in states.items()
            }
        }
    )


@router.get(
    "/flags",
    summary="The flags in force",
    response_model=FlagsDocument,
    responses=problem_responses(503),
)
async def read_flags(request: Request) -> Response:
    return _document(runtime_of(request).flags.states())


@router.patch(
    "/flags",
    summary="Change flags while the gateway runs",
    response_model=FlagsDocument,
    responses=problem_responses(400, 413, 422, 503),
)
async def change_flags(request: Request, body: FlagChanges) -> Response:
    values = {name: None if value is None else value == "1" for name, value in body.root.items()}
    return _document(await runtime_of(request).flags.change(values, by=operator(request)))


@router.get(
    "/audit",
    summary="What people decided and changed, newest first",
    response_model=Audit,
    responses=problem_responses(422, 503),
)
async def audit(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before_seq: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    page = await audit_of(runtime_of(request).store, limit=limit, before_seq=before_seq)
    return answer_events(page, "entries")
