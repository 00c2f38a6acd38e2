"""Sessions, wrong tokens, and a token that changes."""

import asyncio
from http.cookies import SimpleCookie
from typing import Any

import pytest

from tests.integration.api.exchange import HOST, SIGNED_IN, TOKEN, Reply, exchange, scope_of
from tests.integration.api.small_app import SmallApp, small_app
from universal_agent.api.auth import SESSION_TIME
from universal_agent.testing import ManualClock

OURS = {"Origin": f"http://{HOST}"}


async def log_in(small: SmallApp, token: str = TOKEN, **more: Any) -> Reply:
    return await exchange(
        small.app, "POST", "/api/v1/auth/login", json_body={"token": token}, **more
    )


def cookie_of(reply: Reply) -> SimpleCookie:
    return SimpleCookie(reply.header("set-cookie") or "")


async def session_of(small: SmallApp) -> dict[str, str]:
    """The header of a browser that has logged in."""
    reply = await log_in(small)
    assert reply.status == 200
    return {"Cookie": f"other=1; ua_session_8002={cookie_of(reply)['ua_session_8002'].value}"}


async def test_the_token_is_changed_for_a_cookie_that_scripts_cannot_read(
    closed: SmallApp,
) -> None:
    reply = await log_in(closed)
    assert reply.status == 200
    assert reply.json() == {"status": "ok"}
    morsel = cookie_of(reply)["ua_session_8002"]
    assert morsel["httponly"] is True
    assert morsel["samesite"] == "strict"
    assert morsel["path"] == "/"
    assert morsel["domain"] == ""
    assert morsel["max-age"] == str(7 * 24 * 3600)
    assert morsel["secure"] == ""
    assert TOKEN not in str(reply.headers)


async def test_the_cookie_stays_on_https_when_the_page_is_on_it(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, allowed_hosts=("ua.example.org",))
    reply = await log_in(small, host="ua.example.org", headers={"Origin": "https://ua.example.org"})
    assert cookie_of(reply)["ua_session"]["secure"] is True


async def test_two_gateways_of_one_machine_have_a_cookie_each(closed: SmallApp) -> None:
    reply = await log_in(closed, host="127.0.0.1:8003")
    assert list(cookie_of(reply)) == ["ua_session_8003"]


@pytest.mark.parametrize(
    "token",
    ["", "wrong", TOKEN + "\n", "\u00e9\U0001f4a3", pytest.param("x" * 4000, id="long")],
)
async def test_a_wrong_token_gets_no_cookie(closed: SmallApp, token: str) -> None:
    reply = await log_in(closed, token)
    assert reply.status == 401
    assert reply.header("set-cookie") is None


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": 7}, [], {"token": "x", "next": 1}])
async def test_a_login_of_the_wrong_form_is_malformed(closed: SmallApp, body: Any) -> None:
    reply = await exchange(closed.app, "POST", "/api/v1/auth/login", json_body=body)
    assert reply.status == 422


async def test_half_a_character_in_a_token_is_no_server_error(closed: SmallApp) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await exchange(
        closed.app, "POST", "/api/v1/auth/login", headers=headers, body=b'{"token": "\\ud800"}'
    )
    assert reply.status in {401, 422}


async def test_a_session_signs_in_to_reading_streams_and_sockets(closed: SmallApp) -> None:
    session = await session_of(closed)
    assert (await exchange(closed.app, headers=session)).status == 200
    for method, path, status in [
        ("GET", "/api/v1/ops/scheduling/stream", 200),
        ("WEBSOCKET", "/api/v1/sessions/s1/stream", 101),
    ]:
        reply = await exchange(closed.app, method, path, headers={**session, **OURS})
        assert reply.status == status


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "X-UA-CSRF": "1"}, 403),
        (OURS, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"X-UA-CSRF": "1"}, 200),
    ],
)
async def test_a_session_alone_changes_nothing_unless_our_page_asks(
    closed: SmallApp, more: dict[str, str], status: int
) -> None:
    session = await session_of(closed)
    reply = await exchange(closed.app, "POST", "/api/v1/things/a/run", headers={**session, **more})
    assert reply.status == status
    assert closed.reached == (["run"] if status == 200 else [])


async def test_a_socket_opened_by_a_session_says_where_from(closed: SmallApp) -> None:
    session = await session_of(closed)
    path = "/api/v1/sessions/s1/stream"
    assert (await exchange(closed.app, "WEBSOCKET", path, headers=session)).status == 403


async def test_a_session_ends_after_a_week(closed: SmallApp, clock: ManualClock) -> None:
    session = await session_of(closed)
    clock.step(SESSION_TIME.total_seconds() - 1)
    assert (await exchange(closed.app, headers=session)).status == 200
    clock.step(1)
    reply = await exchange(closed.app, headers=session)
    assert reply.status == 401
    # The browser is told to forget it.
    assert cookie_of(reply)["ua_session_8002"]["max-age"] == "0"


