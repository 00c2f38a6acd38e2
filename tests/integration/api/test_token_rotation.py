"""The token in the data directory is followed while the gateway runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from universal_agent.api.app import create_app
from universal_agent.masking import mask
from universal_agent.runtime import Runtime
from universal_agent.settings import load_settings
from universal_agent.testing import ManualClock

OLD, NEW = "the-old-token-of-the-operator-01", "the-new-token-of-the-operator-02"
JOBS = "/api/v1/cron/jobs"


class Rotating:
    """A gateway, the file with its token, and requests with one token or another."""

    def __init__(self, runtime: Runtime, http: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.file = runtime.settings.data_dir / "ops_token"
        self.http = http

    async def says(self, content: bytes | None) -> None:
        """The file has this content now, and the gateway has looked at it."""
        self.file.unlink(missing_ok=True)
        if content is not None:
            self.file.write_bytes(content)
        await self.runtime.token.look()

    async def status(self, token: str | None, path: str = JOBS) -> int:
        headers = {} if token is None else {"X-UA-OPS-TOKEN": token}
        return (await self.http.get(path, headers=headers)).status_code


Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path, clock: ManualClock) -> Serve:
    @asynccontextmanager
    async def serve(token: str | None = OLD, **settings: Any) -> AsyncIterator[Rotating]:
        data_dir = tmp_path / "data"
        data_dir.mkdir()
        if token is not None:
            (data_dir / "ops_token").write_text(token)
        runtime = Runtime(load_settings(data_dir=data_dir, **settings), clock=clock)
        transport = httpx.ASGITransport(create_app(runtime))
        await runtime.start()
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Rotating(runtime, http)
        await runtime.stop()

    return serve


async def test_a_new_token_in_the_file_is_asked_for_within_seconds(
    serve: Serve, clock: ManualClock
) -> None:
    async with serve() as gateway:
        assert await gateway.status(OLD) == 200
        gateway.file.write_text(NEW)
        for _ in range(1000):
            await clock.advance(0.01)
            if gateway.runtime.token.value == NEW:
                break
        assert (await gateway.status(OLD), await gateway.status(NEW)) == (401, 200)


async def test_sessions_of_the_old_token_end(serve: Serve) -> None:
    async with serve() as gateway:
        signed_in = await gateway.http.post("/api/v1/auth/login", json={"token": OLD})
        assert signed_in.status_code == 200
        assert await gateway.status(None) == 200
        await gateway.says(NEW.encode())
        assert await gateway.status(None) == 401


async def test_a_token_closes_a_gateway_that_was_open(serve: Serve) -> None:
    async with serve(token=None) as gateway:
        assert await gateway.status(None) == 200
        assert (await gateway.http.get("/config")).json()["auth_required"] is False
        await gateway.says(NEW.encode())
        assert (await gateway.status(None), await gateway.status(NEW)) == (401, 200)
        assert (await gateway.http.get("/config")).json()["auth_required"] is True


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
async def test_a_file_without_a_token_never_opens_a_gateway_that_runs(
    serve: Serve, log: list[Any], content: bytes | None
) -> None:
    async with serve() as gateway:
        await gateway.says(content)
        await gateway.says(content)
        assert (await gateway.status(OLD), await gateway.status(None)) == (200, 401)
        assert [record["event"] for record in log if record["log_level"] == "error"] == [
            "token_kept"
        ]
        await gateway.says(NEW.encode())
        assert (await gateway.status(OLD), await gateway.status(NEW)) == (401, 200)


async def test_a_token_that_is_the_webhook_secret_is_not_taken_over(serve: Serve) -> None:
    async with serve(webhook_secret=NEW) as gateway:
        await gateway.says(NEW.encode())
        assert (await gateway.status(OLD), await gateway.status(NEW)) == (200, 401)


async def test_a_token_of_the_environment_stays_whatever_the_file_says(
    serve: Serve, clock: ManualClock
) -> None:
    async with serve(token=None, ops_token=OLD) as gateway:
        gateway.file.write_text(NEW)
        await clock.advance(10)
        assert not gateway.runtime.token.is_followed
        assert (await gateway.status(OLD), await gateway.status(NEW)) == (200, 401)


async def test_both_tokens_are_masked(serve: Serve) -> None:
    async with serve() as gateway:
        await gateway.says(NEW.encode())
        assert mask(f"{OLD} {NEW}") == "*** ***"
