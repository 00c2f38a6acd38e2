"""Resources of jobs that are in a cooldown (docs/contract.md, Resources)."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer, operator, runtime_of
from universal_agent.errors import ResourceNotDown

router = APIRouter(prefix="/api/v1/ops/resources", tags=["resources"])


class ResourceDown(Answer):
    resource: str
    cause: Literal["rate_limited", "quota", "unreachable", "refused"]
    description: str
    state: Literal["waiting", "probing", "due"]
    since_utc: str
    until_utc: str
    until_named: bool
    failed_probes: int
    slots: int
    run_id: str | None
    error: str | None


class ResourcesDocument(Answer):
    resources: list[ResourceDown]


class ResourceDocument(Answer):
    resource: ResourceDown


class ResourceToClear(Body):
    resource: str = Field(min_length=1, max_length=200, examples=["https://api.example.com"])


@router.get(
    "",
    summary="The services that jobs wait for",
    response_model=ResourcesDocument,
    responses=problem_responses(503),
)
async def list_resources(request: Request) -> Response:
    return answer({"resources": await runtime_of(request).resources.documents()})


@router.post(
    "/clear",
    summary="Let jobs use a service again",
    response_model=ResourceDocument,
    responses=problem_responses(400, 404, 413, 422, 503),
)
async def clear_resource(request: Request, body: ResourceToClear) -> Response:
    cleared = await runtime_of(request).resources.clear(body.resource, by=operator(request))
    if cleared is None:
        raise ResourceNotDown(f"{body.resource!r} is in no cooldown.")
    return answer({"resource": cleared})
