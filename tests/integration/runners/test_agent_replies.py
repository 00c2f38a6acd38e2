"""What counts as a reply of an endpoint, and what an incomplete one is called."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.integration.runners.conftest import Agent, Asked
from tests.integration.runners.local_server import (
    Connection,
    LocalServer,
    Received,
    answers,
)
from tests.integration.runners.test_agent_runner import DONE, STREAM, chunk, streams
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunResult
from universal_agent.runners.chat_reply import Reply, ReplyFailed
from universal_agent.runners.time_limit import IdleLimit
from universal_agent.testing import ManualClock


def delta(finish: str | None = None, **parts: Any) -> bytes:
    """A chunk whose delta has these parts."""
    return said({"choices": [{"index": 0, "delta": parts, "finish_reason": finish}]})


def said(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def whole(finish: str | None = "stop", **message: Any) -> bytes:
    """A reply that is not streamed."""
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}]}).encode()


@pytest.fixture
def ask(agent: Agent, asked: Asked, server: LocalServer) -> Any:
    """Asks once; the result, what was replied, and the log."""

    async def ask(answer: Any, **given: Any) -> tuple[RunResult, str, str]:
        server.answer = answer
        request, output = asked("hello")
        result = await agent(**given).run(request)
        output.close()
        log = output.path.read_text() if output.path.exists() else ""
        return result, output.text, log

    return ask


class TestCompleteness:
    @pytest.mark.parametrize("finish", ["stop", "STOP", "eos", "end_turn", "stop_sequence", None])
    async def test_a_natural_end_is_complete(self, ask: Any, finish: str | None) -> None:
        result, text, _ = await ask(streams(chunk("all"), chunk(finish=finish), DONE))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")

    @pytest.mark.parametrize(
        ("finish", "words"),
        [
            ("length", "token limit"),
            ("max_tokens", "token limit"),
            ("model_length", "token limit"),
            ("content_filter", "content filter"),
            ("safety", "content filter"),
            ("refusal", "refused"),
            ("tool_use", "asked for a tool"),
            ("error", "'error'"),
            ("abort", "'abort'"),
            ("insufficient_system_resource", "'insufficient_system_resource'"),
            ("never heard of", "'never heard of'"),
        ],
    )
    @pytest.mark.parametrize("streamed", [True, False])
    async def test_any_other_end_is_an_error_that_names_it(
        self, ask: Any, finish: str, words: str, streamed: bool
    ) -> None:
        if streamed:
            answer = streams(chunk("half "), chunk(finish=finish), chunk(finish="stop"), DONE)
        else:
            answer = answers(200, whole(finish, content="half "), Content_Type="application/json")
        result, text, _ = await ask(answer)
        assert (result.status, text) == (RunStatus.ERROR, "half ")
        assert words in result.error

    async def test_a_whole_reply_without_a_finish_reason_may_not_be_complete(
        self, ask: Any
    ) -> None:
        result, _, _ = await ask(answers(200, whole(None, content="half")))
        assert result.error == "the reply may not be complete: it has no finish_reason"

    @pytest.mark.parametrize(
        ("piece", "error"),
        [
            (said({"object": "error", "message": "too busy", "code": 500}), "too busy"),
            (b'event: error\ndata: {"message": "too busy"}\n\n', "too busy"),
            (b"event: error\ndata: too busy\n\n", "too busy"),
            (said({"type": "error", "error": {"message": "too busy"}}), "too busy"),
            (said({"detail": "too busy"}), "too busy"),
            (said([{"error": {"message": "too busy"}}]), "too busy"),
            (said({"choices": [{"delta": {}, "error": {"message": "too busy"}}]}), "too busy"),
        ],
    )
    async def test_an_error_inside_a_stream_that_goes_on_is_a_failure(
        self, ask: Any, piece: bytes, error: str
    ) -> None:
        result, text, _ = await ask(streams(chunk("half"), piece, chunk(finish="stop"), DONE))
        assert result == RunResult(
            status=RunStatus.ERROR, error=f"the endpoint failed: {error}", exit_code=200
        )
        assert text == "half"

    async def test_a_chunk_that_is_no_part_of_a_reply_is_named_unless_an_end_was_said(
        self, ask: Any
    ) -> None:
        stray = said({"state": "x"})
        result, _, _ = await ask(streams(chunk("half"), stray, DONE))
        assert result.error == """expected a part of a reply, got '{"state": "x"}'"""
        result, _, _ = await ask(streams(chunk("all"), stray, chunk(finish="stop"), DONE))
        assert result.status is RunStatus.SUCCESS

    @pytest.mark.parametrize(
        "harmless",
        [
            said({"choices": [], "usage": {"total_tokens": 3}}),
            said({"usage": {"total_tokens": 3}}),
            said({"choices": None}),
            said({"error": None, "choices": []}),
            b"event: ping\ndata: {}\n\n",
            b'event: ping\ndata: {"type": "ping"}\n\n',
            b"event: ping\ndata: still here\n\n",
            b"data:\n\n",
        ],
    )
    async def test_what_only_accompanies_a_reply_is_no_failure(
        self, ask: Any, harmless: bytes
    ) -> None:
        result, text, _ = await ask(streams(harmless, chunk("all"), harmless, DONE))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")

    @pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
    async def test_a_chunk_over_two_lines_with_any_line_end_is_read(
        self, ask: Any, end: bytes
    ) -> None:
        lines = chunk("all", "stop").replace(b', "finish_reason"', b',\ndata: "finish_reason"')
        result, text, _ = await ask(streams(b"\xef\xbb\xbf" + lines.replace(b"\n", end), DONE))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")


class TestThoughts:
    @pytest.mark.parametrize(
        "pieces",
        [
            [chunk("<think>qb"), chunk("th</thi"), chunk("nk>HEARTBEAT_OK")],
            [chunk("qbth"), chunk("</think>"), chunk("HEARTBEAT_OK")],
            [delta(reasoning_content="qbth"), chunk("HEARTBEAT_OK")],
            [delta(reasoning="qb"), delta(reasoning="th", content=""), chunk("HEARTBEAT_OK")],
            [
                delta(
                    content=[{"type": "thinking", "thinking": [{"type": "text", "text": "qbth"}]}]
                ),
                delta(content=[{"type": "text", "text": "HEARTBEAT_OK"}]),
            ],
        ],
    )
    async def test_thoughts_are_in_the_log_and_not_in_the_reply(
        self, agent: Agent, asked: Asked, server: LocalServer, pieces: list[bytes]
    ) -> None:
        server.answer = streams(*pieces, chunk(finish="stop"), DONE)
        request, output = asked("hello")
        result = await agent().run(request)
        output.close()
        assert (result.status, output.preview) == (RunStatus.SUCCESS, "HEARTBEAT_OK")
        assert output.path.with_suffix(".reply").read_text() == "HEARTBEAT_OK"
        assert "qbth" in output.path.read_text()

    @pytest.mark.parametrize(
        "thoughts",
        [delta(reasoning_content="because"), delta(reasoning="because"), chunk("<think>because")],
    )
    async def test_thoughts_alone_are_no_answer(self, ask: Any, thoughts: bytes) -> None:
        result, text, log = await ask(streams(thoughts, chunk(finish="stop"), DONE))
        assert result.error == "the model only reasoned and gave no answer"
        assert text == ""
        assert log.startswith("<think>because")

    @pytest.mark.parametrize(
        "answer",
        [
            streams(delta(refusal="I cannot help"), delta("stop", refusal=" with that."), DONE),
            answers(200, whole(refusal="I cannot help with that.", content=None)),
            streams(
                delta(content=[{"type": "refusal", "refusal": "I cannot help with that."}]), DONE
            ),
        ],
    )
    async def test_a_refusal_is_an_error_and_the_output(self, ask: Any, answer: Any) -> None:
        result, text, _ = await ask(answer)
        assert result.error == "the model refused: I cannot help with that."
        assert text == "I cannot help with that."

    @pytest.mark.parametrize(
        "answer",
        [
            streams(delta("stop", content=[{"type": "text", "text": "from "}, "parts"]), DONE),
            answers(200, whole(content=[{"type": "text", "text": "from parts"}])),
        ],
    )
    async def test_the_text_parts_of_a_reply_are_joined(self, ask: Any, answer: Any) -> None:
        result, text, _ = await ask(answer)
        assert (result.status, text) == (RunStatus.SUCCESS, "from parts")


class TestMediaTypes:
    @pytest.mark.parametrize(
        "media_type",
        ["application/json", "Application/JSON; charset=utf-8", "text/plain", "text/event-stream"],
    )
    async def test_a_body_that_begins_with_a_brace_is_json(self, ask: Any, media_type: str) -> None:
        body = b" \n" + whole(content="all")
        result, text, _ = await ask(answers(200, body, Content_Type=media_type))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")
        result, text, _ = await ask(answers(200, body))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")

    @pytest.mark.parametrize("media_type", ["TEXT/Event-Stream", "text/plain", "application/json"])
    async def test_a_body_that_reads_as_a_stream_is_one(self, ask: Any, media_type: str) -> None:
        body = b": hello\n\n" + chunk("all", "stop") + DONE
        result, text, _ = await ask(answers(200, body, Content_Type=media_type))
        assert (result.status, text) == (RunStatus.SUCCESS, "all")

    @pytest.mark.parametrize(
        ("media_type", "body", "got"),
        [
            (
                "text/html; charset=utf-8",
                b"<!DOCTYPE html><html><body><h1>Sign in to Wi-Fi</h1></body></html>",
                "text/html: Sign in to Wi-Fi",
            ),
            ("text/event-stream", b"<html><title>Login</title></html>", "text/event-stream: Login"),
            ("text/html", b"welcome", "text/html: welcome"),
            (
                "application/x-ndjson",
                b'{"message": {"content": "a"}}\n{"done": true}\n',
                'application/x-ndjson: {"message": {"content": "a"}} {"done": true}',
            ),
            ("application/json", b'{"a": 1}\n{"b": 2}', 'application/json: {"a": 1} {"b": 2}'),
            ("application/json", b" \n", "application/json with an empty body"),
            ("", b"", "no content type with an empty body"),
        ],
    )
    async def test_what_is_no_reply_is_named_with_its_first_words(
        self, ask: Any, media_type: str, body: bytes, got: str
    ) -> None:
        headers = {"Content_Type": media_type} if media_type else {}
        result, text, _ = await ask(answers(200, body, **headers))
        assert result.error == (
            f"expected a stream or JSON, got {got}; is UA_AGENT_BASE_URL right?"
        )
        assert (result.exit_code, text) == (200, "")


class TestRefusals:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_says_where_to_and_is_not_followed(
        self, ask: Any, server: LocalServer, status: int
    ) -> None:
        target = "https://user:secret@other.example/v2/chat/completions?token=secret"
        result, _, _ = await ask(answers(status, b"moved", Location=target))
        assert result.error == (
            f"HTTP {status} to https://other.example/v2/chat/completions: set UA_AGENT_BASE_URL "
            "to https://other.example/v2"
        )
        assert len(server.received) == 1

    async def test_a_redirect_to_a_page_is_no_advice(self, ask: Any, server: LocalServer) -> None:
        result, _, _ = await ask(answers(302, b"", Location="/login"))
        assert result.error == (
            f"HTTP 302 to http://127.0.0.1:{server.port}/login: UA_AGENT_BASE_URL is not the "
            "address of the API"
        )

    async def test_a_page_in_an_error_is_told_by_its_title(self, ask: Any) -> None:
        page = b"<html><head><title>502 Bad Gateway</title></head><body><hr>nginx</body></html>"
        result, _, _ = await ask(answers(502, page, Content_Type="text/html"))
        assert result.error == "HTTP 502; 502 Bad Gateway"

    async def test_the_wait_that_is_asked_for_goes_on_with_the_failure(
        self, ask: Any, clock: ManualClock
    ) -> None:
        result, _, _ = await ask(answers(503, b"", Retry_After="7"), clock=clock)
        until = clock.now() + timedelta(seconds=7)
        assert result.ending == Ending(kind=EndClass.UNREACHABLE, until=until)
        result, _, _ = await ask(answers(500, b""))
        assert result.ending is None

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (
                answers(429, b'{"error": {"message": "pay", "code": "insufficient_quota"}}'),
                EndClass.QUOTA,
            ),
            (answers(402, b"pay"), EndClass.REFUSED),
            (
                streams(chunk("half"), said({"error": {"message": "pay", "code": 402}})),
                EndClass.QUOTA,
            ),
        ],
    )
    async def test_a_quota_that_is_used_up_is_told_from_a_rate_limit(
        self, ask: Any, answer: Any, kind: EndClass
    ) -> None:
        result, _, _ = await ask(answer)
        assert result.ending == Ending(kind=kind)
        assert result.error.endswith("pay")


class TestSilence:
    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_an_endpoint_that_sends_no_text_for_five_minutes_is_given_up_on(
        self, agent: Agent, asked: Asked, server: LocalServer, clock: ManualClock
    ) -> None:
        async def pings(_: Received, connection: Connection) -> None:
            await connection.send(STREAM + chunk("half"))
            await connection.send(b": ping\n\n" * 10)
            await connection.hang()

        server.answer = pings
        request, output = asked("hello")
        run = asyncio.create_task(agent(clock=clock).run(request))
        await output.until("half")
        await clock.advance(301)
        assert (await run).error == "127.0.0.1 sent no text for 5 minutes"
        await server.hung_up.wait()

    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_a_natural_end_counts_though_the_connection_stays_open(
        self, agent: Agent, asked: Asked, server: LocalServer, clock: ManualClock
    ) -> None:
        async def lingers(_: Received, connection: Connection) -> None:
            await connection.send(STREAM + chunk("all", "stop") + chunk("."))
            await connection.hang()

        server.answer = lingers
        request, output = asked("hello")
        run = asyncio.create_task(agent(clock=clock).run(request))
        await output.until("all.")
        await clock.advance(301)
        assert (await run).status is RunStatus.SUCCESS

    @pytest.mark.parametrize(
        ("piece", "progress"),
        [
            (b": ping\n\n", 0),
            (b"event: ping\ndata: {}\n\n", 0),
            (chunk(""), 0),
            (delta(role="assistant", content=None), 0),
            (chunk("x"), 1),
            (chunk(" "), 1),
            (delta(reasoning_content="x"), 1),
            (delta(refusal="x"), 1),
            (delta(tool_calls=[{"index": 0}]), 1),
        ],
    )
    async def test_only_text_and_reasoning_are_signs_of_life(
        self, piece: bytes, progress: int, asked: Asked
    ) -> None:
        seen = []
        _, output = asked("hello")
        reply = Reply(output, on_progress=lambda: seen.append(1))
        body = chunk("all") + piece + chunk(finish="stop") + DONE
        headers = {"content-type": "text/event-stream"}
        with suppress(ReplyFailed):  # one piece is a refusal
            await reply.read(httpx.Response(200, headers=headers, content=aiter_of(body)))
        assert len(seen) == 1 + progress


class TestIdleLimit:
    @pytest.mark.asyncio(loop_factories=["asyncio"])
    async def test_the_limit_counts_from_the_last_renewal(self, clock: ManualClock) -> None:
        async def wait() -> None:
            async with IdleLimit(clock, 10) as limit:
                await clock.sleep(8)
                limit.renew()
                await clock.sleep(100)

        waiting = asyncio.create_task(wait())
        await clock.advance(17.5)
        assert not waiting.done()
        await clock.advance(1)
        with pytest.raises(TimeoutError):
            await waiting


async def aiter_of(body: bytes) -> AsyncIterator[bytes]:
    yield body
