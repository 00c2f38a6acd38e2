"""The health check (docs/contract.md, Health)."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from universal_agent import __version__
from universal_agent.api.wire import Answer, answer, runtime_of
from universal_agent.engine.health import HealthReport

router = APIRouter(prefix="/api/v1", tags=["health"])


class HealthDocument(Answer):
    status: Literal["healthy", "degraded", "draining", "unhealthy"]
    timestamp: str
    version: str
    db_status: Literal["connected", "error"]
    db_error: str | None
    deployment_profile: dict[str, Any]
    reasons: list[str]
    jobs_paused_after_failures: int
    resources_down: list[dict[str, Any]]


def _status(health: HealthReport) -> str:
    if not health.ok:
        return "unhealthy"
    if health.is_draining:
        return "draining"
    return "degraded" if health.is_degraded else "healthy"


@router.get(
    "/health",
    summary="Whether the gateway can be relied on",
    response_model=HealthDocument,
    responses={
        503: {
            "model": HealthDocument,
            "description": "The gateway is unhealthy; `reasons` says why.",
        }
    },
)
async def health(request: Request) -> Response:
    runtime = runtime_of(request)
    health = runtime.health()
    document: dict[str, Any] = {
        "status": _status(health),
        "timestamp": runtime.clock.now().isoformat(),
        "version": __version__,
        "db_status": "connected" if health.store_error is None else "error",
        "db_error": health.store_error,
        "deployment_profile": runtime.deployment_profile(),
        "reasons": list(health.reasons),
        # A failing job does not make the gateway unhealthy.
        "jobs_paused_after_failures": len(runtime.held_jobs),
        # Nor does a service that is away.
        "resources_down": await runtime.resources.for_health(),
    }
    if not request.scope["state"]["is_named"]:
        # A page whose own name resolves to this machine reads no more than a proxy's check needs.
        document = {"status": _status(health)}
    response = answer(document, status=200 if health.ok else 503)
    if not health.ok:
        response.headers["Retry-After"] = "1"
    return response
