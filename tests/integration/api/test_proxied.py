"""Requests through a proxy: what an open gateway refuses, whose address counts, what errors say."""

from pathlib import Path

import pytest
from websockets.asyncio.client import connect as open_socket

from tests.integration.api.exchange import HOST, SIGNED_IN, TOKEN, exchange
from tests.integration.api.served import Served, served
from tests.integration.api.small_app import SmallApp, small_app
from universal_agent.api import web_page
from universal_agent.api.app import create_app
from universal_agent.errors import SettingsError
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock

FORWARDED = [
    ("Forwarded", "for=192.0.2.9"),
    ("X-Forwarded-For", "192.0.2.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "agents.example.org"),
    ("X-Forwarded-Anything", ""),
    ("X-Real-IP", "192.0.2.9"),
    ("Via", "1.1 vegur"),
]


# -- a gateway without a token


@pytest.mark.parametrize(("name", "value"), FORWARDED)
async def test_an_open_gateway_refuses_what_comes_through_a_proxy(
    open_app: SmallApp, name: str, value: str
) -> None:
    for method, path in [
        ("POST", "/api/v1/things/a/run"),
        ("GET", "/api/v1/things"),
        ("GET", "/config"),
        ("GET", "/api/v1/ops/scheduling/stream"),
        ("WEBSOCKET", "/api/v1/sessions/s1/stream"),
        ("GET", "/mcp/tool"),
    ]:
        reply = await exchange(open_app.app, method, path, headers={name: value})
        assert reply.status == 403, (method, path)
        assert name.lower() in reply.json()["detail"].lower()
        assert "ua token new" in reply.json()["detail"]
    assert open_app.reached == []


async def test_an_open_gateway_refuses_a_proxy_that_adds_nothing_but_speaks_http_1_0(
    clock: ManualClock, tmp_path: Path
) -> None:
    async with served(tmp_path) as gateway:
        gateway.gate.rotate("")
        answer = await _raw(gateway.port, b"GET /api/v1/cron/jobs HTTP/1.0")
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"(HTTP/1.0)" in answer
        answer = await _raw(gateway.port, b"GET /api/v1/cron/jobs HTTP/1.1")
        assert answer.startswith(b"HTTP/1.1 200")


async def _raw(port: int, request_line: bytes, *headers: bytes) -> bytes:
    """The answer to a request over a connection of its own."""
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    host = b"Host: 127.0.0.1:%d" % port
    lines = [request_line, *(headers or [host]), b"Connection: close", b"", b""]
    writer.write(b"\r\n".join(lines))
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(("name", "value"), FORWARDED)
async def test_pages_and_health_are_open_to_proxies_and_a_token_opens_the_rest(
    open_app: SmallApp, closed: SmallApp, name: str, value: str
) -> None:
    for path in ("/", "/api/v1/health"):
        assert (await exchange(open_app.app, path=path, headers={name: value})).status == 200
    headers = {name: value, **SIGNED_IN}
    assert (await exchange(closed.app, headers=headers)).status == 200


# -- Host and Origin


async def test_a_page_loads_behind_a_proxy_that_changes_host(open_app: SmallApp) -> None:
    headers = {"Origin": "https://agents.example.org", "Sec-Fetch-Site": "same-origin"}
    reply = await exchange(open_app.app, path="/", headers=headers)
    assert reply.status == 200


@pytest.mark.parametrize("path", ["/assets/x.js", "/jobs"])
async def test_the_files_of_the_page_need_no_origin(
    clock: ManualClock, tmp_path: Path, path: str
) -> None:
    app = create_app(Runtime(Settings(ops_token=TOKEN, data_dir=tmp_path), clock=clock))
    headers = {"Origin": "https://agents.example.org", "Accept": "text/html"}
    for method in ("GET", "HEAD"):
        assert (await exchange(app, method, path, headers=headers)).status != 403
    assert (await exchange(app, "POST", path, headers=headers)).status == 403


async def test_what_is_refused_for_its_origin_names_both_sides(closed: SmallApp) -> None:
    headers = {"Origin": "https://agents.example.org:8443"}
    reply = await exchange(closed.app, "POST", "/api/v1/auth/login", headers=headers)
    assert reply.status == 403
    detail = reply.json()["detail"]
    assert f"Origin is https://agents.example.org:8443, and Host is {HOST}." in detail
    assert "pass Host on" in detail


async def test_what_is_refused_for_its_host_names_it_and_the_setting(closed: SmallApp) -> None:
    reply = await exchange(closed.app, host="agents.example.org")
    assert reply.status == 403
    assert "the name agents.example.org in Host" in reply.json()["detail"]
    assert "UA_ALLOWED_HOSTS" in reply.json()["detail"]


async def test_the_page_learns_which_host_reached_the_gateway(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        for host in (f"127.0.0.1:{gateway.port}", "localhost:1"):
            answer = await gateway.http.get("/config", headers={"Host": host})
            assert answer.json()["host"] == host


# -- health


@pytest.mark.parametrize("host", ["10.1.2.3:8002", "agents.example.org", "", None])
async def test_health_answers_checks_that_name_another_host_or_none(
    clock: ManualClock, tmp_path: Path, host: str | None
) -> None:
    app = create_app(Runtime(Settings(ops_token=TOKEN, data_dir=tmp_path), clock=clock))
    for method in ("GET", "HEAD"):
        reply = await exchange(app, method, "/api/v1/health", host=host)
        assert reply.status == 503  # it is not started
    reply = await exchange(app, path="/api/v1/health", host=host)
    assert reply.json() == {"status": "unhealthy"}
    reply = await exchange(app, path="/api/v1/health")
    assert {"version", "reasons", "deployment_profile"} < set(reply.json())


async def test_a_check_as_haproxy_makes_it_finds_a_healthy_gateway(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        answer = await _raw(gateway.port, b"GET /api/v1/health HTTP/1.0", b"X: y")
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'{"status":"healthy"}' in answer


async def test_a_page_of_another_origin_may_not_read_health(closed: SmallApp) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = await exchange(closed.app, path="/api/v1/health", headers=headers)
        assert reply.status == 403
        reply = await exchange(
            closed.app, path="/api/v1/health", headers=headers, host="evil.example"
        )
        assert reply.status == 403


# -- streams


async def test_a_stream_may_not_be_transformed_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        async with gateway.http.stream("GET", "/api/v1/ops/scheduling/stream") as answer:
            assert answer.headers["cache-control"] == "no-cache, no-transform"
            lines = answer.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            assert [(await anext(lines)).partition(":")[0] for _ in range(2)] == ["id", "data"]
        once = await gateway.http.get("/api/v1/ops/scheduling/stream?once=1")
        assert [line.partition(":")[0] for line in once.text.splitlines()[:2]] == ["id", "data"]


async def test_a_handshake_that_lost_its_upgrade_is_told_so(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        session_id = await gateway.session()
        answer = await gateway.http.get(f"/api/v1/sessions/{session_id}/stream")
        assert answer.status_code == 426
        assert answer.headers["upgrade"] == "websocket"
        assert "Upgrade and Connection on" in answer.json()["detail"]
        assert answer.json()["type"] == "urn:universal-agent:problem:upgrade-required"
        headers = {"Authorization": f"Bearer {gateway.http.headers['x-ua-ops-token']}"}
        async with open_socket(gateway.stream(session_id), additional_headers=headers):
            pass


async def test_an_idle_connection_outlives_those_of_proxies(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        assert _keep_alive(gateway) > 120


def _keep_alive(gateway: Served) -> int:
    return gateway.server.config.timeout_keep_alive


# -- whose address it is


TRUSTED = ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")
FORWARDING = {
    "nothing is forwarded": ({}, "127.0.0.1", "127.0.0.1"),
    "one hop": ({"X-Forwarded-For": "192.0.2.9"}, "127.0.0.1", "192.0.2.9"),
    "with a port": ({"X-Forwarded-For": "192.0.2.9:4711"}, "127.0.0.1", "192.0.2.9"),
    "IPv6": ({"X-Forwarded-For": "[2001:db9::1]:4711"}, "127.0.0.1", "2001:db9::1"),
    "what the client itself sent is to the left": (
        {"X-Forwarded-For": "198.51.100.1, 192.0.2.9"},
        "127.0.0.1",
        "192.0.2.9",
    ),
    "two trusted hops": (
        {"X-Forwarded-For": "198.51.100.1, 192.0.2.9,10.1.1.1"},
        "127.0.0.1",
        "192.0.2.9",
    ),
    "a proxy that nobody trusts": ({"X-Forwarded-For": "192.0.2.9"}, "203.0.113.5", "203.0.113.5"),
    "no address": ({"X-Forwarded-For": "unknown"}, "127.0.0.1", "127.0.0.1"),
    "no address behind a hop": (
        {"X-Forwarded-For": "192.0.2.9, unknown, 10.1.1.1"},
        "127.0.0.1",
        "10.1.1.1",
    ),
    "only proxies": ({"X-Forwarded-For": "10.1.1.2, 10.1.1.1"}, "127.0.0.1", "10.1.1.2"),
    "the standard header": (
        {"Forwarded": 'for=198.51.100.1, for="192.0.2.9:47";proto=https, For=10.1.1.1'},
        "127.0.0.1",
        "192.0.2.9",
    ),
    "the standard header, IPv6": (
        {"Forwarded": 'proto=http;for="[2001:db9::1]:47"'},
        "10.2.2.2",
        "2001:db9::1",
    ),
    "hidden": ({"Forwarded": "for=_secret"}, "127.0.0.1", "127.0.0.1"),
    "both, and they agree": (
        {"Forwarded": "for=192.0.2.9", "X-Forwarded-For": "192.0.2.9"},
        "127.0.0.1",
        "192.0.2.9",
    ),
    "both, and one of them is the client's": (
        {"Forwarded": "for=198.51.100.1", "X-Forwarded-For": "192.0.2.9"},
        "127.0.0.1",
        "127.0.0.1",
    ),
    "mapped into IPv6": ({"X-Forwarded-For": "::ffff:192.0.2.9"}, "::ffff:10.1.1.1", "192.0.2.9"),
}


@pytest.mark.parametrize("case", FORWARDING)
async def test_the_client_is_the_one_that_trusted_proxies_forward(
    clock: ManualClock, case: str
) -> None:
    headers, peer, client = FORWARDING[case]
    small = small_app(clock, token=TOKEN, trusted_proxies=TRUSTED)
    reply = await exchange(small.app, headers={**SIGNED_IN, **headers}, client=peer)
    assert reply.json()["who"] == f"operator (header) from {client}"


async def test_a_header_in_several_lines_is_read_from_the_last(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, trusted_proxies=TRUSTED)
    lines = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "192.0.2.9")]
    reply = await exchange(small.app, headers=[*SIGNED_IN.items(), *lines])
    assert reply.json()["who"].endswith("from 192.0.2.9")


async def test_without_trusted_proxies_no_header_names_a_client(closed: SmallApp) -> None:
    headers = {**SIGNED_IN, "X-Forwarded-For": "192.0.2.9"}
    assert (await exchange(closed.app, headers=headers)).json()["who"].endswith("127.0.0.1")


async def test_one_guesser_behind_a_proxy_has_a_budget_of_its_own(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, trusted_proxies=TRUSTED)

    async def guess(client: str) -> int:
        headers = {"X-UA-OPS-TOKEN": "wrong", "X-Forwarded-For": client}
        return (await exchange(small.app, headers=headers)).status

    assert [await guess("192.0.2.9") for _ in range(11)] == [401] * 10 + [429]
    assert await guess("192.0.2.10") == 401


async def test_a_guesser_learns_how_long_to_wait(closed: SmallApp) -> None:
    for _ in range(10):
        await exchange(closed.app, headers={"X-UA-OPS-TOKEN": "wrong"})
    reply = await exchange(closed.app, headers={"X-UA-OPS-TOKEN": "wrong"})
    assert reply.json()["detail"].endswith("wait 60 seconds before the next.")


# -- a path in front


@pytest.mark.parametrize("path", ["/agents/api/v1/things", "/api/v1/things"])
@pytest.mark.parametrize("host", ["ops.example.org", "ops.example.org:8443"])
async def test_a_public_path_is_taken_away_whether_or_not_the_proxy_does(
    clock: ManualClock, path: str, host: str
) -> None:
    small = small_app(clock, token=TOKEN, public_url="https://ops.example.org/agents/")
    reply = await exchange(small.app, path=path, headers=SIGNED_IN, host=host)
    assert reply.status == 200


async def test_a_path_that_only_begins_like_the_public_one_is_another(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, public_url="https://ops.example.org/agents")
    for path in ("/agentsx/api/v1/things", "/agents/agents/api/v1/things", "/x/agents"):
        assert (await exchange(small.app, path=path, headers=SIGNED_IN)).status == 404
    for path in ("/agents", "/agents/"):
        assert (await exchange(small.app, path=path)).status == 200


@pytest.mark.parametrize("path", ["api", "assets/x", "jobs", "metrics", "config"])
def test_a_public_path_that_is_an_address_of_ours_stops_the_start(
    clock: ManualClock, path: str
) -> None:
    with pytest.raises(SettingsError, match="UA_PUBLIC_URL"):
        small_app(clock, token=TOKEN, public_url=f"https://ops.example.org/{path}")


async def test_the_session_of_a_public_path_is_for_that_path_alone(clock: ManualClock) -> None:
    small = small_app(clock, token=TOKEN, public_url="https://ops.example.org/agents/")
    for host, path in (("ops.example.org", "/agents/"), (HOST, "/")):
        answers = [
            await exchange(
                small.app, "POST", "/api/v1/auth/login", host=host, json_body={"token": TOKEN}
            ),
            await exchange(small.app, "POST", "/api/v1/auth/logout", host=host, headers=SIGNED_IN),
        ]
        for reply in answers:
            assert reply.status == 200
            assert f"; Path={path};" in f"{reply.header('set-cookie')};"


async def test_the_page_has_its_files_below_the_public_path(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_page, "WEB_DIST", tmp_path)
    (tmp_path / "index.html").write_text('<meta content="{{base-path}}"><link href="./assets/x">')
    for url, base in (("https://ops.example.org/agents/", "/agents"), ("", "")):
        settings = Settings(ops_token=TOKEN, data_dir=tmp_path, public_url=url)
        app = create_app(Runtime(settings, clock=clock))
        for path in (f"{base}/", f"{base}/jobs", "/"):
            reply = await exchange(app, path=path, headers={"Accept": "text/html"})
            expected = f'<meta content="{base}"><link href="{base}/assets/x">'
            assert reply.body.decode() == expected
