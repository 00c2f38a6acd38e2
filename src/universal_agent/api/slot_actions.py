"""What the routes of the calendar, slot changes and stasis share."""

from typing import Annotated, Any, Literal

from fastapi import Path

from universal_agent.api.wire import Answer
from universal_agent.domain.slot import SlotKey
from universal_agent.runtime import Runtime
from universal_agent.store.values import Resolved
from universal_agent.views.cron import run_document

EventId = Annotated[str, Path(min_length=1, max_length=200, examples=["cron|job_1a2b|1767225600"])]


class ActionDone(Answer):
    event_id: str
    source: str
    source_ref: str
    status: Literal["ok"]
    action: str


def done(slot: SlotKey, action: str) -> dict[str, Any]:
    """The answer to an action that was carried out."""
    return {
        "event_id": slot.event_id,
        "source": slot.source,
        "source_ref": slot.source_ref,
        "status": "ok",
        "action": action,
    }


def resolution(runtime: Runtime, resolved: Resolved) -> dict[str, Any]:
    """What a decision on missed slots came to."""
    result: dict[str, Any] = {"resolution": resolved.record.span.status}
    if resolved.run is not None:
        result["run"] = run_document(resolved.run)
    if resolved.job is not None:
        result["job"] = runtime.cron.job_document(resolved.job)
    return result
