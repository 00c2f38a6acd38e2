"""Tokens of calendar programs: they read calendar.ics, nothing else, until they are revoked."""

from collections.abc import Sequence
from pathlib import Path

from starlette.routing import BaseRoute

from tests.integration.api.exchange import exchange
from tests.integration.api.route_walk import addresses
from tests.integration.api.served import TOKEN, Served, served

ICS = "/api/v1/ops/calendar.ics"
FEEDS = "/api/v1/auth/feed-tokens"


async def made(gateway: Served, name: str = "phone") -> str:
    """The secret of a new token."""
    answer = await gateway.http.put(f"{FEEDS}/{name}")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["path"] == f"{ICS}?feed_token={document['feed_token']}"
    return str(document["feed_token"])


def _routes(gateway: Served) -> Sequence[BaseRoute]:
    routes: Sequence[BaseRoute] = gateway.app.routes
    return routes


def _files_with(folder: Path, text: bytes) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]


async def status(gateway: Served, token: str, method: str = "GET", path: str = ICS) -> int:
    """What an address answers to a program that has only this token."""
    reply = await exchange(gateway.app, method, path, query=f"feed_token={token}")
    return reply.status


async def test_a_feed_token_reads_the_calendar_and_nothing_else(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        token = await made(gateway)
        for method in ("GET", "HEAD"):
            assert await status(gateway, token, method) == 200
        opened = {
            (method, path)
            for method, path in addresses(_routes(gateway))
            if await status(gateway, token, method, path) not in (401, 429)
        }
        assert ("GET", ICS) in opened
        without = {
            (method, path)
            for method, path in addresses(_routes(gateway))
            if (await exchange(gateway.app, method, path)).status not in (401, 429)
        }
        assert opened - without == {("GET", ICS)}
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"X-UA-OPS-TOKEN": token},
        ):
            assert (await exchange(gateway.app, path=ICS, headers=headers)).status in (401, 429)
        query = f"ops_token={token}"
        assert (await exchange(gateway.app, path=ICS, query=query)).status in (401, 429)


async def test_a_revoked_token_is_refused_and_the_others_are_not(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        phone, desk = await made(gateway), await made(gateway, "desk")
        assert phone != desk
        listed = (await gateway.http.get(FEEDS)).json()["feed_tokens"]
        assert [token["name"] for token in listed] == ["desk", "phone"]
        assert phone not in str(listed)
        assert (await gateway.http.delete(f"{FEEDS}/phone")).status_code == 200
        assert await status(gateway, phone) == 401
        assert await status(gateway, desk) == 200
        assert (await gateway.http.delete(f"{FEEDS}/phone")).status_code == 404
        assert await status(gateway, await made(gateway)) == 200


async def test_tokens_are_audited_hashed_and_unique(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        token = await made(gateway)
        assert (await gateway.http.put(f"{FEEDS}/phone")).status_code == 409
        assert (await gateway.http.put(f"{FEEDS}/a%20b")).status_code == 422
        await gateway.http.delete(f"{FEEDS}/phone")
        entries = (await gateway.http.get("/api/v1/ops/audit")).json()["entries"]
        told = [(entry["type"], entry["data"]["name"]) for entry in entries]
        assert told == [("feed_token_revoked", "phone"), ("feed_token_created", "phone")]
        assert all("operator" in entry["data"]["by"] for entry in entries)
    assert _files_with(tmp_path, token.encode()) == []


async def test_a_token_outlives_a_restart_and_a_change_of_the_operators(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        token = await made(gateway)
        gateway.gate.rotate(TOKEN[::-1])
        assert await status(gateway, token) == 200
    async with served(tmp_path) as gateway:
        assert await status(gateway, token) == 200


async def test_wrong_feed_tokens_draw_on_the_budget_of_guesses(tmp_path: Path) -> None:
    async with served(tmp_path) as gateway:
        token = await made(gateway)
        found = [await status(gateway, f"uaf_{number}") for number in range(11)]
        assert found == [401] * 10 + [429]
        assert await status(gateway, token) == 200
