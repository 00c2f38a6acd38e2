"""What agent programs print, recorded from them and shortened (versions in docs/runners.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from universal_agent.runners.agent_programs import ProgramReply, recognized, reply_of
from universal_agent.runners.output import RunOutput


def line(**fields: Any) -> str:
    return json.dumps(fields) + "\n"


CLAUDE = {
    "good": line(
        stop_reason="end_turn",
        is_error=False,
        subtype="success",
        result="HEARTBEAT_OK",
        type="result",
    ),
    "stream": line(type="system", subtype="init", session_id="s")
    + line(type="assistant", message={"content": [{"type": "text", "text": "HEARTBEAT_OK"}]})
    + line(is_error=False, subtype="success", result="HEARTBEAT_OK", type="result"),
    "cut": line(
        stop_reason="stop_sequence",
        is_error=True,
        subtype="success",
        api_error="max_output_tokens",
        result="API Error: Claude's response exceeded the 128000 output token maximum.",
        type="result",
    ),
    "turns": line(is_error=False, subtype="error_max_turns", type="result"),
    "broken off": line(type="system", subtype="init"),
}
CODEX = {
    "good": line(type="thread.started", thread_id="t")
    + line(type="item.completed", item={"id": "0", "type": "error", "message": "no metadata"})
    + line(type="turn.started")
    + line(type="item.completed", item={"type": "agent_message", "text": "HEARTBEAT_OK"})
    + line(type="turn.completed", usage={"output_tokens": 1}),
    "cut": line(type="turn.started")
    + line(type="item.completed", item={"type": "agent_message", "text": "half a sent"})
    + line(type="error", message="Incomplete response returned, reason: max_output_tokens")
    + line(
        type="turn.failed",
        error={"message": "Incomplete response returned, reason: max_output_tokens"},
    ),
    "broken off": line(type="turn.started"),
}
GEMINI = {
    "good": json.dumps({"session_id": "s", "response": "HEARTBEAT_OK", "stats": {}}, indent=2),
    "stream": line(type="init", model="auto")
    + line(type="message", role="user", content="say it")
    + line(type="message", role="assistant", content="HEARTBEAT_", delta=True)
    + line(type="message", role="assistant", content="OK", delta=True)
    + line(type="result", status="success", stats={}),
    "failed": json.dumps(
        {"session_id": "s", "error": {"message": "no key", "code": 401}}, indent=2
    ),
    "broken off": line(type="init"),
}
OPENCODE = {
    "good": line(type="step_start", part={"type": "step-start"})
    + line(type="step_finish", part={"reason": "tool-calls"})
    + line(type="text", part={"type": "text", "text": "HEARTBEAT_OK"})
    + line(type="step_finish", part={"type": "step-finish", "reason": "stop"}),
    "cut": line(type="text", part={"type": "text", "text": "half a sent"})
    + line(type="step_finish", part={"type": "step-finish", "reason": "length"}),
    "failed": line(
        type="error", error={"name": "APIError", "data": {"message": "bad key", "statusCode": 401}}
    ),
    "broken off": line(type="step_finish", part={"reason": "tool-calls"}),
}

ARGV = {
    "claude": ("claude", "-p", "--output-format", "json", "--", "{prompt}"),
    "codex": ("codex", "exec", "--json", "--", "{prompt}"),
    "gemini": ("gemini", "--output-format=json", "--prompt={prompt}"),
    "opencode": ("opencode", "run", "--format", "json", "--", "{prompt}"),
}


def read(argv: tuple[str, ...], printed: str, folder: Path, **given: Any) -> tuple[Any, str]:
    """What the program's reply is judged to be, and its text."""
    output = RunOutput(folder / "run.log")
    reply: ProgramReply = reply_of(argv, given.get("preset"), output)
    data = printed.encode()
    for place in range(0, len(data), given.get("size", 64_000)):
        reply.write(data[place : place + given.get("size", 64_000)])
    reply.end()
    output.close()
    return reply.problem(), output.preview


