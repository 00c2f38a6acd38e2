"""Commands whose gateway answers with fields of other types than the contract gives them."""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

import httpx
import pytest
from websockets.sync.server import ServerConnection, serve

from tests.unit.cli.documents import EVENT_ID, JOB_ID, RUN_ID, SESSION_ID, answer_to
from universal_agent.cli.client import Gateway
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.main import run
from universal_agent.cli.turn import take_turn

COMMANDS = [
    "job list",
    f"job show {JOB_ID}",
    f"job show {JOB_ID[-12:]}",
    "job add 30m true",
    f"job edit {JOB_ID} --title b",
    f"job edit {JOB_ID} --metadata {{}}",
    f"job pause {JOB_ID}",
    f"job resume {JOB_ID}",
    f"job run {JOB_ID}",
    f"job rm {JOB_ID} --yes",
    f"job runs {JOB_ID}",
    "job runs",
    f"job logs {JOB_ID}",
    f"job change {JOB_ID} skip --yes",
    f"run show {RUN_ID}",
    f"run show {RUN_ID[-12:]}",
    f"run show {EVENT_ID}",
    f"run logs {RUN_ID}",
    f"run logs {RUN_ID} --follow",
    f"run cancel {RUN_ID}",
    "next",
    f"slot skip {JOB_ID}",
    f"slot move {JOB_ID} --to 30m",
    f"slot early {JOB_ID} 30m",
    f"slot undo {JOB_ID} 30m",
    "stasis list",
    "stasis expired",
    "stasis decide recommended --all --preview",
    "stasis decide recommended --all --yes",
    "stasis approve Queue",
    f"stasis reschedule {EVENT_ID} 30m",
    "stasis delete Queue",
    f"stasis undo {EVENT_ID}",
    "stasis decide approve --all",
    "stasis decide delete --outage out_1 --yes",
    f"explain {JOB_ID}",
    f"explain {RUN_ID}",
    "ledger",
    f"ledger --job {JOB_ID}",
    "events",
    "audit",
    "flag list",
    "flag set UA_SCHED_PUSH_ENABLED on",
    "flag reset UA_SCHED_PUSH_ENABLED",
    "projection verify",
    "projection rebuild",
    "session list",
    f"session show {SESSION_ID}",
    f"session show {SESSION_ID[-12:]}",
    "session new",
    f"session rm {SESSION_ID} --yes",
    "heartbeat status",
    f"heartbeat last {SESSION_ID}",
    f"heartbeat wake {SESSION_ID} --wait 1",
    "heartbeat wake",
    f"heartbeat pause {SESSION_ID}",
    "heartbeat suppressed",
    "notification list",
    "notification read --all",
    "notification ack ntf_1",
    "wait --seconds 0",
    "doctor",
    "drain --no-wait",
]

#: How many fields are tried for each command.
FIELDS = 5

WRONG: tuple[object, ...] = (None, 5, "x", True, [None], {"a": 1}, [5, {}], 1e300, -1, [])


