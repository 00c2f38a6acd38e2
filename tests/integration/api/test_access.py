"""The wall around the application: names, origins, tokens, on every transport."""

import re
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi import FastAPI

from tests.integration.api.exchange import HOST, SIGNED_IN, TOKEN, Headers, Reply, exchange
from tests.integration.api.route_walk import PUBLIC, addresses, open_addresses
from tests.integration.api.small_app import SmallApp, small_app
from universal_agent.api.policy import PAGES
from universal_agent.errors import SettingsError
from universal_agent.testing import ManualClock

ROOT = Path(__file__).resolve().parents[3]


class Transport(NamedTuple):
    method: str
    path: str
    success: int


TRANSPORTS = [
    Transport("GET", "/api/v1/things", 200),
    Transport("POST", "/api/v1/things/a/run", 200),
    Transport("GET", "/api/v1/ops/scheduling/stream", 200),
    Transport("WEBSOCKET", "/api/v1/sessions/s1/stream", 101),
    Transport("GET", "/", 200),
    Transport("GET", "/mcp/tool", 200),
    Transport("POST", "/mcp/tool", 200),
    Transport("GET", "/api/v1/nothing-here", 404),
]

OUR_HOSTS = [
    "127.0.0.1",
    "127.0.0.1:8002",
    "127.0.0.1:65535",
    "localhost:8002",
    "LOCALHOST:8002",
    "[::1]",
    "[::1]:8002",
    "ua.example.org",
    "ua.example.org:443",
    "proxied.example.org:8443",
    "192.0.2.7:8002",
]
OTHER_HOSTS = [
    None,
    "",
    "evil.example",
    "evil.example:8002",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8002",
    "localhost.",
    "localhost.:8002",
    "127.0.0.1.",
    "0.0.0.0",
    "0.0.0.0:8002",
    "[::]:8002",
    "127.1",
    "2130706433",
    "0x7f.1",
    "127.0.0.2:8002",
    "::1",
    "[::1",
    "[::ffff:127.0.0.1]:8002",
    "[0:0:0:0:0:0:0:1]:8002",
    "user@127.0.0.1:8002",
    "127.0.0.1:8002@evil.example",
    "evil.example#@127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:80b",
    "127.0.0.1:-1",
    "127.0.0.1 evil.example",
    "127.0.0.1,evil.example",
    "127.0.0.1/",
    "http://127.0.0.1:8002",
    "proxied.example.org",
    "proxied.example.org:8002",
    "l\u00f6calhost",
    "127.0.0.1\u0660",
    "a" * 5000,
]


def our_origins(host: str) -> list[str | None]:
    return [None, f"http://{host.lower()}", f"https://{host.lower()}"]


def other_origins(host: str) -> list[str]:
    return [
        "null",
        "",
        "http://evil.example",
        "https://evil.example:8002",
        f"http://{host}.evil.example",
        f"http://evil.example@{host}",
        f"http://{host}/",
        f"http://{host}/page",
        f"http://{host}, http://{host}",
        f"ftp://{host}",
        f"ws://{host}",
        f"//{host}",
        host,
        f"http://{host.partition(':')[0]}:3000",
        "http://localhost:9999",
        "file://",
        "chrome-extension://abcdefgh",
        "*",
    ]


async def attempt(app: FastAPI, to: Transport, host: str | None, origin: str | None) -> Reply:
    headers = {} if origin is None else {"Origin": origin}
    return await exchange(app, to.method, to.path, headers=headers, host=host)


