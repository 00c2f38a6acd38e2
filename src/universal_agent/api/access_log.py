"""The access log: one line per request.

uvicorn's access log is off: it would print the token in a stream's query.
"""

from collections.abc import Iterable
from urllib.parse import unquote_plus

import structlog
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from universal_agent.api.auth import client_of
from universal_agent.clock import Clock, Stopwatch
from universal_agent.domain.text_rules import log_text

_log = structlog.get_logger(__name__)

#: Names of parameters that carry tokens.
_SECRETS = {"ops_token", "feed_token"}

#: Replaces query values that are not shown.
_HIDDEN = "***"

#: Characters of an unknown parameter's name that are shown.
_LONGEST_NAME = 20

_FAILED = 500


class AccessLog:
    """ASGI layer, the outermost: writes a line when an answer begins.

    Logs only answers that failed or were slow to begin, unless `every` is set: at thousands of
    requests a second the lines would cost more than the answers. A WebSocket that is
    accepted is logged as 101.

    Of a query, only the values of `shown` parameters are written: a token under a misspelt name
    has no name that is known.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        shown: Iterable[str] = (),
        every: bool = False,
        slow_seconds: float = 1.0,
    ) -> None:
        self._app = app
        self._shown = frozenset(shown) - _SECRETS
        self._clock = clock
        self._every = every
        self._slow = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        watch = Stopwatch(self._clock)

        async def logged(message: Message) -> None:
            status = _status(message)
            if status is not None:
                seconds = watch.seconds()
                if self._every or status >= _FAILED or seconds >= self._slow:
                    _write(scope, status, seconds, self._shown)
            await send(message)

        await self._app(scope, receive, logged)


def _status(message: Message) -> int | None:
    """The status of the answer that begins with this message; None for all other messages."""
    match message["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(message["status"])
        case "websocket.accept":
            return 101
        case _:
            return None


def _write(scope: Scope, status: int, seconds: float, shown: frozenset[str]) -> None:
    principal = scope.get("state", {}).get("principal")
    write = _log.warning if status >= _FAILED else _log.info
    write(
        "request",
        method=log_text(scope.get("method", "WEBSOCKET")),
        path=log_text(scope["path"]),
        query=log_text(_without_secrets(scope["query_string"].decode("latin-1"), shown)),
        status=status,
        seconds=round(seconds, 6),
        client=log_text(client_of(scope)),
        via=principal and str(principal.via),
    )


def _without_secrets(query: str, shown: frozenset[str]) -> str:
    return "&".join(_part(part, shown) for part in query.split("&"))


def _part(part: str, shown: frozenset[str]) -> str:
    name, equals, _ = part.partition("=")
    name = unquote_plus(name)
    if not part or name in shown:
        return part
    # Without a value, the name may be the secret; a long name may be one too.
    return f"{name}={_HIDDEN}" if equals and len(name) <= _LONGEST_NAME else _HIDDEN


def query_parameters(routes: Iterable[BaseRoute]) -> set[str]:
    """The names of all query parameters that these routes take."""
    return {
        field.alias
        for route in routes
        if isinstance(route, APIRoute)
        for field in route.dependant.query_params
    }
