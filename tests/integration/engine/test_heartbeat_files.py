"""The files that steer a session's beats, read and replaced over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import Gateway

ROUTE = "/api/v1/heartbeat/files?session_id=s1"
CHECKLIST = "- [ ] disk: `test -d /`\n- look at the mail\n"


def folder_of(gateway: Gateway, files: dict[str, Any]) -> Path:
    return gateway.runtime.settings.workspaces_root / str(files["workspace_dir"])


async def files_of(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(ROUTE)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_replaced_checklist_is_what_the_next_beat_reads(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    await gateway.session(every="10m")
    answer = await client.put(ROUTE, json={"checklist": CHECKLIST})
    assert answer.status_code == 200, answer.text
    files = answer.json()
    assert files == await files_of(client)
    assert files["checks"] == [{"name": "disk", "command": "test -d /", "line": 1}]
    assert files["agent_lines"] == [2]
    folder = folder_of(gateway, files)
    assert (folder / "HEARTBEAT.md").read_text(encoding="utf-8") == CHECKLIST
    assert [path.name for path in folder.iterdir() if path.name.startswith(".HEARTBEAT")] == []


async def test_a_replaced_configuration_is_in_force_immediately(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    await gateway.session(every="10m")
    await client.put(ROUTE, json={"config": '{"every": "2h"}'})
    beat = (await client.get("/api/v1/heartbeat/last?session_id=s1")).json()
    assert (beat["schedule"]["every_seconds"], beat["consecutive_failures"]) == (7200, 0)
    files = (await client.put(ROUTE, json={"config": None})).json()
    assert (files["config"], files["config_error"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"config": '{"every": "never"}'}, "every"),
        ({"config": '{"evry": "30m"}'}, "evry"),
        ({"config": "{"}, "HEARTBEAT.json"),
        ({"config": '{"every": "30m"}', "checklist": "x" * 40_000}, "HEARTBEAT.md"),
        ({}, "checklist"),
    ],
)
async def test_what_no_beat_could_use_is_refused_and_changes_nothing(
    gateway: Gateway, client: httpx.AsyncClient, body: dict[str, str], word: str
) -> None:
    await gateway.session(every="10m")
    before = await files_of(client)
    answer = await client.put(ROUTE, json=body)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]
    assert await files_of(client) == before


@pytest.mark.parametrize(("text", "status"), [('"\\ud800"', 422), ('"a\\u0000b"', 400)])
async def test_a_text_that_no_file_can_hold_is_refused(
    gateway: Gateway, client: httpx.AsyncClient, text: str, status: int
) -> None:
    await gateway.session(every="10m")
    before = await files_of(client)
    answer = await client.put(
        ROUTE,
        content=f'{{"checklist": {text}}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == status, answer.text
    assert await files_of(client) == before


async def test_of_two_who_edit_the_second_one_is_told(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    await gateway.session(every="10m")
    version = (await files_of(client))["version"]
    first = await client.put(ROUTE, json={"checklist": CHECKLIST, "version": version})
    second = await client.put(ROUTE, json={"checklist": "other", "version": version})
    assert (first.status_code, second.status_code) == (200, 409)
    assert (await files_of(client))["checklist"] == CHECKLIST


async def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(
    gateway: Gateway, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await gateway.session(every="10m")
    folder = folder_of(gateway, await files_of(client))
    folder.mkdir(parents=True, exist_ok=True)
    outside = tmp_path / "outside"
    outside.write_text("mine", encoding="utf-8")
    (folder / "HEARTBEAT.md").unlink(missing_ok=True)
    (folder / "HEARTBEAT.md").symlink_to(outside)
    files = await files_of(client)
    assert files["checklist"] is None
    assert "link" in files["problems"][0]
    await client.put(ROUTE, json={"checklist": CHECKLIST})
    assert (await files_of(client))["checklist"] == CHECKLIST
    assert outside.read_text(encoding="utf-8") == "mine"


async def test_a_session_without_beats_has_no_files(client: httpx.AsyncClient) -> None:
    route = "/api/v1/heartbeat/files?session_id=nobody"
    answers = [await client.get(route), await client.put(route, json={"checklist": "x"})]
    assert [answer.status_code for answer in answers] == [404, 404]