@pytest.mark.parametrize("size", [1, 7, 64_000])
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("claude", CLAUDE["good"]),
        ("claude", CLAUDE["stream"]),
        ("codex", CODEX["good"]),
        ("gemini", GEMINI["good"]),
        ("gemini", GEMINI["stream"]),
        ("opencode", OPENCODE["good"]),
    ],
)
def test_a_complete_reply_is_taken_out_of_the_json(
    name: str, printed: str, size: int, tmp_path: Path
) -> None:
    assert read(ARGV[name], printed, tmp_path, size=size) == (None, "HEARTBEAT_OK")
    assert (tmp_path / "run.log").read_text().replace("HEARTBEAT_OK", "").count("type") >= (
        0 if printed is GEMINI["good"] else 1
    )


@pytest.mark.parametrize(
    ("name", "printed", "problem"),
    [
        ("claude", CLAUDE["cut"], "claude says: API Error: Claude's response exceeded the 128000"),
        ("claude", CLAUDE["turns"], "claude says: error_max_turns"),
        ("codex", CODEX["cut"], "codex says: Incomplete response returned, reason: max_output"),
        ("gemini", GEMINI["failed"], "gemini says: no key"),
        ("opencode", OPENCODE["cut"], "opencode says: the reply ended with 'length'"),
        ("opencode", OPENCODE["failed"], "opencode says: bad key"),
        *(
            (name, printed["broken off"], f"{name} did not say that its reply is complete")
            for name, printed in (
                ("claude", CLAUDE),
                ("codex", CODEX),
                ("gemini", GEMINI),
                ("opencode", OPENCODE),
            )
        ),
        ("claude", "Please log in\n", "claude did not say that its reply is complete: Please log"),
        ("gemini", '{\n"response": "ha', "gemini did not say that its reply is complete: "),
        ("claude", "", "claude did not say that its reply is complete"),
    ],
)
def test_anything_but_a_complete_reply_is_a_failure_that_says_why(
    name: str, printed: str, problem: str, tmp_path: Path
) -> None:
    found, _ = read(ARGV[name], printed, tmp_path)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("claude", "Not logged in · Please run /login\n"),
        ("claude", "API Error: 500\n\nTry again"),
        ("claude", "Claude AI usage limit reached|1700000000"),
        ("claude", "\n5-hour limit reached ∙ resets 3am"),
        ("gemini", "Please set an Auth method in your settings.json"),
        ("gemini", "[API Error: quota]"),
        ("/opt/node/bin/codex", "ERROR: exceeded retry limit"),
        ("opencode", "\x1b[91mError: \x1b[0mstub"),
    ],
)
def test_a_complaint_instead_of_a_reply_is_a_failure(
    program: str, printed: str, tmp_path: Path
) -> None:
    problem, _ = read((program, "{prompt}"), printed, tmp_path)
    assert problem is not None
    assert " says: " in problem
    assert read((program, "{prompt}"), f"I found this:\n{printed}", tmp_path)[0] is None
    assert read(("other", "{prompt}"), printed, tmp_path)[0] is None
    assert read((program, "{prompt}"), printed, tmp_path, preset="none")[0] is None


def test_a_wrapper_is_read_as_the_program_that_the_job_names(tmp_path: Path) -> None:
    argv = ("/opt/agent.sh", "--json", "{prompt}")
    assert read(argv, CODEX["cut"], tmp_path)[0] is None
    problem, text = read(argv, CODEX["cut"], tmp_path, preset="codex")
    assert (problem is not None, text) == (True, "half a sent")


WRAPPER = ("/opt/agent.sh", "{prompt}")