def paths(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where each value in a document is."""
    if path:
        yield path
    held = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in held:
        if isinstance(value, (dict, list)):
            yield from paths(value, (*path, name))
        else:
            yield (*path, name)


def replaced(document: Any, path: tuple[str | int, ...], value: object) -> Any:
    """The document with another value at `path`."""
    changed = deepcopy(document)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


Change = Callable[..., Any]


class Answers:
    """A gateway with an answer to every request."""

    def __init__(self) -> None:
        #: What was answered, by method and path.
        self.given: dict[tuple[str, str], dict[str, Any]] = {}
        self.change: Change = lambda method, path, *, given: given

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        document = answer_to(method, path, named="session_id" in request.url.params)
        if document is None:
            return httpx.Response(404, json={"detail": f"nothing at {path}"})
        self.given[method, path] = document
        return httpx.Response(200, json=self.change(method, path, given=document))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers()
    monkeypatch.setattr(Gateway, "_client", lambda *_: httpx.Client(transport=answers.transport()))
    return answers


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_type_in_an_answer_ends_each_command_in_one_sentence(
    command: str, answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*command.split(), "--url", "http://gateway"]
    assert run(words) in (ExitCode.OK, ExitCode.NO), capsys.readouterr().err
    capsys.readouterr()
    chance = Random(command)
    places = [
        (address, path)
        for address, document in sorted(answers.given.items())
        for path in paths(document)
    ]
    for address, path in chance.sample(places, min(FIELDS, len(places))):
        value = chance.choice(WRONG)
        answers.change = lambda *asked, given, address=address, path=path, value=value: (
            replaced(given, path, value) if asked == address else given
        )
        code = run(words)
        said = capsys.readouterr()
        if code is ExitCode.UNAVAILABLE and path != ("status",):  # of an unhealthy gateway
            assert said.err.splitlines()[-1].startswith("ua: Expected the field "), (path, value)


@pytest.mark.parametrize(
    ("command", "path", "wrong", "said"),
    [
        ("job list", "/api/v1/cron/jobs", {"jobs": 5}, "'jobs' to be a list of objects, got 5"),
        (
            "job list",
            "/api/v1/cron/jobs",
            {"jobs": [{}, None]},
            "'jobs' to be a list of objects, got a list whose entry 2 is null",
        ),
        (
            "notification list",
            "/api/v1/dashboard/notifications",
            {"notifications": None},
            "'notifications' to be a list of objects, got null",
        ),
        (
            "ledger",
            "/api/v1/ops/scheduling/ledger",
            {"unaccounted": "x"},
            "'unaccounted' to be a list of texts, got \"x\"",
        ),
        (
            "projection verify",
            "/api/v1/ops/scheduling/projection/verify",
            {"position": "9"},
            "'position' to be an integer, got \"9\"",
        ),
        ("doctor", "/api/v1/health", {"timestamp": "now"}, "'timestamp' to be a time in ISO 8601"),
        ("wait", "/api/v1/health", {"reasons": None, "status": ""}, "'reasons' to be a list of"),
        (f"job show {JOB_ID}", f"/api/v1/cron/jobs/{JOB_ID}", {"job": []}, "'job' to be an object"),
    ],
)
def test_a_wrong_field_is_named_with_what_came(
    command: str,
    path: str,
    wrong: dict[str, Any],
    said: str,
    answers: Answers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers.change = lambda _, at, *, given: {**given, **wrong} if at == path else given
    assert run([*command.split(), "--url", "http://gateway"]) in (
        ExitCode.UNAVAILABLE,
        ExitCode.NO,  # of the doctor, which goes on with its other checks
    )
    shown = " ".join(("".join(capsys.readouterr())).split())
    name, _, wanted = said.partition(" ")
    where = "in the answer of the gateway at http://gateway"
    assert f"Expected the field {name} {where} {wanted}" in shown


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("hello", "Expected an object in JSON on the stream"),
        ("[1]", "Expected an object in JSON on the stream"),
        ('{"type": 5, "data": {}}', "'type' in the answer of the gateway at {url} to be text"),
        ('{"type": "text", "data": null}', "'data' in the answer of the gateway at {url} to be an"),
        ('{"type": "error", "data": {"code": []}}', "'data.code' in the answer of the gateway at"),
    ],
)
def test_a_wrong_message_on_a_stream_ends_the_turn_in_one_sentence(message: str, said: str) -> None:
    def answer(stream: ServerConnection) -> None:
        stream.recv()
        stream.send(message)
        list(stream)  # until the client closes it

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            with pytest.raises(CommandFailed) as failed:
                take_turn(url, "", SESSION_ID, "hi", client_turn_id="t", on_text=print)
        finally:
            server.shutdown()
            thread.join()
    assert failed.value.code is ExitCode.UNAVAILABLE
    assert said.replace("{url}", url) in failed.value.message
