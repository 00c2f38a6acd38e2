"""Channels of notifications beyond the dashboard (docs/contract.md, Notifications)."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer, runtime_of

router = APIRouter(prefix="/api/v1/notify", tags=["notify"])


class ChannelPage(Answer):
    channels: list[dict[str, Any]]


class ChannelTest(Body):
    channel: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ChannelResults(Answer):
    results: list[dict[str, Any]]


@router.get(
    "/channels",
    summary="Channels with their rules and states; without addresses and secrets",
    response_model=ChannelPage,
    responses=problem_responses(503),
)
async def list_channels(request: Request) -> Response:
    return answer({"channels": await runtime_of(request).channels.documents()})


@router.post(
    "/channels/test",
    summary="Send a test message to one channel, or to each",
    response_model=ChannelResults,
    responses=problem_responses(400, 404, 413, 422, 503),
)
async def test_channels(request: Request, body: ChannelTest) -> Response:
    tried = await runtime_of(request).channels.test(body.channel)
    return answer({"results": [one.document() for one in tried]})


@router.post(
    "/channels/check",
    summary="Connect to each channel without sending a message",
    response_model=ChannelResults,
    responses=problem_responses(503),
)
async def check_channels(request: Request) -> Response:
    tried = await runtime_of(request).channels.check()
    return answer({"results": [one.document() for one in tried]})
