"""Metrics (docs/contract.md, Health and metrics)."""

import math
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, runtime_of
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs

router = APIRouter(tags=["metrics"])


class MetricsDocument(Answer):
    metrics: dict[str, Any]


@router.get(
    "/api/v1/ops/metrics/scheduling-runtime",
    summary="What the scheduler did since it started",
    response_model=MetricsDocument,
    responses=problem_responses(503),
)
async def scheduling_runtime(request: Request) -> Response:
    runtime = runtime_of(request)
    document = await runtime.scheduling_metrics.document(
        now=runtime.clock.now(),
        projection_enabled=runtime.flags["UA_SCHED_EVENT_PROJECTION_ENABLED"],
    )
    return answer({"metrics": document})


@router.get(
    "/api/v1/ops/metrics/session-continuity",
    summary="Whether clients keep their sessions",
    response_model=MetricsDocument,
    responses=problem_responses(503),
)
async def session_continuity(request: Request) -> Response:
    runtime = runtime_of(request)
    return answer({"metrics": runtime.scheduling_metrics.continuity(runtime.continuity.thresholds)})


@router.get(
    "/metrics",
    summary="The same figures in Prometheus' text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def exposition(request: Request) -> Response:
    runtime = runtime_of(request)
    metrics = runtime.metrics
    waiting: float
    missed: float
    try:
        waiting = await runtime.store.read(verbs.runs.count_waiting)
        missed = await runtime.store.read(verbs.stasis.count_pending_slots)
        metrics.pools(await runtime.pools.figures())
    except StoreUnavailable:
        # The other figures are needed most then.
        waiting = missed = math.nan
    metrics.runs_waiting.set(waiting)
    metrics.stasis_pending.set(missed)
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
