"""How much, how slowly, how deeply nested: what is refused before any route sees it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.api.exchange import SIGNED_IN, exchange, scope_of
from tests.integration.api.small_app import SmallApp
from universal_agent.api.json_body import MAX_DEPTH, MAX_NAMES, MAX_VALUES, is_too_deep
from universal_agent.api.limits import MAX_BODY_BYTES, MAX_STRANGER_BODY_BYTES, client_name

JSON = {"Content-Type": "application/json"}


def thing(size: int) -> bytes:
    """A good body of exactly this many bytes."""
    empty = json.dumps({"name": ""}).encode()
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


async def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(
    open_app: SmallApp,
) -> None:
    for size, status in [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)]:
        body = thing(size)
        declared = {**JSON, "Content-Length": str(size)}
        reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=declared, body=body)
        assert reply.status == status
        chunks = [body[at : at + 65_536] for at in range(0, size, 65_536)]
        chunked = {**JSON, "Transfer-Encoding": "chunked"}
        reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=chunked, body=chunks)
        assert reply.status == status
    assert open_app.reached == ["make", "make"]
    assert reply.header("content-type") == "application/problem+json"


@pytest.mark.parametrize("declared", ["1048577", "9" * 15, "9" * 5000])
async def test_a_body_that_is_announced_too_large_is_not_read(
    open_app: SmallApp, declared: str
) -> None:
    scope = scope_of(
        "POST",
        "/api/v1/things",
        headers={"Content-Length": declared},
        host="127.0.0.1",
        query="",
        client=None,
    )
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    await open_app.app(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_a_body_of_a_request_without_a_token_is_not_read(closed: SmallApp) -> None:
    headers = {"Content-Length": "999999999"}
    assert (await exchange(closed.app, "POST", headers=headers)).status == 401


async def test_a_body_beside_a_get_is_limited_too(open_app: SmallApp) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    reply = await exchange(open_app.app, headers=headers, body=[b"x" * 600_000] * 2)
    assert reply.status == 413


async def test_headers_of_more_than_16_kib_are_refused(closed: SmallApp) -> None:
    for size, status in [(15_000, 200), (17_000, 431)]:
        for headers in [{"X-Big": "x" * size}, {f"X-{n}": "x" * 93 for n in range(size // 100)}]:
            reply = await exchange(closed.app, headers={**SIGNED_IN, **headers})
            assert reply.status == status
        reply = await exchange(closed.app, headers=SIGNED_IN, query="x" * size)
        assert reply.status == status
    assert reply.json()["title"] == "Headers too large"


async def test_a_client_that_leaves_before_the_end_of_its_body_gets_no_answer(
    open_app: SmallApp,
) -> None:
    incoming = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(_: Any) -> None:
        raise AssertionError("there was an answer")

    scope = scope_of(
        "POST", "/api/v1/things", headers=JSON, host="localhost", query="", client=None
    )
    await open_app.app(scope, receive, send)
    assert open_app.reached == []


async def test_a_body_in_pieces_arrives_whole(open_app: SmallApp) -> None:
    body = thing(100)
    reply = await exchange(
        open_app.app,
        "POST",
        "/api/v1/things",
        headers=JSON,
        body=[body[at : at + 1] for at in range(100)],
    )
    assert reply.status == 200
    assert reply.json()["name"] == json.loads(body)["name"]


async def test_json_nested_too_deeply_is_refused(open_app: SmallApp) -> None:
    for levels, status in [(MAX_DEPTH, 422), (MAX_DEPTH + 1, 400), (MAX_DEPTH * 100, 400)]:
        lists = b"[" * levels + b"1" + b"]" * levels
        objects = b'{"a":' * levels + b"1" + b"}" * levels
        mixed = b"[" + b'{"a":' * (levels - 1) + b"1" + b"}" * (levels - 1) + b"]"
        for body in [lists, objects, mixed]:
            reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=JSON, body=body)
            assert reply.status == status


async def test_no_nesting_whatever_brings_the_parser_down(open_app: SmallApp) -> None:
    for body in [b"[" * 1_000_000, b'{"a":' * 200_000, b"[]" * 500_000, b'"' + b"[" * 1_000_000]:
        reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=JSON, body=body)
        assert reply.status in {400, 422}
    deep_in_disguise = '"\\""[' + "[" * 5000
    for encoding in ["utf-16-le", "utf-16-be", "utf-32"]:
        body = deep_in_disguise.encode(encoding)
        reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=JSON, body=body)
        assert reply.status in {400, 422}


BROKEN = [
    b'\xef\xbb\xbf{"name": "a"}',
    '{"name": "a"}'.encode("utf-16"),
    '{"name": "a"}'.encode("utf-16-le"),
    '{"name": "a"}'.encode("utf-32-be"),
    b'{"name": "\xff"}',
    b'{"name": "\xed\xa0\x80"}',
    rb'{"name": "\ud800"}',
    b'{"name": "a", "size": NaN}',
    b'{"name": "a", "size": -Infinity}',
    b'{"name": "a", "size": 1e999}',
    b'{"name": "a"} {}',
    b'{"name": "\n"}',
]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-16", "a/x+json"]
)
@pytest.mark.parametrize("body", BROKEN)
async def test_what_is_not_json_in_utf8_is_refused_before_any_route(
    open_app: SmallApp, body: bytes, kind: str
) -> None:
    headers = {"Content-Type": kind}
    for path in ("/api/v1/things", "/api/v1/things/a/run"):
        reply = await exchange(open_app.app, "POST", path, headers=headers, body=body)
        assert (reply.status, reply.json()["field"]) == (422, "body"), reply.body
        assert reply.json()["type"] == "urn:universal-agent:problem:malformed-request"
    assert open_app.reached == []


async def test_of_a_name_that_comes_twice_the_last_counts(open_app: SmallApp) -> None:
    body = b'{"name": "a", "name": "b"}'
    reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=JSON, body=body)
    assert reply.json()["name"] == "b"


async def test_a_body_of_more_values_than_anybody_needs_is_refused(open_app: SmallApp) -> None:
    names = json.dumps({f"n{number}": 1 for number in range(MAX_NAMES)} | {"name": "a"}).encode()
    for body in (b"[" + b"{}," * MAX_VALUES + b"{}]", names):
        reply = await exchange(open_app.app, "POST", "/api/v1/things", headers=JSON, body=body)
        assert (reply.status, reply.json()["field"]) == (400, "body")


async def test_the_body_of_a_stranger_is_small(closed: SmallApp) -> None:
    for path, status in [("/api/v1/auth/login", 413), ("/api/v1/things", 401)]:
        body = json.dumps({"token": "x" * MAX_STRANGER_BODY_BYTES}).encode()
        reply = await exchange(closed.app, "POST", path, headers=JSON, body=body)
        assert reply.status == status
        chunked = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        reply = await exchange(closed.app, "POST", path, headers=JSON, body=chunked)
        assert reply.status == status
    signed_in = {**JSON, **SIGNED_IN}
    reply = await exchange(
        closed.app, "POST", "/api/v1/things", headers=signed_in, body=thing(5000)
    )
    assert reply.status == 200


def depth_of(value: Any) -> int:
    """Counted one by one."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\,:ab\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\'), inner),
    max_leaves=20,
)


@given(value=JSON_VALUES, wraps=st.integers(MAX_DEPTH - 4, MAX_DEPTH + 1), spaces=st.booleans())
def test_depth_is_judged_as_counting_would(value: Any, wraps: int, spaces: bool) -> None:
    for number in range(wraps):
        value = [value, "]"] if number % 2 else {"[": value}
    body = json.dumps(value, indent=1 if spaces else None).encode()
    assert is_too_deep(body) == (depth_of(value) > MAX_DEPTH)


@given(body=st.binary() | st.text(alphabet='[]{}"\\').map(str.encode))
def test_depth_of_anything_at_all_is_judged_without_an_error(body: bytes) -> None:
    assert is_too_deep(body * 40) in {True, False}


@pytest.mark.parametrize(
    ("addresses", "name"),
    [
        (["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"], "192.0.2.7"),
        (["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"], "loopback"),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"], "2001:db8:1:2::/64"),
        (["2001:db8:1:3::1"], "2001:db8:1:3::/64"),
        (["fe80::1%eth0", "fe80::2"], "fe80::/64"),
        (["unknown"], "unknown"),
    ],
)
def test_addresses_of_one_client_share_its_name(addresses: list[str], name: str) -> None:
    assert {client_name(address) for address in addresses} == {name}