@pytest.mark.parametrize("size", [1, 7, 64_000])
@pytest.mark.parametrize("before", ["", "\n", "Now using node v20\n"])
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("claude", CLAUDE["good"]),
        ("claude", CLAUDE["stream"]),
        ("claude", json.dumps([json.loads(line) for line in CLAUDE["stream"].splitlines()])),
        ("codex", CODEX["good"]),
        ("gemini", GEMINI["good"]),
        ("gemini", GEMINI["stream"]),
        ("opencode", OPENCODE["good"]),
    ],
)
def test_a_wrapper_that_prints_the_json_of_the_named_program_is_read_as_json(
    name: str, printed: str, before: str, size: int, tmp_path: Path
) -> None:
    found = read(WRAPPER, before + printed, tmp_path, preset=name, size=size)
    assert found == (None, "HEARTBEAT_OK")


@pytest.mark.parametrize("size", [1, 64_000])
@pytest.mark.parametrize(
    ("name", "printed", "problem"),
    [
        ("claude", CLAUDE["cut"], "claude says: API Error: Claude's response exceeded the 128000"),
        ("claude", CLAUDE["turns"], "claude says: error_max_turns"),
        ("claude", CLAUDE["broken off"], "claude did not say that its reply is complete"),
        ("claude", CLAUDE["good"][:-40], "claude did not say that its reply is complete"),
        ("codex", CODEX["cut"], "codex says: Incomplete response returned, reason: max_output"),
        ("codex", CODEX["broken off"], "codex did not say that its reply is complete"),
        ("gemini", GEMINI["failed"], "gemini says: no key"),
        (
            "gemini",
            line(type="init", session_id="s"),
            "gemini did not say that its reply is complete",
        ),
        ("opencode", OPENCODE["failed"], "opencode says: bad key"),
        ("opencode", OPENCODE["broken off"], "opencode did not say that its reply is complete"),
    ],
)
def test_a_failure_in_the_json_of_a_wrapper_fails_the_run(
    name: str, printed: str, problem: str, size: int, tmp_path: Path
) -> None:
    found, _ = read(WRAPPER, printed, tmp_path, preset=name, size=size)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize("size", [1, 64_000])
@pytest.mark.parametrize("name", sorted(ARGV))
@pytest.mark.parametrize(
    "printed",
    [
        "HEARTBEAT_OK",
        '{"disk": "full", "hosts": ["a", "b"]}\n',
        '{\n  "disk": "full"\n}\n',
        "[a link](b) and {braces}\n",
        "[]",
        "done\n{",
        "",
    ],
)
def test_a_plain_reply_of_a_wrapper_stays_as_it_is(
    printed: str, name: str, size: int, tmp_path: Path
) -> None:
    found = read(WRAPPER, printed, tmp_path, preset=name, size=size)
    assert found == (None, printed)


def test_a_complaint_of_a_wrapper_in_plain_text_is_a_failure(tmp_path: Path) -> None:
    problem, _ = read(
        WRAPPER, "Not logged in \u00b7 Please run /login\n", tmp_path, preset="claude"
    )
    assert problem == "claude says: Not logged in \u00b7 Please run /login"


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["claude", "-p", "{prompt}"], "claude"),
        (["/usr/local/bin/claude", "{prompt}"], "claude"),
        (["npx", "-y", "@anthropic-ai/claude-code@2.1.332", "-p", "{prompt}"], "claude"),
        (["npx", "@google/gemini-cli", "-p", "{prompt}"], "gemini"),
        (["env", "A=b", "opencode", "run", "{prompt}"], "opencode"),
        (["llm", "-m", "gemini", "{prompt}"], None),
        (["/opt/claude-wrapper", "{prompt}"], None),
        (["sh", "-c", "claude {prompt}"], None),
    ],
)
def test_a_program_is_recognized_by_its_name_or_its_package(
    argv: list[str], name: str | None
) -> None:
    assert recognized(argv) == name


def test_json_without_end_is_refused(tmp_path: Path) -> None:
    problem, _ = read(ARGV["claude"], '{"a": "' + "x" * 5_000_000, tmp_path)
    assert problem == "claude says: more than 4194304 bytes of JSON"
