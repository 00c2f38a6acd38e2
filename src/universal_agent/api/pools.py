"""Pools: bounds on how many runs are in execution (docs/contract.md, Pools)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer, operator, runtime_of

router = APIRouter(prefix="/api/v1/ops/pools", tags=["pools"])

Name = Annotated[str, Path(examples=["browser"], max_length=200)]


class PoolShown(Answer):
    name: str
    size: int
    origin: Literal["settings", "operator"]
    light_workers: int
    running: int
    waiting: int
    oldest_wait_seconds: float | None


class PoolsDocument(Answer):
    pools: list[PoolShown]


class PoolDocument(Answer):
    pool: PoolShown


class PoolSize(Body):
    size: int


class PoolRemoved(Answer):
    name: str


@router.get(
    "",
    summary="The pools, and the runs in them",
    response_model=PoolsDocument,
    responses=problem_responses(503),
)
async def list_pools(request: Request) -> Response:
    return answer({"pools": await runtime_of(request).pools.documents()})


@router.put(
    "/{name}",
    summary="Make or resize a pool",
    response_model=PoolDocument,
    responses=problem_responses(400, 409, 413, 422, 503),
)
async def put_pool(request: Request, name: Name, body: PoolSize) -> Response:
    pool = await runtime_of(request).pools.put(name, body.size, by=operator(request))
    return answer({"pool": pool})


@router.delete(
    "/{name}",
    summary="Remove a pool that no job names",
    response_model=PoolRemoved,
    responses=problem_responses(404, 409, 503),
)
async def delete_pool(request: Request, name: Name) -> Response:
    await runtime_of(request).pools.delete(name, by=operator(request))
    return answer({"name": name})
