"""Authentication and origin checks: one layer around the whole application, before routing.

    Host -> Origin and Sec-Fetch-Site -> token -> size of the head -> body -> the application

Every request passes through it: HTTP, streams and WebSockets, routes, mounts and addresses that
do not exist. What each address needs is in policy.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from universal_agent.api.auth import (
    Gate,
    Principal,
    Via,
    client_of,
    router,
    session_cookie,
)
from universal_agent.api.hosts import Hosts, check_origin, unknown_host
from universal_agent.api.limits import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_STRANGER_BODY_BYTES,
    REPEATED,
    HeadTooLarge,
    read_body,
    replay,
)
from universal_agent.api.open_connections import CONNECTION
from universal_agent.api.openapi import extend_openapi
from universal_agent.api.policy import READING, Need, need_of
from universal_agent.api.problems import problem_of
from universal_agent.api.proxied import sign_of_proxy
from universal_agent.clock import Clock
from universal_agent.domain.text_rules import log_text
from universal_agent.errors import (
    Forbidden,
    InvalidInput,
    LimitReached,
    Unauthorized,
    UniversalAgentError,
)
from universal_agent.settings import Settings


class Head(NamedTuple):
    """What a request says about itself."""

    headers: dict[bytes, bytes]
    size: int


#: The headers that this layer reads.
_READ_HERE = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"cookie",
        b"host",
        b"origin",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"transfer-encoding",
        b"x-ua-csrf",
        b"x-ua-ops-token",
    }
)

#: The subset that says where a request comes from and which host it is for.
_OF_THE_WALL = frozenset(
    {b"host", b"origin", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site"}
)

#: What an open gateway shows to clients of proxies too.
_WITHOUT_DATA = frozenset({Need.ANY_HOST, Need.NOTHING, Need.PAGE})

#: Sessions in one request that are looked at.
_MOST_SESSIONS = 4


def read_head(scope: Scope) -> Head:
    """The headers that matter here, and the size of all, in one pass.

    A repeated header has no value, because a later reader could pick another one: a
    second Host, Origin or token makes the request one that is refused.
    """
    found: dict[bytes, bytes] = {}
    size = len(scope["path"]) + len(scope["query_string"])
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in _READ_HERE:
            if name in _OF_THE_WALL:
                # Blanks around a value are not part of it (RFC 9110, 5.5); servers may keep them.
                value = value.strip(b" \t")
            found[name] = REPEATED if name in found else value
    return Head(found, size)


class AccessLayer:
    """ASGI layer: lets a request through to the application, or answers it."""

    def __init__(self, app: ASGIApp, *, gate: Gate, hosts: Hosts) -> None:
        self._app = app
        self._gate = gate
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        method = scope.get("method", "WEBSOCKET")
        need = need_of(method, scope["path"])
        head = read_head(scope)
        answer = _Answer(send, _PAGE_HEADERS if need is Need.PAGE else _DATA_HEADERS)
        generation = self._gate.generation
        try:
            principal = self._admit(scope, need, head)
            if scope["type"] == "http" and _has_body(method, head):
                most = MAX_STRANGER_BODY_BYTES if principal is None else MAX_BODY_BYTES
                body = await read_body(receive, head.headers, most=most)
                if body is None:
                    return
                receive = replay(body, receive)
            if _goes_on_reading(method, principal):
                read = partial(self._app, scope, receive, answer)
                await self._gate.while_valid(read, generation=generation)
            else:
                await self._app(scope, receive, answer)
        except UniversalAgentError as error:
            await _refuse(error, scope, receive, answer, head)

    def _admit(self, scope: Scope, need: Need, head: Head) -> Principal | None:
        """The principal; None where none is needed. Raises the error to refuse with."""
        name = head.headers.get(b"host", b"")
        host = self._hosts.accepted(name)
        if host is None and need is not Need.ANY_HOST:
            raise unknown_host(name)
        if not scope["path"].startswith("/"):
            raise Forbidden("expected a path that begins with /")
        check_origin(head.headers, host, need)
        state = scope.setdefault("state", {})
        state["is_named"] = host is not None
        state["session_cookie"] = session_cookie(host and host.port)
        state["cookie_path"] = self._hosts.cookie_path(host)
        principal = self._principal(scope, need, head)
        if principal is not None:
            state["principal"] = principal
            connection = scope.get("extensions", {}).get(CONNECTION)
            if connection is not None and not connection.is_trusted:
                connection.trust()
        if head.size > MAX_HEAD_BYTES:
            raise HeadTooLarge
        if b"&" in scope["query_string"] and need is not Need.PAGE:
            _check_repeats(scope["query_string"])
        return principal

    def _principal(self, scope: Scope, need: Need, head: Head) -> Principal | None:
        if self._gate.is_open:
            if need not in _WITHOUT_DATA and (sign := sign_of_proxy(scope)):
                raise Forbidden(
                    f"A proxy stands in front of this gateway ({sign}), and no token is set: "
                    "everybody who reaches the proxy could run commands here. Make a token with "
                    "`ua token new`; the gateway asks for it within seconds."
                )
            return Principal(Via.OPEN, client_of(scope))
        match need:
            case Need.ANY_HOST | Need.NOTHING | Need.PAGE:
                return None
            case Need.TOKEN_OR_NOTHING:
                with suppress(Unauthorized, LimitReached):
                    return self._judge(scope, need, head)
                return None
            case Need.TOKEN | Need.TOKEN_MAYBE_IN_QUERY | Need.FEED_TOKEN:
                principal = self._judge(scope, need, head)
                is_change = scope.get("method") not in READING
                if principal.via is Via.COOKIE and is_change and not _says_whence(head.headers):
                    raise Forbidden(
                        "expected Origin, Sec-Fetch-Site or X-UA-CSRF with a session cookie"
                    )
                return principal

    def _judge(self, scope: Scope, need: Need, head: Head) -> Principal:
        return self._gate.judge(
            client=client_of(scope),
            tokens=_tokens(head.headers, scope, need),
            sessions=_sessions(head.headers, scope["state"]["session_cookie"]),
        )


def _check_repeats(query: bytes) -> None:
    """Raise InvalidInput for a parameter that comes twice: readers differ in which one counts."""
    seen = set()
    for part in query.split(b"&"):
        name = unquote_plus(part.partition(b"=")[0].decode("latin-1"))
        if name in seen:
            raise InvalidInput("expected this parameter once", field=log_text(name)[:100])
        seen.add(name)


def _says_whence(headers: dict[bytes, bytes]) -> bool:
    """Whether a change asked for with a cookie says where it comes from.

    Browsers add the cookie to every request; a page of another site can set none of these headers.
    """
    return (
        b"origin" in headers
        or headers.get(b"sec-fetch-site") == b"same-origin"
        or b"x-ua-csrf" in headers
    )


#: The parameters that may carry a token.
_QUERY_TOKENS = {
    Need.TOKEN_MAYBE_IN_QUERY: {"ops_token": Via.QUERY},
    Need.FEED_TOKEN: {"feed_token": Via.FEED, "ops_token": Via.QUERY},
}


def _tokens(headers: dict[bytes, bytes], scope: Scope, need: Need) -> Iterator[tuple[Via, bytes]]:
    """The tokens that a request shows, where they are accepted."""
    token = headers.get(b"x-ua-ops-token")
    if token:
        yield Via.HEADER, token
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if token and scheme.lower() == b"bearer":
        yield Via.BEARER, token.strip()
    if need in _QUERY_TOKENS and b"_token=" in scope["query_string"]:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        for parameter, via in _QUERY_TOKENS[need].items():
            values = [value for name, value in query if name == parameter]
            if values:
                yield via, ", ".join(values).encode()


def _sessions(headers: dict[bytes, bytes], cookie: str) -> Sequence[bytes]:
    """The sessions among the cookies; a page on another port may have put one before ours."""
    if b"cookie" not in headers:
        return ()
    start = cookie.encode() + b"="
    pairs = headers[b"cookie"].replace(b" ", b"").split(b";")
    return [pair[len(start) :] for pair in pairs if pair.startswith(start)][:_MOST_SESSIONS]


def _has_body(method: str, head: Head) -> bool:
    return (
        method not in READING
        or b"transfer-encoding" in head.headers
        or head.headers.get(b"content-length", b"0") != b"0"
    )


def _goes_on_reading(method: str, principal: Principal | None) -> bool:
    """Whether a request may be a stream or a socket.

    Commands are brief, and are not cancelled halfway.
    """
    return principal is not None and (method in READING or method == "WEBSOCKET")


# -- answering

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def page_policy(style_nonce: str | None = None) -> str:
    """The content security policy of a page; style elements in it carry the nonce."""
    styles = "'self'" if style_nonce is None else f"'self' 'nonce-{style_nonce}'"
    return (
        f"default-src 'self'; script-src 'self'; style-src {styles}; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; object-src 'none'"
    )


_PAGE_HEADERS = (
    *_ALWAYS,
    (b"content-security-policy", page_policy().encode()),
)
_DATA_HEADERS = (
    *_ALWAYS,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})

#: What a server calls its way of answering a WebSocket's handshake with more than a bare 403.
_DENIAL = "websocket.http.response"


class _Answer:
    """A `send` that adds the headers an answer does not set itself, and takes CORS headers away."""

    __slots__ = ("_defaults", "_send", "has_begun", "has_ended")

    def __init__(self, send: Send, defaults: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._defaults = defaults
        self.has_begun = False
        self.has_ended = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        if message["type"] in _STARTS:
            given = message.get("headers", ())
            names = {name for name, _ in given}
            message["headers"] = [
                *(pair for pair in given if not pair[0].startswith(b"access-control-")),
                *(pair for pair in self._defaults if pair[0] not in names),
            ]
        elif message["type"] == "http.response.body":
            self.has_ended = not message.get("more_body", False)
        await self._send(message)


async def _refuse(
    error: UniversalAgentError, scope: Scope, receive: Receive, answer: _Answer, head: Head
) -> None:
    """Answer with the error, or end the answer that has begun."""
    is_socket = scope["type"] == "websocket"
    if is_socket and (answer.has_begun or _DENIAL not in scope.get("extensions", {})):
        await answer({"type": "websocket.close", "code": 1008})
        return
    if answer.has_ended:
        return
    if answer.has_begun:
        await answer({"type": "http.response.body", "body": b"", "more_body": False})
        return
    response = problem_of(error)
    if isinstance(error, Unauthorized | LimitReached):
        cookie = scope["state"]["session_cookie"]
        if cookie.encode() in head.headers.get(b"cookie", b""):
            # A session from before the token changed would be taken for a guess at each request.
            path = scope["state"]["cookie_path"]
            response.delete_cookie(cookie, path=path, httponly=True, samesite="strict")
    await response(scope, receive, answer)


# -- into the application


def install_access(app: FastAPI, settings: Settings, *, clock: Clock) -> Gate:
    """Put the layer around `app`, with its routes for signing in, and describe it in its OpenAPI.

    Raises SettingsError for a host name that cannot be accepted.
    """
    gate = Gate(settings.ops_token, clock=clock)
    app.state.gate = gate
    app.include_router(router)
    app.add_middleware(AccessLayer, gate=gate, hosts=Hosts.of(settings))
    extend_openapi(app, _describe_access)
    return gate


def _describe_access(document: dict[str, Any]) -> None:
    token = "X-UA-OPS-TOKEN"  # noqa: S105 - a name
    document.setdefault("components", {})["securitySchemes"] = {
        "ops_token": {"type": "apiKey", "in": "header", "name": token},
        "bearer": {"type": "http", "scheme": "bearer"},
        "query": {"type": "apiKey", "in": "query", "name": "ops_token"},
        "feed_token": {"type": "apiKey", "in": "query", "name": "feed_token"},
    }
    ways: dict[Need, list[dict[str, list[str]]]] = {
        Need.ANY_HOST: [],
        Need.NOTHING: [],
        Need.PAGE: [],
        Need.TOKEN_OR_NOTHING: [],
        Need.TOKEN: [{"ops_token": []}, {"bearer": []}],
        Need.TOKEN_MAYBE_IN_QUERY: [{"ops_token": []}, {"bearer": []}, {"query": []}],
        Need.FEED_TOKEN: [{"ops_token": []}, {"bearer": []}, {"query": []}, {"feed_token": []}],
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["security"] = ways[need_of(method.upper(), path)]
