"""The gateway's own application behind the wall: no route of it is open by accident."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.integration.api.exchange import SIGNED_IN, TOKEN, exchange
from tests.integration.api.route_walk import PUBLIC, addresses, open_addresses
from universal_agent.api import web_page
from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


@pytest.fixture
def gateway(clock: ManualClock, tmp_path: Path) -> FastAPI:
    """The application over a runtime that is not started: nothing here may get that far."""
    settings = Settings(ops_token=TOKEN, data_dir=tmp_path)
    return create_app(Runtime(settings, clock=clock))


async def test_every_route_of_the_gateway_needs_the_token(gateway: FastAPI) -> None:
    walked = addresses(gateway.routes)
    assert len(walked) > 30
    assert await open_addresses(gateway) <= PUBLIC | {("GET", "/assets/x")}


async def test_every_operation_says_in_the_openapi_document_what_it_needs(
    gateway: FastAPI,
) -> None:
    reply = await exchange(gateway, path="/api/openapi.json", headers=SIGNED_IN)
    assert reply.status == 200, reply.body
    operations = {
        (method.upper(), path): operation
        for path, methods in reply.json()["paths"].items()
        for method, operation in methods.items()
    }
    is_open = {address for address, operation in operations.items() if not operation["security"]}
    assert is_open <= PUBLIC
    assert len(operations) > 30


async def test_style_elements_need_the_nonce_of_their_own_page(
    gateway: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_page, "WEB_DIST", tmp_path)
    (tmp_path / "index.html").write_text('<meta name="style-nonce" content="{{style-nonce}}">')
    nonces = set()
    for path in ("/", "/jobs"):
        reply = await exchange(gateway, "GET", path, headers={"Accept": "text/html"})
        found = re.search(rb'content="([A-Za-z0-9_-]{20,})"', reply.body)
        assert found is not None
        nonces.add(found[1].decode())
        policy = reply.header("content-security-policy") or ""
        assert f"style-src 'self' 'nonce-{found[1].decode()}';" in policy
        assert "unsafe-inline" not in policy
    assert len(nonces) == 2


async def test_a_file_of_the_page_that_changes_is_read_again(
    gateway: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_page, "WEB_DIST", tmp_path)
    (tmp_path / "assets").mkdir()
    for content in (b"a", b"b"):
        new = tmp_path / "new"
        new.write_bytes(content)
        new.replace(tmp_path / "assets" / "x.js")
        reply = await exchange(gateway, "GET", "/assets/x.js")
        assert (reply.status, reply.body) == (200, content)
        assert (
            reply.header(
                "content-type",
            )
            == "text/javascript; charset=utf-8"
        )
