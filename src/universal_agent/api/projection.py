"""Is the calendar's projection what the log makes of it (docs/contract.md, Events)?"""

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
    summary="Fold the event log anew beside the projection, and compare",
    response_model=Verification,
    responses=problem_responses(409, 503),
)
async def verify(request: Request) -> Response:
    return _document(await runtime_of(request).projector.verify())


@router.post(
    "/rebuild",
    summary="Throw the projection away and fold the event log anew",
    response_model=Verification,
    responses=problem_responses(409, 503),
)
async def rebuild(request: Request) -> Response:
    return _document(await runtime_of(request).projector.rebuild())
