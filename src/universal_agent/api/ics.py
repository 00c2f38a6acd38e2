"""The calendar for calendar programs (docs/contract.md, Calendar)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import runtime_of
from universal_agent.domain.calendar_facts import Detail
from universal_agent.views.calendar import FeedQuery

router = APIRouter(prefix="/api/v1/ops", tags=["calendar"])

_MEDIA_TYPE = "text/calendar"

Text = Annotated[str | None, Query(max_length=100)]


@router.get(
    "/calendar.ics",
    summary="The calendar for calendar programs (iCalendar)",
    response_class=Response,
    responses={
        200: {"content": {_MEDIA_TYPE: {}}, "description": "RFC 5545."},
        304: {"description": "The client has it."},
        **problem_responses(400, 422, 503),
    },
)
async def subscribe(
    request: Request,
    source: Literal["all", "cron", "heartbeat"] = "all",
    start: Text = None,
    end: Text = None,
    owner: Text = None,
    timezone_name: Text = None,
    timezone: Text = None,
    detail: Annotated[
        Literal[Detail.SUMMARY, Detail.ALL],
        Query(
            description="`summary`: heartbeats and jobs that come often are one entry a day. "
            "`all`: every slot is an entry."
        ),
    ] = Detail.SUMMARY,
    feed_token: Annotated[
        str | None,
        Query(max_length=1000, description="A token for calendar programs; it opens nothing else."),
    ] = None,
    ops_token: Annotated[str | None, Query(max_length=1000)] = None,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None,
) -> Response:
    runtime = runtime_of(request)
    query = FeedQuery(
        source=source,
        start=start,
        end=end,
        owner=owner,
        timezone=timezone_name or timezone,
        detail=detail,
    )
    found = await runtime.ics.answer(query, now=runtime.clock.now(), if_none_match=if_none_match)
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
    if found.body is None:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=_MEDIA_TYPE, headers=headers)
