"""Tokens for calendar programs (docs/contract.md, Signing in)."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, operator, runtime_of
from universal_agent.domain.feed_token import FeedToken

router = APIRouter(prefix="/api/v1/auth/feed-tokens", tags=["auth"])

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class FeedTokenDocument(Answer):
    name: str
    created_at: str
    created_by: str


class FeedTokenList(Answer):
    feed_tokens: list[FeedTokenDocument]


class NewFeedToken(FeedTokenDocument):
    feed_token: str
    path: str


class Revoked(Answer):
    status: str
    name: str


def _document(token: FeedToken) -> dict[str, str]:
    return {
        "name": token.name,
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by,
    }


@router.get(
    "",
    summary="The tokens for calendar programs, without their secrets",
    response_model=FeedTokenList,
    responses=problem_responses(503),
)
async def list_feed_tokens(request: Request) -> Response:
    tokens = runtime_of(request).feed_tokens.all()
    return answer({"feed_tokens": [_document(token) for token in tokens]})


@router.put(
    "/{name}",
    summary="Make a token that reads calendar.ics and nothing else",
    response_model=NewFeedToken,
    responses=problem_responses(409, 422, 429, 503),
)
async def create_feed_token(request: Request, name: Name) -> Response:
    token, secret = await runtime_of(request).feed_tokens.create(name, by=operator(request))
    path = f"/api/v1/ops/calendar.ics?feed_token={secret}"
    return answer({**_document(token), "feed_token": secret, "path": path})


@router.delete(
    "/{name}",
    summary="Revoke a token for calendar programs",
    response_model=Revoked,
    responses=problem_responses(404, 422, 503),
)
async def revoke_feed_token(request: Request, name: Name) -> Response:
    await runtime_of(request).feed_tokens.revoke(name, by=operator(request))
    return answer({"status": "revoked", "name": name})