async def test_every_host_and_origin_is_judged_alike_on_every_transport(clock: ManualClock) -> None:
    small = small_app(
        clock,
        allowed_hosts=("ua.example.org", "proxied.example.org:8443"),
        gateway_host="192.0.2.7",
    )
    wrong = []
    count = 0
    for to, host in product(TRANSPORTS, OUR_HOSTS + OTHER_HOSTS):
        is_ours = host in OUR_HOSTS
        cases = [(origin, to.success if is_ours else 403) for origin in our_origins(host or "")]
        # A page is the same for everybody.
        other = to.success if is_ours and to.path == "/" else 403
        cases += [(origin, other) for origin in other_origins(host or "")]
        for origin, expected in cases:
            count += 1
            reply = await attempt(small.app, to, host, origin)
            if reply.status != expected:
                wrong.append((to.method, to.path, host, origin, reply.status, expected))
    assert wrong == []
    assert count > 1176


async def test_a_default_port_may_be_named_or_left_out() -> None:
    small = small_app(ManualClock(), allowed_hosts=("ua.example.org",))
    for host, origin in [
        ("ua.example.org", "https://ua.example.org:443"),
        ("ua.example.org:443", "https://ua.example.org"),
        ("ua.example.org:80", "http://ua.example.org"),
    ]:
        reply = await attempt(small.app, TRANSPORTS[1], host, origin)
        assert reply.status == 200
    reply = await attempt(small.app, TRANSPORTS[1], "ua.example.org:443", "http://ua.example.org")
    assert reply.status == 403


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site"])
async def test_a_repeated_header_of_the_wall_is_refused(open_app: SmallApp, name: str) -> None:
    values = {"Host": HOST, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    headers = [(name, values[name])] * 2
    host = None if name == "Host" else HOST
    reply = await exchange(open_app.app, headers=headers, host=host)
    assert reply.status == 403
    reply = await exchange(open_app.app, headers=headers[:1], host=host)
    assert reply.status == 200


@pytest.mark.parametrize("to", TRANSPORTS)
@pytest.mark.parametrize(
    "form", ["HTTP://{}", "http://{} ", "\thttp://{}", " Https://{}:80".replace(":80", "")]
)
async def test_case_and_blanks_of_an_origin_and_a_host_do_not_count(
    open_app: SmallApp, to: Transport, form: str
) -> None:
    reply = await attempt(open_app.app, to, "LOCALHOST:8002 ", form.format("LocalHost:8002"))
    assert reply.status == to.success
    for other in ("HTTP://EVIL.example:8002", " http://localhost:8003", "http://local host:8002"):
        expected = 200 if to.path == "/" else 403
        assert (await attempt(open_app.app, to, "localhost:8002", other)).status == expected


@pytest.mark.parametrize("query", ["a=1&a=2", "a&b&a", "a=1&%61=1", "a+b=1&c=2&a%20b=1"])
async def test_a_parameter_that_comes_twice_is_refused_by_name(
    open_app: SmallApp, query: str
) -> None:
    reply = await exchange(open_app.app, query=query)
    assert reply.status == 400
    assert reply.json()["field"] in ("a", "a b")
    assert (await exchange(open_app.app, query="a=1&b=1&c=a")).status == 200


@pytest.mark.parametrize("target", ["http://evil.example/api/v1/things", "*", "", "api/v1/things"])
async def test_a_target_that_is_no_path_is_refused(open_app: SmallApp, target: str) -> None:
    assert (await exchange(open_app.app, path=target)).status == 403


@pytest.mark.parametrize(
    "name", ["*", "0.0.0.0", "[::]:80", "a b", "http://x", "x.", "b\u00fccher"]
)
def test_a_name_that_would_let_everybody_in_stops_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="UA_ALLOWED_HOSTS"):
        small_app(ManualClock(), allowed_hosts=(name,))


async def test_a_wildcard_address_adds_no_name(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, gateway_host="0.0.0.0")
    reply = await exchange(small.app, headers=SIGNED_IN, host="0.0.0.0:8002")
    assert reply.status == 403


