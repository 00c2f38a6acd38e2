"""A session's stream, over a real socket: who is let in, and how turns are taken and told."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.api.served import TOKEN, Served, served


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with served(tmp_path / "data") as gateway:
        yield gateway


class TestWhoIsLetIn:
    async def test_a_client_without_the_token_is_refused_before_the_socket_opens(
        self, gateway: Served
    ) -> None:
        url = gateway.stream(await gateway.session())
        for headers in ({}, {"X-UA-OPS-TOKEN": "wrong"}):
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers=headers, proxy=None)
            assert refused.value.response.status_code == 401

    async def test_a_token_in_the_query_does_not_open_the_socket(self, gateway: Served) -> None:
        url = gateway.stream(await gateway.session(), f"?ops_token={TOKEN.replace(' ', '+')}")
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, proxy=None)
        assert refused.value.response.status_code == 401

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
    async def test_a_page_of_another_origin_is_refused_whatever_token_it_has(
        self, gateway: Served, origin: str
    ) -> None:
        session_id = await gateway.session()
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.attached(session_id, origin=origin):
                pass
        assert refused.value.response.status_code == 403

    async def test_another_name_in_host_is_refused(self, gateway: Served) -> None:
        session_id = await gateway.session()
        with pytest.raises(InvalidStatus) as refused:
            async with gateway.attached(session_id, Host="evil.example"):
                pass
        assert refused.value.response.status_code == 403

    async def test_the_gateways_own_page_is_let_in(self, gateway: Served) -> None:
        session_id = await gateway.session()
        origin = f"http://127.0.0.1:{gateway.port}"
        async with gateway.attached(session_id, origin=origin) as client:
            connected = await client.until("connected")
        assert connected["session_id"] == session_id
        assert connected["turn"] is None

    @pytest.mark.parametrize(
        ("session_id", "code"), [("not%20an%20id", 4000), ("x" * 65, 4000), ("ses_unknown", 4004)]
    )
    async def test_what_is_no_session_is_closed_with_a_code_of_its_own(
        self, gateway: Served, session_id: str, code: int
    ) -> None:
        async with gateway.attached(session_id) as client:
            assert await client.closed() == code
        assert (await gateway.continuity())["ws_attach_attempts"] == 0

    async def test_a_session_of_another_user_is_closed_to_who_says_whom_they_are(
        self, gateway: Served
    ) -> None:
        session_id = await gateway.session(user_id="ada")
        async with gateway.attached(session_id, query="?user_id=bob") as client:
            assert await client.closed() == 4003
        async with gateway.attached(session_id, query="?user_id=ada") as client:
            await client.until("connected")

    async def test_a_new_token_ends_the_streams_that_the_old_one_opened(
        self, gateway: Served
    ) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.until("connected")
            gateway.gate.rotate("another token, that nobody here has")
            assert await client.closed() == 1008

    async def test_deleting_a_session_lets_its_clients_go(self, gateway: Served) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.until("connected")
            await gateway.http.delete(f"/api/v1/sessions/{session_id}")
            assert await client.closed() == 1001
        async with gateway.attached(session_id) as client:
            assert await client.closed() == 4004


class TestTurns:
    async def test_a_reply_is_streamed_as_it_comes_and_told_when_it_is_complete(
        self, gateway: Served
    ) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Good morning", client_turn_id="t1")
            accepted = await client.until("status")
            assert (accepted["status"], accepted["client_turn_id"]) == ("accepted", "t1")
            gateway.agent.say("Good ")
            assert (await client.until("text"))["text"] == "Good "
            gateway.agent.say("day.\x1b[31m")
            assert (await client.until("text"))["text"] == "day."
            gateway.agent.stop()
            done = await client.until("query_complete")
        assert (done["status"], done["text"]) == ("success", "Good day.")
        assert (done["run_id"], done["client_turn_id"]) == (accepted["run_id"], "t1")
        assert gateway.agent.prompts == ["Good morning"]

    async def test_what_the_model_thinks_is_no_part_of_a_turns_reply(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Hello", client_turn_id="t1")
            gateway.agent.say("hm, a greeting")
            assert (await client.until("text"))["text"] == "hm, a greeting"
            gateway.agent.say("\n</think>\n\n", "Good day.")
            while not (heard := await client.until("text")).get("restart"):
                pass
            assert heard["text"] == ""
            gateway.agent.stop()
            done = await client.until("query_complete")
            await client.say("execute", user_input="Hello", client_turn_id="t1")
            again = await client.until("query_complete")
        assert (done["status"], done["text"]) == ("success", "Good day.")
        assert (again["text"], again["duplicate"]) == ("Good day.", True)

    async def test_the_same_turn_is_not_run_again_while_it_runs_nor_after(
        self, gateway: Served
    ) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Once", client_turn_id="t1")
            await client.until("status")
            await gateway.agent.asked()
            await client.say("execute", user_input="Once", client_turn_id="t1")
            while (told := await client.until("status"))["status"] != "duplicate_in_progress":
                pass
            gateway.agent.say("one")
            gateway.agent.stop()
            first = await client.until("query_complete")
            await client.say("execute", user_input="Once", client_turn_id="t1")
            again = await client.until("query_complete")
        assert told["run_id"] == first["run_id"] == again["run_id"]
        assert (again["text"], again["duplicate"]) == ("one", True)
        assert gateway.agent.prompts == ["Once"]
        figures = await gateway.continuity()
        assert figures["turn_duplicate_in_progress"] == 1
        assert figures["turn_duplicate_completed"] == 1
        assert figures["duplicate_turn_prevention_count"] == 2

    async def test_the_same_words_without_an_id_are_the_same_turn_for_a_moment(
        self, gateway: Served
    ) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Hello")
            await gateway.agent.asked()
            await client.say("execute", user_input="Hello")
            while (await client.until("status"))["status"] != "duplicate_in_progress":
                pass
            gateway.agent.say("hi")
            gateway.agent.stop()
            await client.until("query_complete")
        assert gateway.agent.prompts == ["Hello"]

    async def test_an_id_that_was_used_for_other_words_is_refused(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="One", client_turn_id="t1")
            await gateway.agent.asked()
            await client.say("execute", user_input="Two", client_turn_id="t1")
            assert (await client.until("error"))["code"] == "conflict"

    async def test_another_turn_is_refused_while_one_runs(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="First", client_turn_id="t1")
            first = await client.until("status")
            await client.say("execute", user_input="Second", client_turn_id="t2")
            refused = await client.until("error")
            assert (refused["code"], refused["run_id"]) == ("turn-busy", first["run_id"])
            await gateway.agent.asked()
            gateway.agent.say("done")
            gateway.agent.stop()
            await client.until("query_complete")
            await client.say("execute", user_input="Second", client_turn_id="t2")
            await gateway.agent.asked(2)
        assert gateway.agent.prompts == ["First", "Second"]
        assert (await gateway.continuity())["turn_busy_rejected"] == 1

    async def test_a_turn_is_cancelled_by_its_client(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.say("execute", user_input="Talk on")
            await gateway.agent.asked()
            gateway.agent.say("well ")
            await client.until("text")
            await client.say("cancel")
            done = await client.until("query_complete")
        assert (done["status"], done["text"]) == ("cancelled", "well ")

    async def test_a_turn_is_cancelled_by_the_operator(self, gateway: Served) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.say("execute", user_input="Talk on")
            accepted = await client.until("status")
            await gateway.agent.asked()
            answer = await gateway.http.post(f"/api/v1/ops/sessions/{session_id}/cancel")
            assert answer.json()["cancelled"] == [accepted["run_id"]]
            assert (await client.until("query_complete"))["status"] == "cancelled"

    async def test_a_queued_turn_that_is_cancelled_as_a_run_frees_its_session(
        self, tmp_path: Path
    ) -> None:
        async with (
            served(tmp_path / "one worker", cron_max_concurrency=1) as gateway,
            gateway.attached(await gateway.session()) as other,
        ):
            await other.say("execute", user_input="Take the worker")
            await gateway.agent.asked()
            session_id = await gateway.session()
            async with gateway.attached(session_id) as client:
                await client.say("execute", user_input="Wait", client_turn_id="t1")
                run_id = (await client.until("status"))["run_id"]
                await gateway.http.post(f"/api/v1/cron/runs/{run_id}/cancel")
                told = await client.until("query_complete")
                assert (told["run_id"], told["client_turn_id"], told["status"]) == (
                    run_id,
                    "t1",
                    "cancelled",
                )
            async with gateway.attached(session_id) as client:
                assert (await client.until("connected"))["turn"] is None

    async def test_who_left_in_the_middle_of_a_turn_is_told_its_end_on_the_next_attach_once(
        self, gateway: Served
    ) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.say("execute", user_input="Think", client_turn_id="t1")
            accepted = await client.until("status")
            await gateway.agent.asked()
        await gateway.until_nobody_is_attached(session_id)
        gateway.agent.say("thought")
        gateway.agent.stop()
        await gateway.until_ended(accepted["run_id"])
        await gateway.until_no_turn(session_id)
        async with gateway.attached(session_id) as client:
            told = await client.until("query_complete")
        assert (told["text"], told["replayed"]) == ("thought", True)
        async with gateway.attached(session_id) as client:
            await client.say("ping")
            kinds = [(await client.hear())["type"] for _ in range(2)]
        assert kinds == ["connected", "pong"]

    async def test_who_attaches_in_the_middle_is_given_what_was_said_so_far(
        self, gateway: Served
    ) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.say("execute", user_input="Count")
            await gateway.agent.asked()
            gateway.agent.say("one ")
            await client.until("text")
            async with gateway.attached(session_id) as other:
                assert (await other.until("connected"))["turn"]["text"] == "one "
                gateway.agent.say("two")
                assert (await other.until("text"))["text"] == "two"
                gateway.agent.stop()
                assert (await other.until("query_complete"))["text"] == "one two"


class TestWhatIsSaidWrongly:
    @pytest.mark.parametrize(
        "said",
        [
            "no JSON",
            "[]",
            '{"type": "dance"}',
            '{"type": "execute", "data": {}}',
            '{"type": "execute", "data": {"user_input": ""}}',
            '{"type": "execute", "data": {"user_input": "x", "shell": true}}',
            '{"type": "execute", "data": {"user_input": "a\\u0000b"}}',
            '{"type": "ping", "data": ' + '{"a":' * 70 + "1" + "}" * 71,
        ],
    )
    async def test_it_is_answered_with_an_error_and_the_stream_goes_on(
        self, gateway: Served, said: str
    ) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.until("connected")
            await client.socket.send(said)
            assert (await client.until("error"))["code"] == "invalid-input"
            await client.say("ping")
            assert (await client.hear())["type"] == "pong"

    async def test_bytes_are_answered_with_an_error(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.socket.send(b"\x00")
            assert (await client.until("error"))["detail"] == "expected text, got bytes"

    async def test_a_message_that_is_too_large_ends_the_stream(self, gateway: Served) -> None:
        async with gateway.attached(await gateway.session()) as client:
            await client.until("connected")
            await client.socket.send(json.dumps({"type": "ping", "data": {"x": "x" * 300_000}}))
            assert await client.closed() == 1009

    async def test_a_session_takes_only_so_many_clients(self, gateway: Served) -> None:
        session_id = await gateway.session()
        hub = gateway.runtime.hub
        there = [hub.attach(session_id) for _ in range(32)]
        async with gateway.attached(session_id) as client:
            assert await client.closed() == 1013
        hub.detach(there[0])
        async with gateway.attached(session_id) as client:
            await client.until("connected")
        figures = await gateway.continuity()
        assert (figures["ws_attach_failures"], figures["ws_attach_successes"]) == (1, 1)

    async def test_a_client_that_is_let_go_for_being_slow_learns_why(self, gateway: Served) -> None:
        session_id = await gateway.session()
        async with gateway.attached(session_id) as client:
            await client.until("connected")
            for _ in range(1_100):
                gateway.runtime.hub.publish(session_id, "text", {"text": "x"})
            assert await client.closed() == 1013
            assert client.socket.close_reason == "slow consumer"


async def test_without_an_agent_a_turn_is_answered_with_what_to_configure(tmp_path: Path) -> None:
    async with (
        served(tmp_path / "data", agent_base_url="") as gateway,
        gateway.attached(await gateway.session()) as client,
    ):
        await client.say("execute", user_input="rm -rf /")
        error = await client.until("error")
    assert "UA_AGENT_COMMAND" in error["detail"]


async def test_the_gateway_stops_without_waiting_for_its_clients(tmp_path: Path) -> None:
    async with served(tmp_path / "data") as gateway:
        session_id = await gateway.session()
        client = await connect(
            gateway.stream(session_id), additional_headers={"X-UA-OPS-TOKEN": TOKEN}, proxy=None
        )
        await client.recv()
    await client.wait_closed()
    assert client.close_code in (1001, 1012)
    await asyncio.gather(client.close())
