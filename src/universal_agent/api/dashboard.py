"""The dashboard's overview and inbox (docs/contract.md, Notifications)."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from universal_agent.api.once_route import OnceRoute, answering
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, PlainText, answer, operator, runtime_of
from universal_agent.domain.notifications import Notification, NotificationStatus
from universal_agent.errors import NotFound

router = APIRouter(prefix="/api/v1/dashboard", tags=["dashboard"], route_class=OnceRoute)

NotificationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

_STATUSES = "|".join(NotificationStatus)
Status = Annotated[str, Field(pattern=f"^({_STATUSES})$")]


class NotificationPage(Answer):
    notifications: list[dict[str, Any]]


class NotificationChange(Body):
    status: Status
    note: PlainText | None = None
    snooze_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class NotificationChanged(Answer):
    notification: dict[str, Any]


class NotificationBulk(NotificationChange):
    ids: Annotated[list[str], Field(min_length=1, max_length=500)]


class NotificationBulkDone(Answer):
    results: list[dict[str, Any]]


class Summary(Answer):
    sessions: dict[str, int]
    approvals: dict[str, int]
    cron: dict[str, int]
    notifications: dict[str, int]
    deployment_profile: dict[str, Any]


@router.get(
    "/summary",
    summary="Counts for the overview",
    response_model=Summary,
    responses=problem_responses(503),
)
async def summary(request: Request) -> Response:
    runtime = runtime_of(request)
    return answer(await runtime.dashboard_summary())


@router.get(
    "/notifications",
    summary="Notifications, newest first",
    response_model=NotificationPage,
    responses=problem_responses(422, 503),
)
async def list_notifications(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    status: NotificationStatus | None = None,
    session_id: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
) -> Response:
    runtime = runtime_of(request)
    found = await runtime.notifications.page(
        limit=limit, status=status, session_id=session_id, now=runtime.clock.now()
    )
    return answer({"notifications": found})


@router.patch(
    "/notifications/{notification_id}",
    summary="Mark a notification",
    response_model=NotificationChanged,
    responses=problem_responses(400, 404, 413, 422, 503),
)
async def change_notification(
    request: Request, notification_id: NotificationId, body: NotificationChange
) -> Response:
    runtime = runtime_of(request)
    [changed] = await runtime.notifier.mark(
        [notification_id],
        NotificationStatus(body.status),
        note=body.note,
        snooze_minutes=body.snooze_minutes,
        by=operator(request),
    )
    if changed is None:
        raise _not_found(notification_id)
    return answer({"notification": changed.document(now=runtime.clock.now())})


def _not_found(notification_id: str) -> NotFound:
    return NotFound(f"There is no notification {notification_id!r}.")


@router.post(
    "/notifications/bulk",
    summary="Mark many notifications",
    response_model=NotificationBulkDone,
    responses=problem_responses(400, 409, 413, 422, 503),
)
async def change_many(request: Request, body: NotificationBulk) -> Response:
    runtime = runtime_of(request)

    def render(marked: list[Notification | None]) -> dict[str, Any]:
        return _marked(body.ids, marked)

    with answering(request, list, render=render) as reply:
        marked = await runtime.notifier.mark(
            body.ids,
            NotificationStatus(body.status),
            note=body.note,
            snooze_minutes=body.snooze_minutes,
            by=operator(request),
        )
    return reply(marked)


def _marked(ids: Sequence[str], marked: Sequence[Notification | None]) -> dict[str, Any]:
    return {
        "results": [
            {"id": notification_id, "status": "ok"}
            if notification is not None
            else {
                "id": notification_id,
                "status": "refused",
                "detail": _not_found(notification_id).message,
            }
            for notification_id, notification in zip(ids, marked, strict=True)
        ]
    }
