"""A session outlives its gateway; `ua session` says something in it."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

#: An agent that answers at once with its prompt, and one that never comes to an end.
ECHO = f"{sys.executable} -c \"import sys; print('you said', sys.argv[1])\" {{prompt}}"
ENDLESS = (
    f"{sys.executable} -uc "
    "\"import threading; print('thinking'); threading.Event().wait()\" {prompt}"
)


def _session(gateway: GatewayProcess) -> str:
    made = httpx.post(f"{gateway.base_url}/api/v1/sessions", json={}, trust_env=False)
    return str(made.raise_for_status().json()["session_id"])


def _stream(gateway: GatewayProcess, session_id: str) -> Any:
    url = gateway.base_url.replace("http:", "ws:")
    return connect(f"{url}/api/v1/sessions/{session_id}/stream", proxy=None)


async def _until(socket: Any, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while not wanted(message := json.loads(await socket.recv())):
        pass
    data: dict[str, Any] = message["data"]
    return data


async def _turn_that_runs(gateway: GatewayProcess, session_id: str) -> str:
    """The run of a turn that has begun to speak; its client has left."""
    async with _stream(gateway, session_id) as socket:
        asked = {"type": "execute", "data": {"user_input": "think", "client_turn_id": "t1"}}
        await socket.send(json.dumps(asked))
        said = await _until(socket, lambda m: bool(m["type"] == "text"))
        return str(said["run_id"])


async def _after(gateway: GatewayProcess, session_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a client that attaches is told: the last turn's end; and what asking again answers."""
    async with _stream(gateway, session_id) as socket:
        ended = await _until(socket, lambda m: bool(m["type"] == "query_complete"))
        asked = {"type": "execute", "data": {"user_input": "think", "client_turn_id": "t1"}}
        await socket.send(json.dumps(asked))
        again = await _until(socket, lambda m: bool(m["type"] == "query_complete"))
        return ended, again


def test_a_turn_that_a_kill_cut_short_is_interrupted_and_its_session_resumes(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway(UA_AGENT_COMMAND=ENDLESS)
    gateway.start()
    session_id = _session(gateway)
    run_id = asyncio.run(_turn_that_runs(gateway, session_id))
    gateway.kill()
    gateway.start()
    ended, again = asyncio.run(_after(gateway, session_id))
    assert (ended["run_id"], ended["status"], ended["replayed"]) == (run_id, "interrupted", True)
    assert (again["run_id"], again["duplicate"]) == (run_id, True)
    answer = httpx.get(f"{gateway.base_url}/api/v1/ops/metrics/session-continuity", trust_env=False)
    figures = answer.json()["metrics"]
    assert (figures["resume_successes"], figures["ws_attach_successes"]) == (1, 1)
    assert figures["continuity_status"] == "ok"


def test_a_session_is_made_spoken_to_and_deleted_from_the_command_line(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway(UA_AGENT_COMMAND=ECHO)
    gateway.start()
    made = json.loads(gateway.ua("session", "new", "--user", "ada", "--json").stdout)
    session_id = made["session_id"]
    assert Path(made["workspace_dir"]).is_dir()
    assert session_id in gateway.ua("session", "list", "--owner", "ada").stdout
    sent = gateway.ua("session", "send", session_id[-8:], "good", "morning")
    assert (sent.returncode, sent.stdout.strip()) == (0, "you said good morning"), sent.stderr
    shown = gateway.ua("session", "show", session_id)
    assert "success" in shown.stdout
    assert gateway.ua("session", "rm", session_id, "--yes").returncode == 0
    assert gateway.ua("session", "send", session_id, "hello").returncode == 5


def test_a_turn_that_fails_or_finds_no_gateway_ends_the_command_with_its_code(
    make_gateway: MakeGateway,
) -> None:
    failing = make_gateway(UA_AGENT_COMMAND="false {prompt}")
    failing.start()
    failed = failing.ua("session", "send", _session(failing), "hello")
    assert (failed.returncode, "error" in failed.stderr) == (1, True)
    failing.stop()
    assert failing.ua("session", "send", "ses_x", "hello").returncode == 3