# -- Sec-Fetch-Site


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "", "odd"])
@pytest.mark.parametrize("to", TRANSPORTS)
async def test_what_a_page_elsewhere_makes_a_browser_send_is_refused(
    open_app: SmallApp, to: Transport, site: str
) -> None:
    for mode in ["no-cors", "cors", "websocket"]:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": "empty"}
        reply = await exchange(open_app.app, to.method, to.path, headers=headers)
        assert reply.status == 403
    assert open_app.reached == []


@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize("to", TRANSPORTS)
async def test_what_our_own_page_or_a_person_sends_passes(
    open_app: SmallApp, to: Transport, site: str
) -> None:
    reply = await exchange(open_app.app, to.method, to.path, headers={"Sec-Fetch-Site": site})
    assert reply.status == to.success


@pytest.mark.parametrize(
    ("method", "path", "mode", "dest", "status"),
    [
        ("GET", "/", "navigate", "document", 200),
        ("GET", "/", "navigate", "iframe", 403),
        ("GET", "/", "no-cors", "image", 403),
        ("GET", "/", "cors", "document", 403),
        ("POST", "/", "navigate", "document", 403),
        ("GET", "/api/v1/things", "navigate", "document", 403),
        ("GET", "/config", "navigate", "document", 403),
    ],
)
async def test_a_link_elsewhere_may_lead_to_a_page_and_nowhere_else(
    open_app: SmallApp, method: str, path: str, mode: str, dest: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert (await exchange(open_app.app, method, path, headers=headers)).status == status


async def test_a_valid_token_does_not_excuse_a_foreign_origin(closed: SmallApp) -> None:
    for to in TRANSPORTS:
        if to.path == "/":
            continue
        headers = {**SIGNED_IN, "Origin": "http://evil.example"}
        assert (await exchange(closed.app, to.method, to.path, headers=headers)).status == 403
    assert closed.reached == []


async def test_a_preflight_gets_no_leave_from_anybody(closed: SmallApp) -> None:
    headers = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-ua-ops-token",
    }
    for path in ["/api/v1/things", "/mcp/tool", "/"]:
        reply = await exchange(closed.app, "OPTIONS", path, headers=headers)
        assert reply.status == 403
        assert not [name for name, _ in reply.headers if name.startswith("access-control")]


async def test_cors_headers_of_a_mounted_application_do_not_get_out(closed: SmallApp) -> None:
    headers = {**SIGNED_IN, "Origin": f"http://{HOST}"}
    reply = await exchange(closed.app, "GET", "/mcp/tool", headers=headers)
    assert reply.status == 200
    assert not [name for name, _ in reply.headers if name.startswith("access-control")]


# -- the token


async def test_every_route_needs_the_token_unless_it_is_on_the_list(closed: SmallApp) -> None:
    assert await open_addresses(closed.app) == PUBLIC - {("HEAD", "/api/v1/health")} | {
        ("GET", "/")
    }
    walked = addresses(closed.app.routes)
    assert ("WEBSOCKET", "/api/v1/sessions/x/stream") in walked
    assert ("POST", "/mcp/tool") in walked
    assert ("POST", "/api/v1/auth/logout") in walked
    assert closed.reached == []


async def test_the_walk_finds_a_route_that_somebody_opened(
    closed: SmallApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("universal_agent.api.policy.PAGES", PAGES | {"api"})
    assert ("GET", "/api/v1/things") in await open_addresses(closed.app)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nothing-here"),
        ("GET", "/nothing-here"),
        ("GET", "//"),
        ("GET", "//api/v1/health"),
        ("GET", "/api/v1/health/"),
        ("GET", "/api/v1/health/x"),
        ("GET", "/api/v1/HEALTH"),
        ("POST", "/api/v1/health"),
        ("PUT", "/"),
        ("DELETE", "/assets/x.js"),
        ("OPTIONS", "/api/v1/things"),
        ("TRACE", "/"),
        ("FOO", "/api/v1/health"),
        ("GET", "/metrics"),
        ("GET", "/api/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/mcp"),
        ("GET", "/mcp/.."),
        ("GET", "/Assets/x.js"),
        ("GET", "/assets\\x.js"),
    ],
)
async def test_what_the_policy_does_not_name_needs_the_token(
    closed: SmallApp, method: str, path: str
) -> None:
    reply = await exchange(closed.app, method, path)
    assert reply.status == 401
    assert reply.json()["type"] == "urn:universal-agent:problem:unauthorized"
    assert reply.header("www-authenticate") == 'Bearer realm="universal-agent"'


