"""Authentication of the operator: the token, and browser sessions derived from it.

A session is a cookie that says when it ends, signed with a key made from the token: nothing is
stored, and a new token ends every session.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from starlette.types import Scope

from universal_agent.api.limits import GuessLimit, TooManyGuesses, client_name
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, Body, answer
from universal_agent.clock import Clock
from universal_agent.domain.text_rules import log_text
from universal_agent.errors import Unauthorized

_log = structlog.get_logger(__name__)

#: Longer than a working week and a weekend.
SESSION_TIME = timedelta(days=7)


class Via(StrEnum):
    """The credential that a request carried."""

    #: `X-UA-OPS-TOKEN: <token>`
    HEADER = "header"
    #: `Authorization: Bearer <token>`
    BEARER = "bearer"
    #: `?ops_token=<token>`
    QUERY = "query"
    #: `?feed_token=<a token for calendar programs>`
    FEED = "feed"
    #: The session cookie.
    COOKIE = "cookie"
    #: No token is set: every client of the gateway's own addresses is the operator.
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Principal:
    """The author of a request."""

    via: Via
    client: str

    def __str__(self) -> str:
        """The same in words, for the audit."""
        return f"operator ({self.via}) from {self.client}"


class _Session(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    FORGED = "forged"


class Gate:
    """Checks tokens and sessions, and counts wrong ones.

    The limit makes guessing visible, not impossible: a valid token is accepted however many wrong
    ones came before it, or any client could lock the operator out. The token's length is what
    keeps guessers out.
    """

    def __init__(self, token: str, *, clock: Clock, guesses: GuessLimit | None = None) -> None:
        self._clock = clock
        self._guesses = guesses or GuessLimit(clock)
        #: Whether a token for calendar programs is in force.
        self.accepts_feed: Callable[[bytes], bool] = lambda _: False
        self._readers: set[asyncio.Task[Any]] = set()
        #: How many tokens there were before the one in force.
        self.generation = -1
        self._set(token)

    def _set(self, token: str) -> None:
        self.generation += 1
        self._token = _as_bytes(token)
        self._session_key = hmac.digest(self._token, b"universal-agent session", "sha256")

    @property
    def is_open(self) -> bool:
        """Whether no token is set."""
        return not self._token

    def rotate(self, token: str) -> None:
        """Accept `token` alone from now on; requests that go on reading are ended."""
        if _as_bytes(token) == self._token:
            return
        self._set(token)
        for reader in self._readers:
            reader.cancel()

    # -- checking

    def judge(
        self,
        *,
        client: str,
        tokens: Iterable[tuple[Via, bytes]],
        sessions: Iterable[bytes],
    ) -> Principal:
        """The operator, when any of what a request shows is valid.

        Raises Unauthorized, or TooManyGuesses for a wrong token too many. A request that shows
        nothing, or a session that has come to its end, is no guess.
        """
        is_guess = False
        for via, token in tokens:
            if via is Via.FEED:
                is_valid = self.accepts_feed(token)
            else:
                is_valid = hmac.compare_digest(token, self._token)
            if is_valid:
                return Principal(via, client)
            is_guess = True
        for session in sessions:
            state = self._session(session)
            if state is _Session.VALID:
                return Principal(Via.COOKIE, client)
            # A signature is a guess at the token too: its key is made from it.
            is_guess = is_guess or state is _Session.FORGED
        if is_guess:
            self._count_wrong(client)
        raise Unauthorized

    def sign_in(self, token: str, *, client: str) -> str:
        """A new session for the token. Raises as `judge` does."""
        self.judge(client=client, tokens=[(Via.HEADER, _as_bytes(token))], sessions=[])
        ends_at = self._clock.now() + SESSION_TIME
        return self._signed(str(int(ends_at.timestamp())))

    def _signed(self, ends_at: str) -> str:
        signature = hmac.digest(self._session_key, ends_at.encode(), "sha256")
        return f"{ends_at}.{signature.hex()}"

    def _session(self, session: bytes) -> _Session:
        ends_at = session.partition(b".")[0]
        if not ends_at.isdigit() or len(ends_at) > len("9999999999"):
            return _Session.FORGED
        if not hmac.compare_digest(session, self._signed(ends_at.decode()).encode()):
            return _Session.FORGED
        is_over = int(ends_at) <= self._clock.now().timestamp()
        return _Session.EXPIRED if is_over else _Session.VALID

    def _count_wrong(self, client: str) -> None:
        name = client_name(client)
        wait = self._guesses.count_wrong(name)
        if wait is not None:
            raise TooManyGuesses(wait)
        # At most as many lines as the limit remembers guesses.
        _log.warning("token_refused", client=log_text(name))

    # -- reading on while the token changes

    async def while_valid(self, reading: Callable[[], Awaitable[None]], *, generation: int) -> None:
        """Await `reading()`, and end it when the token changes, raising Unauthorized.

        For streams and sockets, which would go on showing things to clients of an old token.
        `generation`: that of the token by which the request was judged.
        """
        if generation != self.generation:
            raise Unauthorized
        task = asyncio.current_task()
        assert task is not None
        self._readers.add(task)
        try:
            await reading()
        except asyncio.CancelledError:
            if generation == self.generation:
                raise
        finally:
            self._readers.discard(task)
        # A response may end quietly when it is cancelled.
        if generation != self.generation and task.cancelling():
            task.uncancel()
            raise Unauthorized


def _as_bytes(token: str) -> bytes:
    # A token from JSON may hold half a surrogate pair: wrong, but no error.
    return token.encode("utf-8", "surrogatepass")


def session_cookie(port: int | None) -> str:
    """The cookie's name at a port, which is None when the Host header names none.

    Browsers give a machine's cookies to all its ports; two gateways must not sign each other out.
    """
    return "ua_session" if port is None else f"ua_session_{port}"


def client_of(scope: Scope) -> str:
    """The address that a request comes from; "unknown" where the server cannot tell."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def gate_of(request: Request) -> Gate:
    """The gate that the app was made with."""
    gate: Gate = request.app.state.gate
    return gate


