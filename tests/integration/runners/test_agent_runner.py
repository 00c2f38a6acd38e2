"""Agents: a program that is handed the prompt, and an endpoint that streams its reply."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runners.conftest import Agent, Asked
from tests.integration.runners.local_server import (
    Connection,
    LocalServer,
    Received,
    answers,
    hangs,
)
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.fail_on import FailOn
from universal_agent.domain.run import RunStatus
from universal_agent.errors import InvalidInput
from universal_agent.runners.agent import AgentRunner
from universal_agent.runners.base import RunResult
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock

#: Prints its arguments as JSON.
ECHO = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"
LATE = {"late_seconds": 7_500, "approved_by": "ann\nand\x1b[31m bob"}
LATE_LINE = (
    "[This run was scheduled for 2026-01-14 09:00:00 UTC and starts 2 hours 5 minutes late, "
    "approved by ann and bob.]\n"
)


def chunk(text: str | None = None, finish: str | None = None) -> bytes:
    """One event of a streamed reply."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def streams(*pieces: bytes) -> Callable[[Received, Connection], Any]:
    async def answer(_: Received, connection: Connection) -> None:
        await connection.send(STREAM + b"".join(pieces))

    return answer


def failed(error: str, exit_code: int | None = 200, ending: Ending | None = None) -> RunResult:
    return RunResult(status=RunStatus.ERROR, error=error, exit_code=exit_code, ending=ending)


