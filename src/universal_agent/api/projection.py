"""Checks and rebuilds of the calendar's projection (docs/contract.md, Events)."""

from fastapi import APIRouter, Request, Response

from universal_agent.api.once_route import OnceRoute
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, runtime_of
from universal_agent.views.projection import Verdict

router = APIRouter(
    prefix="/api/v1/ops/scheduling/projection", tags=["scheduling"], route_class=OnceRoute
)


class Verification(Answer):
    """`ok`: what was held is what the log makes of it."""

    ok: bool
    position: int
    hash: str
    expected_hash: str


def _document(verdict: Verdict) -> Response:
    return answer(
        {
            "ok": verdict.ok,
            "position": verdict.position,
            "hash": verdict.hash,
            "expected_hash": verdict.expected_hash,
        }
    )


@router.get(
    "/verify",
    summary="Make a second projection from the event log, and compare",
    response_model=Verification,
    responses=problem_responses(409, 503),
)
async def verify(request: Request) -> Response:
    return _document(await runtime_of(request).projector.verify())


@router.post(
    "/rebuild",
    summary="Make the projection again from the event log, and use it where the two differ",
    response_model=Verification,
    responses=problem_responses(409, 503),
)
async def rebuild(request: Request) -> Response:
    return _document(await runtime_of(request).projector.rebuild())