def test_the_pages_are_those_of_the_dashboard() -> None:
    source = (ROOT / "web" / "src" / "app" / "pages.ts").read_text(encoding="utf-8")
    pages = set(re.findall(r"path: '/([a-z]*)'", source))
    assert len(pages) > 5
    # Prometheus has the address /metrics; the page of that name is reached from within.
    assert pages - {"", "metrics"} == PAGES - {"assets", "favicon.ico"}


@pytest.mark.parametrize(
    ("headers", "query", "via"),
    [
        ({"X-UA-OPS-TOKEN": TOKEN}, "", "header"),
        ({"Authorization": f"Bearer {TOKEN}"}, "", "bearer"),
        ({"Authorization": f"bearer  {TOKEN}"}, "", "bearer"),
        ({"X-UA-OPS-TOKEN": TOKEN, "Authorization": "Basic eDp5"}, "", "header"),
        ({"X-UA-OPS-TOKEN": "wrong", "Authorization": f"Bearer {TOKEN}"}, "", "bearer"),
    ],
)
async def test_the_token_signs_in_by_header_and_as_a_bearer(
    closed: SmallApp, headers: Headers, query: str, via: str
) -> None:
    reply = await exchange(closed.app, headers=headers, query=query)
    assert reply.status == 200
    assert reply.json() == {"who": f"operator ({via}) from 127.0.0.1"}


@pytest.mark.parametrize("path", ["/api/v1/ops/scheduling/stream", "/api/v1/ops/calendar.ics"])
async def test_a_token_in_the_query_signs_in_to_the_stream_and_the_feed(
    closed: SmallApp, path: str
) -> None:
    for query in [f"ops_token={TOKEN}", f"since_seq=0&ops_token={TOKEN}"]:
        assert (await exchange(closed.app, path=path, query=query)).status == 200
    for query in ["ops_token=wrong", "ops_token=", f"ops_token={TOKEN}&ops_token={TOKEN}", "a=%ff"]:
        assert (await exchange(closed.app, path=path, query=query)).status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/things"),
        ("POST", "/api/v1/things"),
        ("HEAD", "/api/v1/ops/scheduling/stream"),
        ("POST", "/api/v1/ops/scheduling/stream"),
        ("GET", "/api/v1/ops/scheduling/stream/"),
        ("GET", "/api/v1/ops/scheduling/events"),
        ("WEBSOCKET", "/api/v1/sessions/s1/stream"),
    ],
)
async def test_a_token_in_the_query_counts_nowhere_else(
    closed: SmallApp, method: str, path: str
) -> None:
    reply = await exchange(closed.app, method, path, query=f"ops_token={TOKEN}")
    assert reply.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("X-UA-OPS-TOKEN", "")],
        [("X-UA-OPS-TOKEN", TOKEN[:-1])],
        [("X-UA-OPS-TOKEN", TOKEN + " ")],
        [("X-UA-OPS-TOKEN", TOKEN.upper())],
        [("X-UA-OPS-TOKEN", "t\u00f6ken")],
        [("X-UA-OPS-TOKEN", b"\xff\xfe\x00")],
        [("X-UA-OPS-TOKEN", ",")],
        [("X-UA-OPS-TOKEN", "x" * 1_048_576)],
        [("X-UA-OPS-TOKEN", TOKEN), ("X-UA-OPS-TOKEN", TOKEN)],
        [("X-UA-OPS-TOKEN", "wrong"), ("X-UA-OPS-TOKEN", TOKEN)],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", f"Bearer{TOKEN}")],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", TOKEN)],
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")],
        [("Authorization", b"Bearer \xf0\x9f\x92\xa3")],
        [("Cookie", f"ua_session_8002={TOKEN}")],
        [("Cookie", "ua_session_8002=")],
        [("Cookie", "ua_session_8002=9999999999.AAAA")],
        [("Cookie", "ua_session_8002=99999999999999999999999999.AAAA")],
        [("Cookie", b"ua_session_8002=\xc2\xb2.AAAA")],
        [("Cookie", ";;=;ua_session_8002")],
    ],
)
async def test_a_wrong_token_of_any_shape_is_a_401(closed: SmallApp, headers: Headers) -> None:
    for method, path in [("GET", "/api/v1/things"), ("WEBSOCKET", "/api/v1/sessions/s1/stream")]:
        reply = await exchange(closed.app, method, path, headers=headers)
        assert reply.status == 401
    assert closed.reached == []