class TestProgram:
    async def test_the_prompt_is_one_argument_and_no_shell_sees_it(
        self, agent: Agent, asked: Asked
    ) -> None:
        prompt = "$(touch x); `touch x` \"'{model}' {prompt}\nsecond line"
        request, output = asked(prompt, model="small")
        runner = agent(agent_command=ECHO + " --model={model} -p {prompt} '{other} $HOME'")
        assert (await runner.run(request)).status is RunStatus.SUCCESS
        assert json.loads(output.text) == ["--model=small", "-p", prompt, "{other} $HOME"]
        assert list(request.workspace_dir.iterdir()) == []

    async def test_the_configured_model_is_used_when_the_job_names_none(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, output = asked("hello")
        await agent(agent_command=ECHO + " {model} {prompt}", agent_model="big").run(request)
        assert json.loads(output.text) == ["big", "hello"]

    async def test_a_late_run_says_so_in_one_line_ahead_of_the_prompt(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, output = asked("hello", **LATE)
        await agent(agent_command=ECHO + " {prompt}").run(request)
        assert json.loads(output.text) == [LATE_LINE + "hello"]

    async def test_a_program_that_says_nothing_has_not_replied(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, _ = asked("hello")
        runner = agent(agent_command="sh -c 'echo; echo' {prompt}")
        assert await runner.run(request) == failed("the reply was empty", 0)

    async def test_a_program_that_fails_is_an_error_with_its_last_line(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, _ = asked("hello")
        runner = agent(agent_command="sh -c 'echo not logged in >&2; exit 2' {prompt}")
        assert await runner.run(request) == failed("exit code 2; last line: not logged in", 2)

    async def test_the_reply_is_stdout_and_stderr_goes_into_the_log_alone(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, output = asked("hello")
        script = "echo '> build · model' >&2; echo HEARTBEAT_OK; echo 42 tokens >&2"
        result = await agent(agent_command=f'sh -c "{script}" {{prompt}}').run(request)
        output.close()
        assert result == RunResult(status=RunStatus.SUCCESS, exit_code=0)
        assert (output.text, output.preview) == ("HEARTBEAT_OK\n", "HEARTBEAT_OK\n")
        lines = output.path.read_text().splitlines()
        assert sorted(lines) == ["42 tokens", "> build · model", "HEARTBEAT_OK"]
        assert output.path.with_suffix(".reply").read_text() == "HEARTBEAT_OK\n"

    async def test_a_program_that_prints_on_stderr_alone_has_not_replied(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, output = asked("hello")
        runner = agent(agent_command="sh -c 'echo nothing to say >&2' {prompt}")
        error = "the reply was empty; last line: nothing to say"
        assert await runner.run(request) == failed(error, 0)
        assert output.text == ""

    async def test_a_program_that_fails_tells_the_last_line_of_both(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, _ = asked("hello")
        runner = agent(agent_command="sh -c 'echo out; echo err >&2; exit 2' {prompt}")
        error = "exit code 2; last line: out; on stderr: err"
        assert await runner.run(request) == failed(error, 2)

    @pytest.mark.parametrize(
        ("printed", "text"),
        [("<think>qbth</think>HEARTBEAT_OK", "HEARTBEAT_OK"), ("qbth\\n</think>\\n\\nok", "ok")],
    )
    async def test_thoughts_that_a_program_prints_are_no_part_of_its_reply(
        self, agent: Agent, asked: Asked, printed: str, text: str
    ) -> None:
        request, output = asked("hello")
        result = await agent(agent_command=f'printf "{printed}" {{prompt}}').run(request)
        assert (result.status, output.preview) == (RunStatus.SUCCESS, text)

    async def test_a_program_that_prints_thoughts_alone_has_not_answered(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, _ = asked("hello")
        runner = agent(agent_command="printf '<think>hm</think>' {prompt}")
        error = "the model only reasoned and gave no answer"
        assert await runner.run(request) == failed(error, 0)

    @pytest.mark.parametrize(
        ("script", "error"),
        [
            (
                "echo 'Claude AI usage limit reached|1700000000'",
                "claude says: Claude AI usage limit",
            ),
            ("echo 'Not logged in · Please run /login'", "claude says: Not logged in"),
            ("echo 'Not logged in'; exit 1", "exit code 1; last line: Not logged in"),
        ],
    )
    async def test_a_known_program_that_prints_its_complaint_has_not_replied(
        self, agent: Agent, asked: Asked, tmp_path: Path, script: str, error: str
    ) -> None:
        program = tmp_path / "claude"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        result = await agent(agent_command=f"{program} -p -- {{prompt}}").run(asked("hello")[0])
        assert result.status is RunStatus.ERROR
        assert result.error is not None
        assert result.error.startswith(error)

    async def test_the_reply_inside_a_known_programs_json_is_the_output(
        self, agent: Agent, asked: Asked, tmp_path: Path
    ) -> None:
        program = tmp_path / "opencode"
        program.write_text(
            "#!/bin/sh\n"
            """echo '{"type": "text", "part": {"text": "HEARTBEAT_OK"}}'\n"""
            """echo '{"type": "step_finish", "part": {"reason": "'$REASON'"}}'\n"""
        )
        program.chmod(0o755)
        for reason, expected in (
            ("stop", RunResult(status=RunStatus.SUCCESS, exit_code=0)),
            ("length", failed("opencode says: the reply ended with 'length'", 0)),
        ):
            request, output = asked("hello")
            command = f"env REASON={reason} {program} run --format json -- {{prompt}}"
            assert await agent(agent_command=command).run(request) == expected
            assert output.preview == "HEARTBEAT_OK"

    async def test_the_exit_codes_that_mean_failure_may_be_others(
        self, agent: Agent, asked: Asked
    ) -> None:
        rules = FailOn(exit_codes=(0, 2))
        for code, status in ((0, "error"), (1, "success"), (2, "error")):
            request, _ = asked("hello", fail_on=rules)
            runner = agent(agent_command=f"sh -c 'echo hi; exit {code}' {{prompt}}")
            result = await runner.run(request)
            assert (result.status, result.exit_code) == (status, code)

    async def test_a_program_that_is_not_there_is_an_error_of_the_run(
        self, agent: Agent, asked: Asked
    ) -> None:
        result = await agent(agent_command="no-such-agent {prompt}").run(asked("hello")[0])
        assert result.error == (f"cannot start no-such-agent: not on PATH ({os.environ['PATH']})")
        result = await agent(agent_command="/no/such/agent {prompt}").run(asked("hello")[0])
        assert result.error is not None
        assert result.error.startswith("cannot start /no/such/agent: [Errno 2] No such file")

    async def test_a_program_that_is_not_in_the_workspace_is_an_error_that_names_the_folder(
        self, agent: Agent, asked: Asked
    ) -> None:
        request, _ = asked("hello")
        result = await agent(agent_command="./agent.sh {prompt}").run(request)
        assert result.error == (
            f"cannot start ./agent.sh: it is not in the workspace {request.workspace_dir}, where "
            "the run looks for it"
        )

    async def test_a_failure_in_the_json_of_a_wrapper_that_the_job_names_fails_the_run(
        self, agent: Agent, asked: Asked, tmp_path: Path
    ) -> None:
        wrapper = tmp_path / "agent.sh"
        said = '{"type":"result","subtype":"success","is_error":true,"result":"API Error: 500"}'
        wrapper.write_text(f"#!/bin/sh\necho '{said}'\n")
        wrapper.chmod(0o700)
        runner = agent(agent_command=f"{wrapper} {{prompt}}")
        request, _ = asked("hello", fail_on=FailOn(preset="claude"))
        result = await runner.run(request)
        assert (result.status, result.error) == (RunStatus.ERROR, "claude says: API Error: 500")

    async def test_a_program_is_asked_when_an_endpoint_is_configured_too(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        runner = agent(
            agent_command=ECHO + " {prompt}", agent_base_url=f"http://127.0.0.1:{server.port}/v1"
        )
        assert (await runner.run(asked("hello")[0])).status is RunStatus.SUCCESS
        assert server.received == []


class TestEndpoint:
    async def test_the_prompt_is_posted_and_the_reply_is_the_output(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = streams(chunk("Good "), chunk("morning"), chunk(finish="stop"), DONE)
        request, output = asked("say hello")
        runner = agent(agent_model="big", agent_api_key="key-1")
        assert await runner.run(request) == RunResult(status=RunStatus.SUCCESS, exit_code=200)
        assert output.text == "Good morning"
        [received] = server.received
        assert (received.method, received.path) == ("POST", "/v1/chat/completions")
        assert received.headers["authorization"] == "Bearer key-1"
        assert received.json() == {
            "model": "big",
            "stream": True,
            "messages": [{"role": "user", "content": "say hello"}],
        }

    async def test_the_model_of_a_job_goes_before_the_configured_one(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = streams(chunk("ok", "stop"))
        await agent(agent_model="big").run(asked("hello", model="small")[0])
        assert server.received[0].json()["model"] == "small"

    async def test_without_model_and_key_neither_is_sent(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = streams(chunk("ok", "stop"))
        await agent().run(asked("hello")[0])
        assert "model" not in server.received[0].json()
        assert "authorization" not in server.received[0].headers

    async def test_a_late_run_says_so_ahead_of_the_prompt(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = streams(chunk("ok", "stop"))
        await agent().run(asked("hello", **LATE)[0])
        [message] = server.received[0].json()["messages"]
        assert message["content"] == LATE_LINE + "hello"

    async def test_text_is_passed_on_while_the_reply_goes_on(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        heard = asyncio.Event()

        async def slow(_: Received, connection: Connection) -> None:
            await connection.send(STREAM + chunk("first"))
            await heard.wait()
            await connection.send(chunk(", second", "stop") + DONE)

        server.answer = slow
        request, output = asked("hello")
        run = asyncio.create_task(agent().run(request))
        await output.until("first")
        heard.set()
        assert (await run).status is RunStatus.SUCCESS
        assert output.text == "first, second"

    async def test_events_may_come_in_any_pieces_with_comments_and_either_line_end(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        usage = b'data: {"choices": [], "usage": {"total_tokens": 3}}\r\n\r\n'
        whole = b": hello\n\n" + chunk("Grüße 😀").replace(b"\n", b"\r\n") + usage + DONE

        async def crumbs(_: Received, connection: Connection) -> None:
            await connection.send(STREAM)
            for byte in whole:
                await connection.send(bytes([byte]))

        server.answer = crumbs
        request, output = asked("hello")
        assert (await agent().run(request)).status is RunStatus.SUCCESS
        assert output.text == "Grüße 😀"

    async def test_a_reply_that_does_not_come_as_a_stream_is_taken_whole(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        reply = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
        server.answer = answers(200, json.dumps(reply).encode(), Content_Type="application/json")
        request, output = asked("hello")
        assert (await agent().run(request)).status is RunStatus.SUCCESS
        assert output.text == "hello"

    @pytest.mark.parametrize(
        ("pieces", "error"),
        [
            ([chunk("half a re")], "the reply broke off before it was complete"),
            ([], "the reply broke off before it was complete"),
            ([chunk(" \n"), chunk(finish="stop"), DONE], "the reply was empty"),
            ([DONE], "the reply was empty"),
            ([chunk("a long", "length"), DONE], "the reply was cut at the model's token limit"),
            (
                [chunk("b", "content_filter"), DONE],
                "the reply was stopped by the endpoint's content filter",
            ),
            ([chunk(finish="tool_calls"), DONE], "the model asked for a tool, and there is none"),
            (
                [chunk("c"), b'data: {"error": {"message": "overloaded"}}\n\n'],
                "the endpoint failed: overloaded",
            ),
            ([b"data: <html>\n\n"], "expected a JSON object, got '<html>'"),
            ([b"data: " + b"x" * 1_100_000], "expected lines of at most 1048576 bytes"),
            (
                [b'data: {"choices": [null, {"delta": 1}, {"delta": {"content": 2}}]}\n\n'],
                "the reply broke off before it was complete",
            ),
        ],
        ids=[
            "cut short",
            "nothing at all",
            "only white space",
            "only done",
            "token limit",
            "content filter",
            "tool call",
            "error in the stream",
            "no JSON",
            "endless line",
            "odd shapes",
        ],
    )
    async def test_only_a_complete_reply_is_success(
        self, pieces: list[bytes], error: str, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = streams(*pieces)
        assert await agent().run(asked("hello")[0]) == failed(error)

    async def test_a_stream_that_is_cut_inside_its_framing_is_an_error(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        async def cut(_: Received, connection: Connection) -> None:
            event = chunk("half", "stop")
            head = STREAM.replace(b"Connection: close", b"Transfer-Encoding: chunked")
            await connection.send(head + f"{len(event):x}\r\n".encode() + event + b"\r\n")

        server.answer = cut
        request, output = asked("hello")
        result = await agent().run(request)
        assert result.error is not None
        assert result.error.startswith("the connection to 127.0.0.1 failed: peer closed")
        assert output.text == "half"

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, "HTTP 401; the endpoint did not accept UA_AGENT_API_KEY"),
            (402, "HTTP 402; the endpoint asks for payment: the account is out of credit; said"),
            (403, "HTTP 403; the key in UA_AGENT_API_KEY may not do this"),
            (404, "HTTP 404; no such model, or UA_AGENT_BASE_URL is wrong; said"),
            (
                429,
                "HTTP 429; the endpoint's rate limit or quota is used up; said; retry after 20 s",
            ),
            (500, "HTTP 500; said"),
            (301, "HTTP 301; said"),
        ],
    )
    async def test_a_refusal_says_what_to_do_about_it(
        self,
        status: int,
        error: str,
        agent: Agent,
        asked: Asked,
        server: LocalServer,
        clock: ManualClock,
    ) -> None:
        body = json.dumps({"error": {"message": "said", "type": "x"}}).encode()
        extra = {"Retry_After": "20"} if status == 429 else {}
        server.answer = answers(status, body, Content_Type="application/json", **extra)
        request, output = asked("hello")
        ending = {
            401: Ending(kind=EndClass.REFUSED),
            402: Ending(kind=EndClass.REFUSED),
            403: Ending(kind=EndClass.REFUSED),
            429: Ending(kind=EndClass.RATE_LIMITED, until=clock.now() + timedelta(seconds=20)),
        }.get(status)
        result = await agent(agent_api_key="key-1", clock=clock).run(request)
        assert result == failed(error, status, ending)
        assert output.text == ""

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"error": "model not found"}', "model not found"),
            (b"bad\r\ngate\x1b[2Jway", "bad gateway"),
            (b"", ""),
            (b'["odd"]', '["odd"]'),
            (b"x" * 100_000, "x" * 199 + "…"),
        ],
    )
    async def test_a_refusal_is_quoted_in_one_short_line(
        self, body: bytes, said: str, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = answers(502, body)
        expected = f"HTTP 502; {said}" if said else "HTTP 502"
        away = Ending(kind=EndClass.UNREACHABLE)
        assert await agent().run(asked("hello")[0]) == failed(expected, 502, away)

    async def test_an_endpoint_that_falls_silent_is_given_up_on(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        server.answer = hangs
        result = await agent(silence_seconds=0.05).run(asked("hello")[0])
        assert result == failed(
            "127.0.0.1 sent nothing in time", None, Ending(kind=EndClass.UNREACHABLE)
        )

    async def test_an_endpoint_that_is_not_there_is_an_error_of_the_run(
        self, agent: Agent, asked: Asked, unused_tcp_port: int
    ) -> None:
        runner = agent(agent_base_url=f"http://127.0.0.1:{unused_tcp_port}/v1")
        result = await runner.run(asked("hello")[0])
        assert result == failed(
            "the connection to 127.0.0.1 failed: All connection attempts failed",
            None,
            Ending(kind=EndClass.UNREACHABLE),
        )

    async def test_a_run_that_is_cancelled_while_it_streams_closes_its_connection(
        self, agent: Agent, asked: Asked, server: LocalServer
    ) -> None:
        async def endless(_: Received, connection: Connection) -> None:
            await connection.send(STREAM + chunk("first"))
            await connection.hang()

        server.answer = endless
        request, output = asked("hello")
        run = asyncio.create_task(agent().run(request))
        await output.until("first")
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await server.hung_up.wait()


class TestNoAgent:
    def test_a_job_is_refused_with_what_to_set(self, settings: Settings) -> None:
        with pytest.raises(InvalidInput, match=r"UA_AGENT_COMMAND .* UA_AGENT_BASE_URL"):
            AgentRunner(settings).check("hello")

    async def test_a_job_that_was_made_before_fails_with_the_same_sentence(
        self, settings: Settings, asked: Asked
    ) -> None:
        result = await AgentRunner(settings).run(asked("hello")[0])
        assert result.error is not None
        assert result.error.startswith("no agent is configured")