def principal_of(request: Request) -> Principal | None:
    """The author of a request; None where a route is open and the client has not signed in."""
    principal: Principal | None = request.scope["state"].get("principal")
    return principal


router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class Login(Body):
    token: str


class Done(Answer):
    status: Literal["ok"]


class SessionDocument(Answer):
    signed_in: bool
    auth_required: bool
    via: Via


@router.post(
    "/login",
    summary="Change the operator's token for a session cookie",
    response_model=Done,
    responses=problem_responses(401, 422, 429),
)
async def login(request: Request, body: Login) -> Response:
    gate = gate_of(request)
    response = answer({"status": "ok"})
    if gate.is_open:
        return response
    # TLS may end at a proxy; the page's own origin still has the https scheme then.
    origin = request.headers.get("origin", request.url.scheme)
    response.set_cookie(
        request.state.session_cookie,
        gate.sign_in(body.token, client=client_of(request.scope)),
        max_age=int(SESSION_TIME.total_seconds()),
        path=request.state.cookie_path,
        httponly=True,
        samesite="strict",
        secure=origin.startswith("https"),
    )
    return response


@router.post(
    "/logout",
    summary="End the browser's session",
    response_model=Done,
    responses=problem_responses(401),
)
async def logout(request: Request) -> Response:
    response = answer({"status": "ok"})
    response.delete_cookie(
        request.state.session_cookie,
        path=request.state.cookie_path,
        httponly=True,
        samesite="strict",
    )
    return response


@router.get(
    "/session",
    summary="How this request is signed in",
    response_model=SessionDocument,
    responses=problem_responses(401),
)
async def session(request: Request) -> Response:
    principal = principal_of(request)
    assert principal is not None
    required = not gate_of(request).is_open
    return answer({"signed_in": True, "auth_required": required, "via": principal.via})