async def test_a_token_beyond_ascii_signs_in(clock: ManualClock) -> None:
    token = "schl\u00fcssel-\u9375"
    small = small_app(clock, token=token)
    headers = [("X-UA-OPS-TOKEN", token.encode())]
    assert (await exchange(small.app, headers=headers)).status == 200
    reply = await exchange(
        small.app, path="/api/v1/ops/calendar.ics", query="ops_token=schl%C3%BCssel-%E9%8D%B5"
    )
    assert reply.status == 200


async def test_a_socket_is_refused_before_it_is_accepted(closed: SmallApp) -> None:
    reply = await exchange(closed.app, "WEBSOCKET", "/api/v1/sessions/s1/stream")
    assert reply.status == 401
    assert reply.header("content-type") == "application/problem+json"
    reply = await exchange(closed.app, "WEBSOCKET", "/api/v1/sessions/s1/stream", headers=SIGNED_IN)
    assert reply.status == 101


async def test_an_open_gateway_takes_a_plain_request_without_a_token(open_app: SmallApp) -> None:
    reply = await exchange(open_app.app, "POST", "/api/v1/things", json_body={"name": "a"})
    assert reply.status == 200
    reply = await exchange(open_app.app)
    assert reply.json() == {"who": "operator (open) from 127.0.0.1"}


# -- headers of the answers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/things", 200),
        ("GET", "/", 200),
        ("GET", "/api/v1/nothing-here", 404),
        ("GET", "/api/v1/broken", 500),
        ("GET", "/mcp/tool", 200),
        ("PUT", "/api/v1/things", 405),
    ],
)
async def test_every_answer_tells_browsers_to_be_careful(
    closed: SmallApp, method: str, path: str, status: int
) -> None:
    for headers, expected in [(SIGNED_IN, status), ({"Sec-Fetch-Site": "same-site"}, 403)]:
        reply = await exchange(closed.app, method, path, headers=headers)
        assert reply.status == expected
        assert reply.header("x-content-type-options") == "nosniff"
        assert reply.header("x-frame-options") == "DENY"
        assert reply.header("referrer-policy") == "no-referrer"
        assert "frame-ancestors 'none'" in (reply.header("content-security-policy") or "")


async def test_pages_get_the_strict_policy_that_they_run_under(closed: SmallApp) -> None:
    reply = await exchange(closed.app, path="/")
    assert reply.header("content-security-policy") == (
        "default-src 'self'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; object-src 'none'"
    )
    assert reply.header("cache-control") is None


async def test_answers_are_not_stored_unless_the_route_says_how(closed: SmallApp) -> None:
    reply = await exchange(closed.app, headers=SIGNED_IN)
    assert reply.header("cache-control") == "no-store"
    reply = await exchange(closed.app, path="/api/v1/cached", headers=SIGNED_IN)
    assert reply.header("cache-control") == "private, max-age=5"