async def test_no_byte_of_a_session_can_be_changed(closed: SmallApp) -> None:
    session = (await session_of(closed))["Cookie"].rpartition("=")[2]
    assert len(session) > 50
    small = small_app(ManualClock(), token=TOKEN)
    forged = [
        "9" + session[1:],
        session[:-1],
        session + "A",
        session.partition(".")[0],
        "." + session,
    ]
    forged += [session[:at] + "*" + session[at + 1 :] for at in range(len(session))]
    for value in forged:
        reply = await exchange(small.app, headers={"Cookie": f"ua_session_8002={value}"})
        assert reply.status in {401, 429}


async def test_a_cookie_put_before_ours_does_not_lock_us_out(closed: SmallApp) -> None:
    session = await session_of(closed)
    headers = {"Cookie": f"ua_session_8002=junk; {session['Cookie']}"}
    assert (await exchange(closed.app, headers=headers)).status == 200


async def test_logging_out_makes_the_browser_forget(closed: SmallApp) -> None:
    session = await session_of(closed)
    reply = await exchange(closed.app, "POST", "/api/v1/auth/logout", headers={**session, **OURS})
    assert reply.status == 200
    assert cookie_of(reply)["ua_session_8002"]["max-age"] == "0"
    assert (await exchange(closed.app, "POST", "/api/v1/auth/logout")).status == 401


async def test_the_session_document_says_how_one_is_signed_in(
    closed: SmallApp, open_app: SmallApp
) -> None:
    path = "/api/v1/auth/session"
    assert (await exchange(closed.app, path=path)).status == 401
    reply = await exchange(closed.app, path=path, headers=await session_of(closed))
    assert reply.json() == {"signed_in": True, "auth_required": True, "via": "cookie"}
    reply = await exchange(open_app.app, path=path)
    assert reply.json() == {"signed_in": True, "auth_required": False, "via": "open"}


async def test_an_open_gateway_needs_no_session(open_app: SmallApp) -> None:
    reply = await log_in(open_app, "anything")
    assert reply.status == 200
    assert reply.header("set-cookie") is None


async def test_the_page_learns_whether_it_is_signed_in(
    closed: SmallApp, open_app: SmallApp
) -> None:
    async def signed_in(small: SmallApp, headers: dict[str, str]) -> bool:
        reply = await exchange(small.app, path="/config", headers=headers)
        assert reply.status == 200
        return bool(reply.json()["signed_in"])

    assert not await signed_in(closed, {})
    assert not await signed_in(closed, {"X-UA-OPS-TOKEN": "wrong"})
    assert await signed_in(closed, SIGNED_IN)
    assert await signed_in(closed, await session_of(closed))
    assert await signed_in(open_app, {})


# -- wrong tokens


async def guess(small: SmallApp, headers: dict[str, str], client: str = "192.0.2.7") -> Reply:
    return await exchange(small.app, headers=headers, client=client)


WRONG = {"X-UA-OPS-TOKEN": "wrong"}


@pytest.mark.parametrize("client", ["192.0.2.7", "127.0.0.1", "::1", None])
async def test_the_eleventh_wrong_token_in_a_minute_is_told_to_wait(
    closed: SmallApp, clock: ManualClock, client: str | None
) -> None:
    for _ in range(10):
        assert (await exchange(closed.app, headers=WRONG, client=client)).status == 401
        await clock.advance(1)
    reply = await exchange(closed.app, headers=WRONG, client=client)
    assert reply.status == 429
    assert reply.header("retry-after") == "50"
    assert reply.json()["type"] == "urn:universal-agent:problem:too-many-guesses"
    # To go on guessing does not prolong the wait.
    await clock.advance(49)
    assert (await exchange(closed.app, headers=WRONG, client=client)).status == 429
    await clock.advance(1)
    assert (await exchange(closed.app, headers=WRONG, client=client)).status == 401


async def test_a_valid_token_is_never_locked_out(closed: SmallApp) -> None:
    session = await session_of(closed)
    for _ in range(150):
        await guess(closed, WRONG, "127.0.0.1")
    assert (await exchange(closed.app, headers=SIGNED_IN)).status == 200
    assert (await exchange(closed.app, headers=session)).status == 200
    assert (await log_in(closed)).status == 200
    assert (await log_in(closed, "wrong")).status == 429


