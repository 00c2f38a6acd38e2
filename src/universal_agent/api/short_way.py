"""A shorter path for frequent requests with a body.

FastAPI takes longer to route and validate such a request than its endpoint takes to answer it. This
layer comes before the routing and calls the endpoint directly for a plain request: a listed route,
JSON that fits the model, and no other inputs. Every other request, invalid ones included, goes
through FastAPI.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, get_type_hints

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from universal_agent.api.limits import collect_body, replay
from universal_agent.api.problems import problem_of
from universal_agent.errors import UniversalAgentError

#: An endpoint `(request, body: Model, ...)`; what else it takes has defaults.
Endpoint = Callable[..., Coroutine[Any, Any, Response]]

#: (method, path) -> the endpoint that the router has there too.
Ways = Mapping[tuple[str, str], Endpoint]

#: Headers that an endpoint may take.
_TAKEN = b"idempotency-key"


class _Way(NamedTuple):
    endpoint: Endpoint
    model: type[BaseModel]


class ShortWay:
    """ASGI layer, the innermost: answers plain requests of these routes."""

    def __init__(self, app: ASGIApp, *, ways: Ways) -> None:
        self._app = app
        self._ways = {
            place: _Way(endpoint, get_type_hints(endpoint)["body"])
            for place, endpoint in ways.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = None
        if scope["type"] == "http":
            way = self._ways.get((scope["method"], scope["path"]))
        if way is None or not _is_plain(scope):
            await self._app(scope, receive, send)
            return
        body = await collect_body(receive)
        if body is None:
            return  # the client left
        try:
            content = way.model.model_validate_json(body)
        except ValidationError:
            await self._app(scope, replay(body, receive), send)  # which says what is wrong
            return
        except UniversalAgentError as error:
            await problem_of(error)(scope, receive, send)
            return
        try:
            response = await way.endpoint(Request(scope), content)
        except UniversalAgentError as error:
            response = problem_of(error)
        await response(scope, receive, send)


def _is_plain(scope: Scope) -> bool:
    is_json = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            is_json = value == b"application/json"
        elif name == _TAKEN:
            return False
    return is_json
