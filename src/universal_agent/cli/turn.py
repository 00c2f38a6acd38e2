"""The client of a session's stream that takes one turn."""

import json
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from universal_agent.cli.answers import decode
from universal_agent.cli.client import token_header
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document
from universal_agent.cli.proxies import refused_upgrade

#: The time limit for opening the stream, in seconds.
_OPEN_SECONDS = 10.0

_REFUSED = {
    "turn-busy": ExitCode.CONFLICT,
    "conflict": ExitCode.CONFLICT,
    "session-not-found": ExitCode.CONFLICT,
    "invalid-input": ExitCode.USAGE,
}


def _headers(url: str, token: str) -> dict[str, str]:
    given = token_header(url, token) if token else {}
    return {name.decode(): value.decode() for name, value in given.items()}


def take_turn(
    url: str,
    token: str,
    session_id: str,
    words: str,
    *,
    client_turn_id: str,
    on_text: Callable[[str], None],
) -> Document:
    """How the turn ended; `on_text` is called with the reply as it comes.

    Raises CommandFailed when the turn is refused, or the stream breaks off.
    """
    address = f"ws{url.removeprefix('http')}/api/v1/sessions/{session_id}/stream"
    try:
        with connect(
            address,
            additional_headers=_headers(url, token),
            open_timeout=_OPEN_SECONDS,
            proxy=True if url.startswith("https:") else None,
            max_size=None,  # the gateway bounds what it sends
        ) as socket:
            asked = {"user_input": words, "client_turn_id": client_turn_id}
            socket.send(json.dumps({"type": "execute", "data": asked}))
            run_id = None
            while True:
                message = decode(socket.recv(), url=url)
                if message is None:
                    raise CommandFailed(
                        f"Expected an object in JSON on the stream of the session at {url}, got "
                        "another message. Bring the gateway and this command to one version.",
                        ExitCode.UNAVAILABLE,
                    )
                data = message["data"]
                match message["type"]:
                    case "error":
                        code = _REFUSED.get(data["code"], ExitCode.UNAVAILABLE)
                        raise CommandFailed(data["detail"], code)
                    case "status" if data.get("client_turn_id") == client_turn_id:
                        run_id = data["run_id"]
                    case "text" if data["run_id"] == run_id:
                        # The text so far is reasoning; the reply begins on a new line.
                        on_text("\n" if data.get("restart") else data["text"])
                    case "query_complete" if client_turn_id == data["client_turn_id"]:
                        return dict(data)
    except ConnectionClosed as closed:
        why = f": {closed.rcvd.reason}" if closed.rcvd and closed.rcvd.reason else ""
        raise CommandFailed(
            f"The stream of the session broke off{why}. The turn, if it was accepted, goes on.",
            ExitCode.UNREACHABLE,
        ) from None
    except InvalidStatus as refused:
        raise refused_upgrade(url, refused.response.status_code) from None
    except (OSError, WebSocketException) as error:
        raise CommandFailed(
            f"The stream of the session could not be opened ({error}).", ExitCode.UNREACHABLE
        ) from None