async def test_every_way_of_showing_a_token_draws_on_one_budget(closed: SmallApp) -> None:
    ways: list[dict[str, Any]] = [
        {"headers": WRONG},
        {"headers": {"Authorization": "Bearer wrong"}},
        {"headers": {"Cookie": "ua_session_8002=9999999999.AAAA"}},
        {"path": "/api/v1/ops/scheduling/stream", "query": "ops_token=wrong"},
        {"headers": WRONG, "method": "WEBSOCKET", "path": "/api/v1/sessions/s1/stream"},
        {"headers": WRONG, "path": "/api/v1/nothing-here"},
        {"headers": {**WRONG, "Authorization": "Bearer wrong", "Cookie": "ua_session_8002=x"}},
        {"headers": [("X-UA-OPS-TOKEN", TOKEN)] * 2},
    ]
    for way in ways:
        assert (await exchange(closed.app, **way)).status == 401
    assert (await log_in(closed, "wrong")).status == 401
    # An open route says nothing about the token, and counts it all the same.
    reply = await exchange(closed.app, path="/config", headers=WRONG)
    assert reply.status == 200
    for way in ways:
        assert (await exchange(closed.app, **way)).status == 429
    assert (await exchange(closed.app, path="/config", headers=WRONG)).status == 200


async def test_addresses_of_one_client_have_one_budget(closed: SmallApp) -> None:
    for number in range(10):
        address = ["192.0.2.7", "::ffff:192.0.2.7"][number % 2]
        assert (await guess(closed, WRONG, address)).status == 401
    assert (await guess(closed, WRONG, "::ffff:c000:207")).status == 429
    assert (await guess(closed, WRONG, "192.0.2.8")).status == 401


async def test_many_clients_together_have_a_budget_too(closed: SmallApp) -> None:
    for number in range(100):
        assert (await guess(closed, WRONG, f"192.0.2.{number}")).status == 401
    reply = await guess(closed, WRONG, "192.0.2.200")
    assert reply.status == 429
    assert reply.header("retry-after") == "60"


async def test_showing_nothing_is_no_guess(closed: SmallApp) -> None:
    for headers in [{}, {"Authorization": "Basic eDp5"}, {"X-UA-OPS-TOKEN": ""}, {"Cookie": "a=b"}]:
        for _ in range(20):
            assert (await guess(closed, headers)).status == 401


async def test_wrong_tokens_are_logged_without_what_was_guessed(
    closed: SmallApp, log: list[Any]
) -> None:
    for _ in range(30):
        await guess(closed, {"X-UA-OPS-TOKEN": "almost-the-token"})
    assert [record["event"] for record in log] == ["token_refused"] * 10
    assert log[0]["client"] == "192.0.2.7"
    assert "almost" not in repr(log)


# -- a token that changes


async def test_a_new_token_voids_the_old_one_and_its_sessions(closed: SmallApp) -> None:
    session = await session_of(closed)
    closed.gate.rotate("another-token")
    assert (await exchange(closed.app, headers=SIGNED_IN)).status == 401
    reply = await exchange(closed.app, headers=session)
    assert reply.status == 401
    assert cookie_of(reply)["ua_session_8002"]["max-age"] == "0"
    headers = {"X-UA-OPS-TOKEN": "another-token"}
    assert (await exchange(closed.app, headers=headers)).status == 200


async def reading(small: SmallApp, method: str, path: str, query: str) -> tuple[Any, list[Any]]:
    """A stream or socket that has begun, and what it was sent so far."""
    scope = scope_of(method, path, headers=SIGNED_IN, host=HOST, query=query, client="127.0.0.1")
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    begun = asyncio.Event()
    sent: list[Any] = []
    if method == "WEBSOCKET":
        incoming.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] in {"http.response.body", "websocket.accept"}:
            begun.set()

    task = asyncio.create_task(small.app(scope, incoming.get, send))
    await begun.wait()
    return task, sent


async def test_a_new_token_ends_what_goes_on_reading(closed: SmallApp, clock: ManualClock) -> None:
    stream, frames = await reading(closed, "GET", "/api/v1/ops/scheduling/stream", "once=0")
    socket, messages = await reading(closed, "WEBSOCKET", "/api/v1/sessions/s1/stream", "")
    closed.gate.rotate(TOKEN)
    await clock.settle()
    assert not stream.done()
    closed.gate.rotate("another-token")
    await asyncio.gather(stream, socket)
    assert (stream.cancelling(), socket.cancelling()) == (0, 0)
    assert frames[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert messages[-1] == {"type": "websocket.close", "code": 1008}


async def test_what_has_been_read_to_its_end_is_left_alone(
    closed: SmallApp, clock: ManualClock
) -> None:
    assert (await exchange(closed.app, headers=SIGNED_IN)).status == 200
    closed.gate.rotate("another-token")
    await clock.settle()


async def test_a_client_that_leaves_a_stream_is_no_change_of_token(closed: SmallApp) -> None:
    stream, _ = await reading(closed, "GET", "/api/v1/ops/scheduling/stream", "once=0")
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream
